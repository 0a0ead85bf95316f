"""The main job on all of history against a plain pandas script, and the nightly refresh against the main job.

    python benchmarks/full_run.py [--gateway URL | --latency-ms 50] [--repeat 1] [--lake DIR]

Without a gateway the replay server below PERP_SHARED is started, which answers after the given latency. Each
measurement is a process of its own; the best of the repeats counts. A lake that is given is filled anew, and
kept.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

HERE = Path(__file__).parent
PERP = [sys.executable, "-c", "from perp_pipeline.cli import main; main()"]
ALL = ("--from", "2016-05", "--to", "2026-06")
NIGHT = ("--from", "2026-05", "--to", "2026-06")


@dataclass(frozen=True)
class Cost:
    """What a process took: seconds on the wall and of processor time (user and system), peak memory in MB."""

    wall: float
    cpu: float
    memory: float


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--gateway")
    parser.add_argument("--latency-ms", type=int, default=0)
    parser.add_argument("--repeat", type=int, default=1)
    parser.add_argument("--lake", type=Path)
    options = parser.parse_args()
    print(f"load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")
    with tempfile.TemporaryDirectory() as folder, gateway(options.gateway, options.latency_ms) as url:
        plain_csv, lake = Path(folder) / "plain.csv", options.lake or Path(folder) / "lake"
        averages = Path(folder) / "averages"
        runs = {
            "plain script": [sys.executable, str(HERE / "plain_pandas.py"), url, str(plain_csv)],
            "run to the averages": run(averages, url, *ALL, "--select", "out_funding_averages"),
            "run of everything": run(lake, url, *ALL),
        }
        costs = {name: best(command, options.repeat, {averages, lake}) for name, command in runs.items()}
        costs["nightly refresh"] = best(run(lake, url, *NIGHT), options.repeat, set())
        costs["second run of everything"] = best(run(lake, url, *ALL), options.repeat, set())
        show(costs)
        agreement(plain_csv, averages)


def run(lake: Path, url: str, *options: str) -> list[str]:
    """``perp run`` into a lake."""
    return [*PERP, "run", "--lake", str(lake), "--gateway", url, *options]


def best(command: list[str], repeat: int, fresh: set[Path]) -> Cost:
    """The fastest of some runs; folders that the command writes into are removed before each."""
    return min((once(command, fresh) for _ in range(repeat)), key=lambda cost: cost.wall)


def once(command: list[str], fresh: set[Path]) -> Cost:
    """One run of a process that must end well."""
    for folder in fresh:
        if str(folder) in command:
            shutil.rmtree(folder, ignore_errors=True)
    with tempfile.TemporaryFile() as said:
        started = time.perf_counter()
        process = subprocess.Popen(command, stdout=said, stderr=said)
        _, status, usage = os.wait4(process.pid, 0)
        wall = time.perf_counter() - started
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            said.seek(0)
            raise SystemExit(said.read().decode())
    scale = 1024 if sys.platform == "linux" else 1024**2
    return Cost(wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / scale)


def show(costs: dict[str, Cost]) -> None:
    """The costs, and their ratios to the plain script and to the run of everything."""
    plain, whole = costs["plain script"], costs["run of everything"]
    print(f"{'':26}{'wall s':>8}{'cpu s':>8}{'MB':>7}   wall, cpu, memory / plain   wall / everything")
    for name, cost in costs.items():
        ratios = [getattr(cost, part) / getattr(plain, part) for part in ("wall", "cpu", "memory")]
        print(
            f"{name:26}{cost.wall:8.1f}{cost.cpu:8.1f}{cost.memory:7.0f}   "
            + "  ".join(f"{ratio:6.2f}" for ratio in ratios)
            + f"{cost.wall / whole.wall:18.2f}"
        )


def agreement(plain_csv: Path, lake: Path) -> None:
    """How far the averages of both are apart."""
    table = lake / "out" / "out_funding_averages" / "part-0.parquet"
    ours = pd.read_parquet(table).query("period == 'all'")
    key = ["venue", "symbol", "method"]
    both = pd.read_csv(plain_csv).merge(ours, on=key, suffixes=("_plain", ""))
    apart = (both["estimate_plain"] - both["estimate"]).abs()
    print(
        f"{len(both)} averages are in both ({len(ours)} in the run), at most "
        f"{apart[both['method'] == 'funding'].max():.2e} a year apart for funding, "
        f"{apart[both['method'] != 'funding'].max():.2e} for CME (holidays, rolls)"
    )


@contextmanager
def gateway(address: str | None, latency: int) -> Iterator[str]:
    """The given gateway, or a replay server for as long as it is needed."""
    if address:
        yield address
        return
    serve = Path(os.environ["PERP_SHARED"]) / "replay" / "serve"
    with subprocess.Popen(
        [sys.executable, str(serve), "--port", "0", "--latency-ms", str(latency)],
        stdout=subprocess.PIPE,
        text=True,
    ) as server:
        assert server.stdout is not None
        yield server.stdout.readline().split()[-1]
        server.terminate()


if __name__ == "__main__":
    main()
