"""Time log decoding and pool-days on one core, against the alternatives that are installed.

    taskset -c 0 python benchmarks/bench_amm.py [--logs 7000] [--swaps 10000000]

Compared where importable: orjson, web3 and eth_abi for decoding, polars and DuckDB (one thread each) for the
same sums. Times are the best of three, in microseconds a log and in seconds.
"""

from __future__ import annotations

import argparse
import json
import os
import time
from collections.abc import Callable
from importlib.util import find_spec
from typing import Any

import numpy as np
import pandas as pd

os.environ.setdefault("POLARS_MAX_THREADS", "1")

from perp_pipeline.amm import decode, minutes, pool_day
from perp_pipeline.amm.pools import PoolFacts
from perp_pipeline.sources.evm_events import V3
from perp_pipeline.sources.evm_logs import LogFilter, log_table, verify

POOL = "0x" + "ab" * 20
FACTS = PoolFacts("ethereum", POOL, "uniswap_v3", "USDC", "WETH", 6, 18, "USD", "ETH", 500)
SWAP = V3[0]
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


def best(run: Callable[[], Any], rounds: int = 3) -> float:
    """Seconds of the fastest of some runs."""
    times = []
    for _ in range(rounds):
        start = time.perf_counter()
        run()
        times.append(time.perf_counter() - start)
    return min(times)


def log_body(count: int) -> bytes:
    """An eth_getLogs answer with swaps that follow one price path."""
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
                "blockNumber": hex(18_900_000 + place),
                "transactionHash": "0x" + format(place, "064x"),
                "transactionIndex": "0x1",
                "blockHash": "0x" + "a" * 64,
                "logIndex": "0x1",
                "removed": False,
            }
        )
    return json.dumps({"jsonrpc": "2.0", "id": 1, "result": logs}, separators=(",", ":")).encode()


def to_swaps(body: bytes) -> pd.DataFrame:
    """What the pipeline does with a body: parse, verify, decode."""
    table = log_table(json.loads(body)["result"])
    verify(table, LogFilter(POOL, (SWAP,), 0, 10**9))
    start = pd.Timestamp("2024-01-05", tz="UTC")
    return decode.swaps(table.to_pandas().assign(chain="ethereum", pool=POOL, time=start), FACTS)


def decoding(count: int) -> None:
    """Decode a body in every way there is."""
    body = log_body(count)
    runs: dict[str, Callable[[], Any]] = {
        "json, parsing alone": lambda: json.loads(body),
        "perp_pipeline, body to rows": lambda: to_swaps(body),
    }
    if find_spec("orjson"):
        import orjson

        runs["orjson, parsing alone"] = lambda: orjson.loads(body)
    if find_spec("eth_abi"):
        from eth_abi import decode as abi_decode

        kinds = ["int256", "int256", "uint160", "uint128", "int24"]
        runs["json + eth_abi, data words alone"] = lambda: [
            abi_decode(kinds, bytes.fromhex(log["data"][2:])) for log in json.loads(body)["result"]
        ]
    if find_spec("web3"):
        from web3 import Web3
        from web3._utils.method_formatters import log_entry_formatter
        from web3.datastructures import AttributeDict

        event = Web3().eth.contract(address=Web3.to_checksum_address(POOL), abi=[ABI]).events.Swap()
        runs["json + web3 process_log"] = lambda: [
            event.process_log(AttributeDict(log_entry_formatter(log))) for log in json.loads(body)["result"]
        ]
    for name, run in runs.items():
        print(f"{name:36} {best(run) / count * 1e6:8.2f} us a log")


def pool_days(count: int) -> None:
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
            "price": price,
            "liquidity_tokens": 1e6,
        }
    )

    def ours() -> Any:
        return pool_day.from_minutes(minutes.from_swaps(frame, FACTS, pd.DataFrame()), FACTS, {})

    print(f"{'perp_pipeline (numpy)':36} {best(ours):8.2f} s")
    plain = frame.assign(time=frame["time"].dt.tz_localize(None))
    if find_spec("polars"):
        print(f"{'polars, the sums alone':36} {best(_polars(plain)):8.2f} s")
    if find_spec("duckdb"):
        print(f"{'duckdb, the sums alone':36} {best(_duckdb(plain)):8.2f} s")


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


def main() -> None:
    """Run both."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--logs", type=int, default=7_000)
    parser.add_argument("--swaps", type=int, default=10_000_000)
    asked = parser.parse_args()
    decoding(asked.logs)
    pool_days(asked.swaps)


if __name__ == "__main__":
    main()
