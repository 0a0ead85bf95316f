"""Memory that a swap takes: peaks of processes that download and build a month of few swaps and of many.

    python benchmarks/amm_memory.py [--fewer 50000] [--more 300000]

The node is made up, in the process that starts the others. A part of ``bench_amm.py``, or alone.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path

from made_up_node import MONTH, POOL, serving

PARTS = {"download": ("raw_eth_logs", "raw_amm_days"), "swaps": ("core_amm_swaps", "core_amm_minutes")}
"""Tables that the measured processes bring up to date, one process after the other."""


def of_a_swap(fewer: int, more: int) -> None:
    """Print the peaks, and what a further swap costs."""
    peaks: dict[str, list[float]] = {part: [] for part in PARTS}
    for swaps in (fewer, more):
        with tempfile.TemporaryDirectory() as folder, serving(swaps) as gateway:
            for part, found in peaks.items():
                command = [sys.executable, __file__, "--part", part, "--lake", folder, "--gateway", gateway]
                told = subprocess.run(command, check=True, capture_output=True, text=True).stdout
                found.append(float(told.splitlines()[-1]))
                print(f"{f'peak memory, {part}, {swaps:,} swaps':36} {found[-1]:8.0f} MB")
    for part, (low, high) in peaks.items():
        print(f"{f'{part}, a further swap':36} {(high - low) * 2**10 / (more - fewer):8.2f} kB")


def _run(lake: str, gateway: str, tables: tuple[str, ...]) -> None:
    """Bring tables of the made-up node's month up to date, and print the process's peak memory in MB."""
    from perp_pipeline.months import Span
    from perp_pipeline.quality.suites import get_ready
    from perp_pipeline.runner import run_node
    from perp_pipeline.session import open_session
    from perp_pipeline.settings import Settings

    settings = Settings(
        lake=lake,
        gateway=gateway,
        pools=(f"ethereum:{POOL}",),
        rpc_urls={"ETH_RPC_URL": "https://node.invalid/"},
    )
    with open_session(settings, archives=()) as context:
        get_ready()
        for table in tables:
            run_node(table, Span.parse(MONTH, MONTH), context)
    # Not getrusage: its peak is taken over from the process that this one was started by.
    peak = next(line for line in Path("/proc/self/status").read_text().splitlines() if "VmHWM" in line)
    print(int(peak.split()[1]) / 1024)


def main() -> None:
    """Measure, or be the process that is measured."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--fewer", type=int, default=50_000)
    parser.add_argument("--more", type=int, default=300_000)
    for name in ("--part", "--lake", "--gateway"):
        parser.add_argument(name, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.part:
        _run(asked.lake, asked.gateway, PARTS[asked.part])
    else:
        of_a_swap(asked.fewer, asked.more)


if __name__ == "__main__":
    main()
