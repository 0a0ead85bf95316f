"""Time log decoding and pool-days on one core, against web3, orjson, polars and DuckDB; measure memory.

    pip install -e ".[bench]"
    taskset -c 0 python benchmarks/bench_amm.py [--swaps 10000000] [--months 24]

Times are processor seconds of the best of several runs, in microseconds a log and in seconds: other work on
the machine slows them, but less than it slows the clock. An alternative that is not installed is an error;
with ``--without web3`` it is left out, and the output says so. Memory is the peak of a process that builds
the chapter's tables from a lake with one month of a pool, and from one with many.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

os.environ.setdefault("POLARS_MAX_THREADS", "1")

import amm_memory

from perp_pipeline.amm import decode, minutes, pool_day
from perp_pipeline.amm.pools import PoolFacts
from perp_pipeline.sources.errors import SourceError
from perp_pipeline.sources.evm_answers import Answer, parse, parse_all
from perp_pipeline.sources.evm_events import V3
from perp_pipeline.sources.evm_logs import LogFilter, log_table
from perp_pipeline.sources.evm_rpc import answer_bodies
from perp_pipeline.sources.evm_together import FULL, MOST
from perp_pipeline.sources.store import BodyStore

POOL = "0x" + "ab" * 20
FACTS = PoolFacts("ethereum", POOL, "uniswap_v3", "USDC", "WETH", 6, 18, "USD", "ETH", 500)
SWAP = V3[0]
FIRST = 18_900_000
"""First block of what is made up."""
DAYS = ((50, 400), (50, 800), (20, 5_000))
"""What is decoded: days, and logs in a day. WBTC-WETH 30 bp had some 440 a day in 2021, USDC-WETH 5 bp some
5,000 in 2024."""
REAL = 60
"""Real days that are decoded."""
WEB3 = 4_000
"""Logs that web3 and eth_abi decode."""
ABI = {
    "anonymous": False,
    "name": "Swap",
    "type": "event",
    "inputs": [
        {"indexed": place < 2, "name": name, "type": kind}
        for place, (name, kind) in enumerate(
            [
                ("sender", "address"),
                ("recipient", "address"),
                ("amount0", "int256"),
                ("amount1", "int256"),
                ("sqrtPriceX96", "uint160"),
                ("liquidity", "uint128"),
                ("tick", "int24"),
            ]
        )
    ],
}


ALTERNATIVES = ("orjson", "eth_abi", "web3", "polars", "duckdb")


def best(run: Callable[[], Any], rounds: int = 5) -> float:
    """Processor seconds of the fastest of some runs, all threads together."""
    times = []
    for _ in range(rounds):
        start = time.process_time()
        run()
        times.append(time.process_time() - start)
    return min(times)


def log_rows(count: int, first: int = 0) -> list[dict[str, Any]]:
    """Swaps that follow one price path, as a node writes them, a block each from ``FIRST + first`` on."""
    generator = np.random.default_rng(1)
    ticks = 200_000 + np.cumsum(generator.integers(-3, 4, count))
    logs = []
    for place, (tick, before) in enumerate(zip(ticks, np.append(200_000, ticks[:-1]), strict=True)):
        sign = -1 if tick > before else 1
        root = int(1.0001 ** (int(tick) / 2) * 2**96)
        values = (sign * 10**10, -sign * 5 * 10**18, root, 10**19, int(tick))
        logs.append(
            {
                "address": POOL,
                "topics": [SWAP.topic0, "0x" + "0" * 24 + "cd" * 20, "0x" + "0" * 24 + "ef" * 20],
                "data": "0x" + "".join(format(value % 2**256, "064x") for value in values),
                "blockNumber": hex(FIRST + first + place),
                "transactionHash": "0x" + format(first + place, "064x"),
                "transactionIndex": hex(place % 200),
                "blockHash": "0x" + "a" * 64,
                "logIndex": hex(place % 400),
                "removed": False,
            }
        )
    return logs


def body_of(content: Any) -> bytes:
    """JSON as nodes send it."""
    return json.dumps(content, separators=(",", ":")).encode()


@dataclass(frozen=True)
class Bodies:
    """Days of a pool, asked for one by one and, as the pipeline does, many in a body.

    Attributes:
        asked: the question of each day.
        days: the answer to each.
        together: bodies of many answers, with the places of their first and after their last day.
    """

    asked: list[LogFilter]
    days: list[bytes]
    together: list[tuple[bytes, int, int]]

    @staticmethod
    def of(logs: list[list[dict[str, Any]]], asked: list[LogFilter]) -> Bodies:
        """The bodies of days of logs; as many answers in one as the pipeline asks for."""
        count = max(1, min(MOST, FULL // max(len(day) for day in logs)))
        together = []
        for start in range(0, len(logs), count):
            part = logs[start : start + count]
            answers = [{"jsonrpc": "2.0", "id": n + 1, "result": day} for n, day in enumerate(part)]
            together.append((body_of(answers), start, start + len(part)))
        return Bodies(asked, [body_of({"jsonrpc": "2.0", "id": 1, "result": day}) for day in logs], together)


def made_up(days: int, logs: int) -> Bodies:
    """A month of like days."""
    asked = [LogFilter(POOL, (SWAP,), FIRST + n * logs, FIRST + (n + 1) * logs - 1) for n in range(days)]
    return Bodies.of([log_rows(logs, n * logs) for n in range(days)], asked)


def stored(lake: Path, pool: str) -> Bodies:
    """The ``REAL`` days of a v3 pool with most swaps among the answers that a lake keeps."""
    store, found = BodyStore(lake / "raw" / "_downloads"), []
    for entry in store.entries():
        call = entry.payload if isinstance(entry.payload, dict) else {}
        query = call["params"][0] if call.get("method") == "eth_getLogs" else {}
        if query.get("address") == pool and SWAP.topic0 in query["topics"][0]:
            body = json.loads(store.read(entry) or b"{}")
            asked = LogFilter(pool, (SWAP,), int(query["fromBlock"], 16), int(query["toBlock"], 16))
            found.append((asked, body.get("result") or []))
    most = sorted(found, key=lambda one: len(one[1]))[-REAL:]
    days: list[tuple[LogFilter, list[dict[str, Any]]]] = []
    for asked, logs in sorted(most, key=lambda one: (one[0].first, -one[0].last)):
        if logs and (not days or asked.first > days[-1][0].last):  # not the halves of a day
            days.append((asked, logs))
    return Bodies.of([logs for _, logs in days], [asked for asked, _ in days])


def together_to_swaps(bodies: Bodies) -> pd.DataFrame:
    """What the pipeline does with bodies of many answers: cut, parse, verify, seek missing logs, decode."""
    found: list[Answer | SourceError] = []
    for body, start, end in bodies.together:
        found += parse_all(answer_bodies(body, end - start), bodies.asked[start:end])
    return rows_of([one for one in found if isinstance(one, Answer)], len(bodies.days))


def alone_to_swaps(bodies: Bodies) -> pd.DataFrame:
    """The same with a body for each day."""
    return rows_of([parse(*one) for one in zip(bodies.days, bodies.asked, strict=True)], len(bodies.days))


def rows_of(answers: list[Answer], count: int) -> pd.DataFrame:
    """Answers decoded."""
    assert len(answers) == count and not any(one.jump for one in answers)
    raw = pa.concat_tables([one.logs for one in answers]).to_pandas()
    start = pd.Timestamp("2024-01-05", tz="UTC")
    return decode.swaps(raw.assign(chain="ethereum", pool=POOL, time=start), FACTS)


def decoding(name: str, bodies: Bodies, without: set[str]) -> None:
    """Decode days in every way there is."""
    lengths = [len(json.loads(body)["result"]) for body in bodies.days]
    count = sum(lengths)
    few = 1 + int(np.searchsorted(np.cumsum(lengths), min(WEB3, count)))

    def each(read: Callable[[bytes], Any]) -> Callable[[], None]:
        def run() -> None:
            for body in bodies.days:
                read(body)

        return run

    def kept(read: Callable[[bytes], Any]) -> Callable[[], Any]:
        return lambda: [read(body) for body in bodies.days]

    runs: dict[str, tuple[Callable[[], Any], int]] = {
        f"perp_pipeline, {len(bodies.together)} bodies to rows": (lambda: together_to_swaps(bodies), count),
        "perp_pipeline, a body a day to rows": (lambda: alone_to_swaps(bodies), count),
        "json, parsing alone, all kept": (kept(json.loads), count),
        "json, parsing alone, day by day": (each(json.loads), count),
    }
    if "orjson" not in without:
        import orjson

        runs["orjson, parsing alone, all kept"] = (kept(orjson.loads), count)
        runs["orjson, parsing alone, day by day"] = (each(orjson.loads), count)
    if "eth_abi" not in without:
        from eth_abi import decode as abi_decode

        kinds = ["int256", "int256", "uint160", "uint128", "int24"]
        runs["json + eth_abi, data words alone"] = (
            lambda: [
                abi_decode(kinds, bytes.fromhex(log["data"][2:]))
                for body in bodies.days[:few]
                for log in json.loads(body)["result"]
            ],
            sum(lengths[:few]),
        )
    if "web3" not in without:
        from web3 import Web3
        from web3._utils.method_formatters import log_entry_formatter
        from web3.datastructures import AttributeDict

        event = Web3().eth.contract(address=Web3.to_checksum_address(POOL), abi=[ABI]).events.Swap()
        runs["json + web3 process_log"] = (
            lambda: [
                event.process_log(AttributeDict(log_entry_formatter(log)))
                for body in bodies.days[:few]
                for log in json.loads(body)["result"]
            ],
            sum(lengths[:few]),
        )
    print(f"{name}: {len(lengths)} days, {count:,} logs")
    taken = {way: best(run) / rows * 1e6 for way, (run, rows) in runs.items()}
    ours = next(iter(taken.values()))
    for way, micros in taken.items():
        print(f"{way:36} {micros:8.2f} us a log {micros / ours:8.2f} of ours")


def pool_days(count: int, without: set[str]) -> None:
    """A year of swaps to pool-days."""
    generator = np.random.default_rng(1)
    stamps = np.sort(generator.integers(0, 365 * 86400, count)) * 1_000_000 + 1_640_995_200_000_000
    price = np.exp(np.cumsum(generator.normal(0, 1e-5, count))) / 2000
    amount0 = generator.normal(0, 1e4, count)
    frame = pd.DataFrame(
        {
            "time": pd.to_datetime(stamps, unit="us", utc=True),
            "block_number": np.arange(count),
            "log_index": 0,
            "amount0_tokens": amount0,
            "amount1_tokens": -amount0 * price,
            "in0_tokens": np.maximum(amount0, 0),
            "in1_tokens": np.maximum(-amount0 * price, 0),
            "price": price,
            "liquidity_tokens": 1e6,
        }
    )

    def ours() -> Any:
        return pool_day.from_minutes(minutes.from_swaps(frame, FACTS, pd.DataFrame()), FACTS, {})

    plain = frame.assign(time=frame["time"].dt.tz_localize(None))
    runs: dict[str, Callable[[], Any]] = {"perp_pipeline (numpy)": ours}
    if "polars" not in without:
        runs["polars, the sums alone"] = _polars(plain)
    if "duckdb" not in without:
        runs["duckdb, the sums alone"] = _duckdb(plain)
    taken = {name: best(run, 3) for name, run in runs.items()}
    for name, seconds in taken.items():
        print(f"{name:36} {seconds:8.2f} s {seconds / taken['perp_pipeline (numpy)']:15.2f} of ours")


def _polars(frame: pd.DataFrame) -> Callable[[], Any]:
    import polars as pl

    table, c = pl.from_pandas(frame), pl.col
    a0, a1, price, held = (
        c(name) for name in ("amount0_tokens", "amount1_tokens", "price", "liquidity_tokens")
    )

    def run() -> Any:
        by_minute = (
            table.lazy()
            .with_columns(r=price.log().diff().fill_null(0))
            .group_by(c("time").dt.truncate("1m").alias("minute"), maintain_order=True)
            .agg(
                pl.len().alias("n"),
                (a0 < 0).sum().alias("buys"),
                a0.sum().alias("net0"),
                a1.sum().alias("net1"),
                a0.abs().sum().alias("volume0"),
                a1.abs().sum().alias("volume1"),
                a0.clip(0).sum().alias("in0"),
                a1.clip(0).sum().alias("in1"),
                price.last(),
                held.last(),
                (a0 + a1 / price).sum().alias("value"),
                (held / price.sqrt() * c("r") ** 2 / 4).sum().alias("convexity"),
            )
        )
        sums = pl.exclude("price", "liquidity_tokens").sum()
        by_day = by_minute.group_by(c("minute").dt.truncate("1d"), maintain_order=True)
        return by_day.agg(sums, price.last(), held.mean()).collect()

    return run


def _duckdb(frame: pd.DataFrame) -> Callable[[], Any]:
    import duckdb
    import pyarrow as pa

    connection = duckdb.connect()
    connection.execute("set threads = 1")
    connection.register("swaps", pa.Table.from_pandas(frame, preserve_index=False))
    query = """
    with moved as (
        select *, price / lag(price) over (order by block_number, log_index) as ratio from swaps
    ), minutes as (
        select date_trunc('minute', time) as minute, count(*) as n, sum((amount0_tokens < 0)::int) as buys,
            sum(amount0_tokens) as net0, sum(amount1_tokens) as net1,
            sum(abs(amount0_tokens)) as volume0, sum(abs(amount1_tokens)) as volume1,
            sum(greatest(amount0_tokens, 0)) as in0, sum(greatest(amount1_tokens, 0)) as in1,
            arg_max(price, block_number) as price, arg_max(liquidity_tokens, block_number) as liquidity,
            sum(amount0_tokens + amount1_tokens / price) as value,
            sum(liquidity_tokens / sqrt(price) * pow(ln(coalesce(ratio, 1)), 2) / 4) as convexity
        from moved group by 1
    )
    select date_trunc('day', minute), sum(n), sum(buys), sum(net0), sum(net1), sum(volume0), sum(volume1),
        sum(in0), sum(in1), arg_max(price, minute), avg(liquidity), sum(value), sum(convexity)
    from minutes group by 1
    """
    return lambda: connection.execute(query).fetchall()


def memory(months: int, swaps: int) -> None:
    """Peak memory of building the chapter from one month of a pool, and from many."""
    peaks = {}
    for count in (1, months):
        with tempfile.TemporaryDirectory() as folder:
            for part in ("fill", "build"):
                command = [sys.executable, __file__, "--part", part, "--lake", folder, "--months", str(count)]
                told = subprocess.run(
                    [*command, "--month-swaps", str(swaps)], check=True, capture_output=True, text=True
                ).stdout
            peaks[count] = float(told.splitlines()[-1])
        print(f"{f'peak memory, {count} month(s) of {swaps:,} swaps':36} {peaks[count]:8.0f} MB")
    print(f"{'growth':36} {peaks[months] / peaks[1]:8.2f}")


def fill(folder: Path, months: int, swaps: int) -> None:
    """A lake with the raw logs of a made-up pool, month by month."""
    from perp_pipeline import contracts
    from perp_pipeline.lake import Lake
    from perp_pipeline.lake.tables import to_arrow
    from perp_pipeline.months import Month, Span

    lake, now = Lake.at(folder), pd.Timestamp("2026-01-01", tz="UTC").to_pydatetime()
    table = log_table(log_rows(swaps)).drop_columns(["address", "removed", "block_timestamp"])
    logs = table.to_pandas().assign(
        chain="ethereum", pool=POOL, time_exact=True, source_url="made up", download_sha256="0" * 64
    )
    for place in range(months):
        month = Month(2021, 1) + place
        span = Span(month, month)
        start, end = pd.Timestamp(span.start), pd.Timestamp(span.end)
        stamps = start + (end - start) * (np.arange(swaps) / swaps)
        days = pd.date_range(start, end, inclusive="left", freq="D").tz_localize(None)
        told = {name: getattr(FACTS, name) for name in FACTS.__dataclass_fields__}
        frames = {
            "raw_eth_logs": logs.assign(
                time=pd.DatetimeIndex(stamps).floor("s").as_unit("us"),
                block_number=logs["block_number"] + place * swaps,
            ),
            "raw_amm_days": pd.DataFrame({"day": days, **told}).assign(
                kind="swaps",
                first_block=0,
                last_block=0,
                served=True,
                fee_protocol_source="declared",
                n_rows=1,
                reason=None,
                balance0=None,
                balance1=None,
                tick_spacing=10,
                source_url="made up",
                download_sha256=None,
            ),
        }
        for name, frame in frames.items():
            contract = contracts.get(name)
            arrow: pa.Table = to_arrow(contract, frame)
            lake.commit(contract, arrow, now=now, span=span)


def build(folder: Path, months: int) -> None:
    """Run the chapter's steps over the lake, and say how much memory that took."""
    from perp_pipeline.amm.steps import AMM
    from perp_pipeline.months import Month, Span
    from perp_pipeline.runner import run_node
    from perp_pipeline.session import open_session
    from perp_pipeline.settings import Settings
    from perp_pipeline.tables import AMM_RESULTS

    span = Span(Month(2021, 1), Month(2021, 1) + (months - 1))
    with open_session(Settings(lake=str(folder), offline=True)) as context:
        for step in (*AMM, *AMM_RESULTS):
            run_node(step.output.name, span, context)
    # Not getrusage: its peak is taken over from the process that this one was started by.
    peak = next(line for line in Path("/proc/self/status").read_text().splitlines() if "VmHWM" in line)
    print(int(peak.split()[1]) / 1024)


def main() -> None:
    """Run all, or the part of the memory measurement that this process is for."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--real", type=Path, metavar="LAKE", help="decode days that a lake keeps as well")
    parser.add_argument("--pool", action="append", default=[], help="address of a v3 pool of that lake")
    parser.add_argument("--swaps", type=int, default=10_000_000)
    parser.add_argument("--months", type=int, default=24)
    parser.add_argument("--month-swaps", type=int, default=50_000)
    parser.add_argument("--without", action="append", choices=ALTERNATIVES, default=[])
    parser.add_argument("--part", choices=("fill", "build"), help=argparse.SUPPRESS)
    parser.add_argument("--lake", type=Path, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.part == "fill":
        fill(asked.lake, asked.months, asked.month_swaps)
    elif asked.part == "build":
        build(asked.lake, asked.months)
    else:
        without = set(asked.without)
        if bool(asked.pool) != bool(asked.real):
            parser.error("--real and --pool go together")
        lacking = [name for name in ALTERNATIVES if name not in without and find_spec(name) is None]
        if lacking:
            parser.error(f"not installed: {', '.join(lacking)}. pip install -e '.[bench]', or --without each")
        for name in sorted(without):
            print(f"NOT COMPARED: {name}")
        for days, logs in DAYS:
            decoding(f"{logs:,} logs a day", made_up(days, logs), without)
        for pool in asked.pool:
            decoding(f"{pool} of {asked.real}", stored(asked.real, pool), without)
        pool_days(asked.swaps, without)
        amm_memory.of_a_swap(asked.month_swaps, 6 * asked.month_swaps)
        memory(asked.months, asked.month_swaps)


if __name__ == "__main__":
    main()
