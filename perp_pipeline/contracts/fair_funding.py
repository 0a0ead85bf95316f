"""Result table: fair funding, and what longs paid over it."""

from __future__ import annotations

import pandas as pd

from perp_pipeline.contracts.model import Column, Contract, RowCheck
from perp_pipeline.contracts.results import RESULT_CHECKS, estimate_columns

_RATES = ("dtb3", "dff", "usdc_lending", "usdc_borrowing", "lending", "cme", "delivery")
_MECHANISMS = ("perp", "delivery", "gehr", "shiller")
_SPREADS = (
    *("delivery", "delivery_abs", "delivery_night"),
    *("perp", "perp_abs", "perp_night"),
    *("abs_perp_less_delivery", "abs_night_perp_less_delivery", "last_trade"),
    *("perp_any", "perp_any_abs"),
)

METHODS = (
    *(f"fair_{name}" for name in _RATES),
    *(f"excess_over_{name}" for name in _RATES),
    *(f"long_cost_{name}" for name in _MECHANISMS),
    *(f"long_cost_perp_less_{name}" for name in _MECHANISMS[1:]),
    *("lock_in", "realised", "lock_in_less_realised"),
    *(f"terminal_spread_{name}" for name in _SPREADS),
)


def _absolute_not_negative(frame: pd.DataFrame) -> pd.Series:
    return ~frame["method"].str.endswith("_abs") | (frame["estimate"] >= 0)


OUT_FAIR_FUNDING = Contract(
    name="out_fair_funding",
    doc=(
        "Fair funding and what longs paid over it. fair_X: mean of a fair rate (dtb3, dff: dollar rates; "
        "usdc_lending, usdc_borrowing: USDC on Compound and Aave; lending: USDC less the asset's own "
        "lending rate; cme: implied by the CME curve; delivery: implied by Binance's dated futures, from "
        "14 days before delivery on). excess_over_X: mean daily funding less that rate; where the asset's "
        "own lending rate is left out (dtb3, dff, usdc) the true excess is at least this. long_cost_X: "
        "what a long pays a year over the holder of the asset on the same price path, "
        "long_cost_perp_less_X the difference; gehr and shiller with the three-month bill as the rate. "
        "lock_in, realised: dated futures held from one delivery to the next, and the perpetual over the "
        "same days. terminal_spread_X: future (delivery) and perpetual (perp) over spot at 07:00, an hour "
        "before delivery, when the average that it is made at begins; _abs: mean absolute spread at the "
        "hours' ends from 00:00 to 07:00, _night: their signed mean; abs_perp_less_delivery and "
        "abs_night_perp_less_delivery: the perpetual's size less the future's; last_trade: the future's "
        "last trade against spot at delivery, which the average moves apart; perp_any: the perpetual every "
        "8 hours. Means over deliveries have Student's t intervals from 5 deliveries on and hac_lags 0, the "
        "others Newey-West."
    ),
    grain="one method of one base, venue and period",
    key=("base", "venue", "method", "period"),
    columns=(
        Column("base", "string", "asset that the contract follows (BTC, ETH)"),
        Column("venue", "string", "venue of the funding; all where no venue's funding enters"),
        Column("method", "string", "what is estimated; the table's description says", values=METHODS),
        Column("period", "string", "all, 2021, 2021-02 or 2019-09..2022-06 (both months included)"),
        Column("symbol", "string", "the contract: the one of this venue and base with the longest history"),
        *estimate_columns("fraction a year; fraction of spot for terminal_spread", what="see method"),
    ),
    checks=(
        *RESULT_CHECKS,
        RowCheck(
            "absolute_not_negative",
            "means of absolute values are not below zero",
            _absolute_not_negative,
            "the estimator is broken",
        ),
    ),
    may_be_empty=True,
)

TABLES: tuple[Contract, ...] = (OUT_FAIR_FUNDING,)
