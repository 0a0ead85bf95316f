"""AMM tables of the second route: swaps as the subgraph states them, and how they agree with the logs."""

from __future__ import annotations

from typing import Final

import pandas as pd

from perp_pipeline.contracts.amm_raw import BLOCK, CHAIN, DAY, LOG, PARTS, POOL, TX
from perp_pipeline.contracts.checks import finite, positive
from perp_pipeline.contracts.model import Column, Contract, RowCheck, Severity

RAW_SUBGRAPH_SWAPS = Contract(
    name="raw_subgraph_swaps",
    doc=(
        "Swaps of v3 pools as the Uniswap subgraph on The Graph states them, where PERP_GRAPH_KEY is set. "
        "The liquidity in force is not among what it states."
    ),
    grain="one swap",
    key=("chain", "pool", "block_number", "log_index"),
    large=True,
    columns=(
        CHAIN,
        POOL,
        BLOCK,
        LOG,
        Column("time", "timestamp", "block time"),
        TX,
        Column("amount0", "uint256", "token0 into the pool, signed, exact", "smallest units"),
        Column("amount1", "uint256", "token1 into the pool, signed, exact", "smallest units"),
        Column(
            "sqrt_price_x96", "uint256", "square root of token1 per token0 in smallest units, times 2**96"
        ),
        Column("tick", "int32", "tick after the swap", "ticks", low=-887272, high=887272),
        Column("decimals0", "int32", "decimals of token0", low=0, high=36),
        Column("decimals1", "int32", "decimals of token1", low=0, high=36),
        Column("source_url", "string", "where the row came from (without the key)"),
        Column("download_sha256", "string", "digest of the body it came from"),
    ),
    time="time",
    partition_by=PARTS,
)


def _agrees(frame: pd.DataFrame) -> pd.Series:
    differences = frame[["missing", "extra", "differing"]]
    return (differences.isna() | (differences == 0)).all(axis=1)


ROUTES_AGREE = RowCheck(
    "routes_agree",
    "The subgraph and the logs have the same swaps with the same amounts and prices.",
    _agrees,
    "One route left swaps out, or the subgraph was made anew: forget the day's bodies and ask both again.",
    Severity.WARN,
)

CORE_AMM_SECOND_OPINION = Contract(
    name="core_amm_second_opinion",
    doc=(
        "Pool-days by the subgraph's swaps alone, and swap by swap against the logs where the lake has both. "
        "profit_bp needs no price from outside: it counts in token1 and is before the protocol's share. "
        "Convexity by formula is not here: the subgraph does not state the liquidity in force."
    ),
    grain="one pool and UTC day with swaps in the subgraph",
    key=("chain", "pool", "day"),
    columns=(
        CHAIN,
        POOL,
        DAY,
        Column("n_swaps", "int64", "swaps in the subgraph", low=1),
        Column("net0", "float64", "token0 that swaps brought in, net (fees inside)", "tokens"),
        Column("net1", "float64", "token1 that swaps brought in, net (fees inside)", "tokens"),
        Column("volume1", "float64", "one side's volume at the price of each swap", "token1", low=0),
        Column("price_end", "float64", "pool price after the day's last swap", "token1 per token0"),
        Column(
            "profit_bp",
            "float64",
            "(net0 price_end + net1) / volume1; null on a day without volume",
            "basis points of volume",
            nullable=True,
        ),
        Column("n_swaps_logs", "int64", "swaps in core_amm_swaps; null without logs", nullable=True, low=0),
        Column("missing", "int64", "swaps of the logs that the subgraph lacks", nullable=True, low=0),
        Column("extra", "int64", "swaps of the subgraph that the logs lack", nullable=True, low=0),
        Column("differing", "int64", "swaps of both with another amount or price", nullable=True, low=0),
    ),
    time="day",
    partition_by=PARTS,
    checks=(finite("net0", "net1", "volume1"), positive("price_end"), ROUTES_AGREE),
    may_be_empty=True,
)

TABLES: Final = (RAW_SUBGRAPH_SWAPS, CORE_AMM_SECOND_OPINION)
