"""AMM tables decoded from logs: swaps, liquidity events, fee switches, exact flows."""

from __future__ import annotations

from typing import Final

from perp_pipeline.contracts import amm_checks
from perp_pipeline.contracts.amm_raw import BLOCK, CHAIN, DAY, LOG, PARTS, POOL, TIME, TX
from perp_pipeline.contracts.checks import finite, positive
from perp_pipeline.contracts.model import Column, Contract

CORE_AMM_SWAPS = Contract(
    name="core_amm_swaps",
    doc=(
        "Decoded swaps. Amounts are the pool's view: positive came in (fee included), negative went out. "
        "For v2 price and liquidity are those of the reserves after the swap."
    ),
    grain="one swap",
    key=("chain", "pool", "block_number", "log_index"),
    columns=(
        CHAIN,
        POOL,
        BLOCK,
        LOG,
        TIME,
        TX,
        Column("amount0", "uint256", "token0 into the pool, signed, exact", "smallest units"),
        Column("amount1", "uint256", "token1 into the pool, signed, exact", "smallest units"),
        Column(
            "sqrt_price_x96",
            "uint256",
            "square root of token1 per token0 in smallest units, times 2**96, exact",
        ),
        Column("liquidity", "uint256", "liquidity in force after the swap, exact"),
        Column("tick", "int32", "tick after the swap", "ticks", low=-887272, high=887272),
        Column("amount0_tokens", "float64", "amount0", "tokens"),
        Column("amount1_tokens", "float64", "amount1", "tokens"),
        Column(
            "in0_tokens",
            "float64",
            "token0 that came in, gross: what the fee is charged on. More than amount0 where a v2 flash swap "
            "gave the same token back",
            "tokens",
            low=0,
        ),
        Column("in1_tokens", "float64", "token1 that came in, gross", "tokens", low=0),
        Column("price", "float64", "price after the swap", "token1 per token0"),
        Column(
            "liquidity_tokens",
            "float64",
            "liquidity; times sqrt(price) it is token1",
            "sqrt(token0 token1)",
            low=0,
        ),
    ),
    time="time",
    partition_by=PARTS,
    checks=(
        finite("amount0_tokens", "amount1_tokens", "in0_tokens", "in1_tokens", "price", "liquidity_tokens"),
        positive("price"),
        amm_checks.MOVES_TOKENS,
        amm_checks.SIDES_OPPOSITE,
        amm_checks.TICK_MATCHES_PRICE,
        amm_checks.PRICE_PATH,
        amm_checks.AMOUNTS_MATCH_MOVE,
    ),
    may_be_empty=True,
    large=True,
)

CORE_AMM_LIQUIDITY = Contract(
    name="core_amm_liquidity",
    doc=(
        "Decoded liquidity events: mints and burns (liquidity put in and taken out; a v3 burn moves no "
        "tokens), "
        "collects (tokens paid out), flash loans (fees paid in), the protocol's collects."
    ),
    grain="one event",
    key=("chain", "pool", "block_number", "log_index"),
    columns=(
        CHAIN,
        POOL,
        BLOCK,
        LOG,
        TIME,
        TX,
        Column(
            "event",
            "string",
            "kind of event",
            values=("mint", "burn", "collect", "flash", "collect_protocol"),
        ),
        Column(
            "tick_lower",
            "int32",
            "lower tick of the position; null where the event has none",
            "ticks",
            nullable=True,
        ),
        Column(
            "tick_upper",
            "int32",
            "upper tick of the position; null where the event has none",
            "ticks",
            nullable=True,
        ),
        Column(
            "liquidity",
            "uint256",
            "liquidity put in or taken out; null where the event has none",
            nullable=True,
        ),
        Column("amount0", "uint256", "token0 of the event, exact", "smallest units"),
        Column("amount1", "uint256", "token1 of the event, exact", "smallest units"),
        Column(
            "balance0_change",
            "uint256",
            "token0 that the event moved into the pool, signed, exact",
            "smallest units",
        ),
        Column(
            "balance1_change",
            "uint256",
            "token1 that the event moved into the pool, signed, exact",
            "smallest units",
        ),
    ),
    time="time",
    partition_by=PARTS,
    may_be_empty=True,
    large=True,
)

CORE_AMM_FEE_PROTOCOL = Contract(
    name="core_amm_fee_protocol",
    doc=(
        "Switches of the protocol's share of v3 fees (SetFeeProtocol) on the days that the lake has: one "
        "n-th of the fee, 0 for none. What was switched before them shows in raw_amm_days as the share at "
        "the day's beginning. A v2 pair has no such event."
    ),
    grain="one switch",
    key=("chain", "pool", "block_number", "log_index"),
    columns=(
        CHAIN,
        POOL,
        BLOCK,
        LOG,
        TIME,
        Column("old0", "int32", "denominator for token0 before", low=0, high=10),
        Column("old1", "int32", "denominator for token1 before", low=0, high=10),
        Column("new0", "int32", "denominator for token0 from here on", low=0, high=10),
        Column("new1", "int32", "denominator for token1 from here on", low=0, high=10),
    ),
    time="time",
    partition_by=PARTS,
    may_be_empty=True,
)

CORE_AMM_FLOWS = Contract(
    name="core_amm_flows",
    doc=(
        "Exact sums of what swaps and liquidity events moved into a pool, by day, against the change of the "
        "tokens it holds, where the node tells (an archive node with eth_call)."
    ),
    grain="one pool and UTC day with whole logs of both kinds",
    key=("chain", "pool", "day"),
    columns=(
        CHAIN,
        POOL,
        DAY,
        Column("swaps0", "uint256", "token0 that swaps brought in, signed, exact", "smallest units"),
        Column("swaps1", "uint256", "token1 that swaps brought in, signed, exact", "smallest units"),
        Column("liquidity0", "uint256", "token0 that liquidity events brought in, signed", "smallest units"),
        Column("liquidity1", "uint256", "token1 that liquidity events brought in, signed", "smallest units"),
        Column(
            "gap0", "uint256", "balance change less both; null where unknown", "smallest units", nullable=True
        ),
        Column(
            "gap1", "uint256", "balance change less both; null where unknown", "smallest units", nullable=True
        ),
    ),
    time="day",
    partition_by=PARTS,
    checks=(amm_checks.CONSERVED,),
    may_be_empty=True,
)

TABLES: Final = (CORE_AMM_SWAPS, CORE_AMM_LIQUIDITY, CORE_AMM_FEE_PROTOCOL, CORE_AMM_FLOWS)
