"""The AMM chapter: which table is built from what."""

from __future__ import annotations

from perp_pipeline import contracts
from perp_pipeline.amm import build
from perp_pipeline.amm.second_opinion import core_amm_second_opinion
from perp_pipeline.steps import Input, Step

# The pool's constants, and the protocol's switches, hold beyond their month.
_DAYS = Input("raw_amm_days", whole=True, optional=True, beside=True)
_BLOCK = "block_number"
_NAMES = ("tx_hash", "sqrt_price_x96", "liquidity")
_EXACT = (*_NAMES, "amount0", "amount1")
_LOGS = (Input("raw_eth_logs", optional=True), _DAYS)

AMM = (
    Step(contracts.get("core_amm_swaps"), build.core_amm_swaps, _LOGS, chapter="amm", apart=_BLOCK),
    Step(contracts.get("core_amm_liquidity"), build.core_amm_liquidity, _LOGS, chapter="amm", apart=_BLOCK),
    Step(
        contracts.get("core_amm_fee_protocol"),
        build.core_amm_fee_protocol,
        _LOGS,
        chapter="amm",
        apart=_BLOCK,
    ),
    Step(
        contracts.get("core_amm_flows"),
        build.core_amm_flows,
        (
            Input("core_amm_swaps", optional=True, without=_NAMES),
            Input("core_amm_liquidity", optional=True),
            # The balance before the first day is that of the last day of the month before.
            Input("raw_amm_days", before=1, optional=True, beside=True),
        ),
        chapter="amm",
    ),
    Step(
        contracts.get("core_amm_minutes"),
        build.core_amm_minutes,
        (
            Input("core_amm_swaps", optional=True, without=_EXACT),
            Input("raw_amm_minutes", optional=True),
            Input("core_amm_fee_protocol", whole=True, optional=True, beside=True),
            _DAYS,
        ),
        chapter="amm",
    ),
    Step(
        contracts.get("core_amm_price_1h"),
        build.core_amm_price_1h,
        (Input("core_amm_minutes", optional=True),),
        chapter="amm",
    ),
    Step(
        contracts.get("core_amm_pool_day"),
        build.core_amm_pool_day,
        (
            # The first day's variance and first v2 flow start at the last price of the month before.
            Input("core_amm_minutes", before=1, optional=True),
            Input("raw_amm_snapshots", before=1, optional=True),
            _DAYS,
            # Days of the month before are built as context, and the first of them starts at a bar before it.
            Input("core_spot_1h", before=2, after=1, optional=True, beside=True),
        ),
        chapter="amm",
    ),
    Step(
        contracts.get("core_amm_marks"),
        build.core_amm_marks,
        (
            # A mark of seven days reaches into the month after.
            Input("core_amm_swaps", after=1, optional=True, without=_EXACT),
            Input("core_amm_minutes", after=1, optional=True),
            Input("core_amm_pool_day", after=1, optional=True),
            _DAYS,
            Input("core_spot_1h", before=1, after=1, optional=True, beside=True),
        ),
        chapter="amm",
    ),
    Step(
        contracts.get("core_amm_second_opinion"),
        core_amm_second_opinion,
        (Input("raw_subgraph_swaps", optional=True), Input("core_amm_swaps", optional=True, beside=True)),
        chapter="amm",
    ),
)
"""Steps of the chapter, each after what it reads."""
