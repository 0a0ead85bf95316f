"""Logs and pools of known numbers, encoded with plain Python integers."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pandas as pd

from perp_pipeline.amm.pools import PoolFacts
from perp_pipeline.sources.evm_events import V2, V3

POOL = "0x" + "ab" * 20
TOPICS = {("v3", event.name): event.topic0 for event in V3} | {
    ("v2", event.name): event.topic0 for event in V2
}
ADDRESS_WORD = "0x" + "0" * 24 + "cd" * 20


def word(value: int) -> str:
    """One ABI word, two's complement, without prefix."""
    return format(value % 2**256, "064x")


def log(block: int, index: int, topics: list[str], values: list[int], **more: Any) -> dict[str, Any]:
    """One log as a node sends it."""
    return {
        "address": POOL,
        "topics": topics,
        "data": "0x" + "".join(word(value) for value in values),
        "blockNumber": hex(block),
        "transactionHash": "0x" + format(block, "064x"),
        "transactionIndex": "0x0",
        "blockHash": "0x" + "0" * 64,
        "logIndex": hex(index),
        "removed": False,
    } | more


def v3_swap(block: int, index: int, values: list[int]) -> dict[str, Any]:
    """A v3 swap log of amount0, amount1, sqrtPriceX96, liquidity, tick."""
    return log(block, index, [TOPICS["v3", "swap"], ADDRESS_WORD, ADDRESS_WORD], values)


def raw_frame(logs: list[dict[str, Any]], start: str = "2024-01-05", seconds: int = 12) -> pd.DataFrame:
    """Logs as rows of raw_eth_logs, a block every ``seconds`` from ``start``, block 0 first."""
    topics = [entry["topics"] + [None] * (4 - len(entry["topics"])) for entry in logs]
    blocks = [int(entry["blockNumber"], 16) for entry in logs]
    return pd.DataFrame(
        {
            "chain": "ethereum",
            "pool": POOL,
            "block_number": blocks,
            "log_index": [int(entry["logIndex"], 16) for entry in logs],
            "time": pd.Timestamp(start, tz="UTC") + pd.to_timedelta(np.array(blocks) * seconds, unit="s"),
            "tx_hash": [entry["transactionHash"] for entry in logs],
            **{f"topic{place}": pd.array([t[place] for t in topics], dtype="str") for place in range(4)},
            "data": [entry["data"] for entry in logs],
        }
    )


def facts(protocol: str = "uniswap_v3", **changes: Any) -> PoolFacts:
    """Constants of a USDC-WETH pool of 5 bp, changed as asked."""
    values: dict[str, Any] = {
        "chain": "ethereum",
        "pool": POOL,
        "protocol": protocol,
        "token0": "USDC",
        "token1": "WETH",
        "decimals0": 6,
        "decimals1": 18,
        "tracks0": "USD",
        "tracks1": "ETH",
        "fee_pips": 500,
    }
    return PoolFacts(**(values | changes))


def constant_liquidity_swaps(
    n: int, *, seed: int = 1, liquidity: float = 1e6, days: int = 1, pool: PoolFacts | None = None
) -> pd.DataFrame:
    """Swaps of a pool of constant liquidity whose price walks at random, as rows of core_amm_swaps.

    Amounts follow from the move of the square root of the price, and the fee on top of what comes in
    (Uniswap v3 whitepaper, 6.2): 1e6 of liquidity in sqrt(token0 token1).
    """
    pool = pool or facts()
    generator = np.random.default_rng(seed)
    root = math.sqrt(1 / 2000.0) * np.exp(np.cumsum(generator.normal(0, 2e-4, n + 1)))
    d0 = liquidity * (1 / root[1:] - 1 / root[:-1])
    d1 = liquidity * (root[1:] - root[:-1])
    gross = 1 / (1 - pool.fee)
    price = root[1:] ** 2
    seconds = np.linspace(0, days * 86400 - 1, n)
    return pd.DataFrame(
        {
            "chain": pool.chain,
            "pool": pool.pool,
            "block_number": np.arange(n),
            "log_index": 0,
            "time": pd.Timestamp("2024-01-05", tz="UTC") + pd.to_timedelta(seconds, unit="s"),
            "amount0_tokens": np.where(d0 > 0, d0 * gross, d0),
            "amount1_tokens": np.where(d1 > 0, d1 * gross, d1),
            "in0_tokens": np.where(d0 > 0, d0 * gross, 0.0),
            "in1_tokens": np.where(d1 > 0, d1 * gross, 0.0),
            "price": price,
            "liquidity_tokens": liquidity,
            "liquidity": "1",
            "tick": np.floor(np.log(price * 1e12) / math.log(1.0001)).astype(int),
        }
    )


NO_SWITCHES = pd.DataFrame(
    {name: pd.Series(dtype="int64") for name in ("block_number", "log_index", "old0", "old1", "new0", "new1")}
    | {"time": pd.Series(dtype="datetime64[us, UTC]")}
)
