"""Result tables on what positions pay and earn: quanto contracts, funding after gains, sides."""

from __future__ import annotations

from typing import Final

import numpy as np
import pandas as pd

from perp_pipeline.contracts.model import Column, Contract, RowCheck, Severity
from perp_pipeline.contracts.results import RESULT_CHECKS, estimate_columns

_PERIOD = Column("period", "string", "all, 2021, 2021-02 or 2019-09..2022-06 (both months included)")
_VENUE = Column("venue", "string", "venue of the rate")
_BASE = Column("base", "string", "asset that the contract follows (BTC, ETH)")
_SYMBOL = Column("symbol", "string", "the venue's own symbol")

QUANTO_QUANTITIES: Final = (
    "asset_return",
    "perp_return",
    "difference",
    "covariance",
    "product_of_means",
    "vol_base",
    "vol_margin",
    "corr",
)
QUANTO_JUDGED: Final = (
    "asset_return",
    "perp_return",
    "difference",
    "covariance",
    "funding",
    "net_funding",
    "vol_base",
    "vol_margin",
    "corr",
)
"""What claims judge of quanto contracts: told with other bandwidths as well."""
_PAYMENT_LAGS: Final = (90, 180, 360, 750)
"""30, 60, 120 and 250 days in windows of 8 hours."""
_DAY_LAGS: Final = (30, 60, 120, 250)


def _corr_bounded(frame: pd.DataFrame) -> pd.Series:
    return ~frame["quantity"].str.startswith("corr") | frame["estimate"].abs().le(1.0 + 1e-12)


def _identity(frame: pd.DataFrame) -> pd.Series:
    """perp_return = asset_return + covariance + product_of_means, arithmetic, wherever all are there."""
    by = ["symbol", "frequency", "period"]
    parts = frame[frame["quantity"].isin(["asset_return", "perp_return", "covariance", "product_of_means"])]
    wide = parts.set_index([*by, "quantity"])["estimate"].unstack("quantity")
    if wide.empty or wide.shape[1] < 4:
        return pd.Series(True, index=frame.index)
    gap = wide["perp_return"] - wide["asset_return"] - wide["covariance"] - wide["product_of_means"]
    good = (gap.abs() <= 1e-9) | gap.isna()
    checked = frame["quantity"] == "perp_return"
    at = pd.MultiIndex.from_frame(frame[by])
    return ~checked | pd.Series(good.reindex(at).fillna(True).to_numpy(dtype=bool), index=frame.index)


OUT_QUANTO = Contract(
    name="out_quanto",
    doc=(
        "Quanto perpetuals (BitMEX ETHUSD: dollar price, paid in bitcoin). Dollar return rE (1 + rB); "
        "difference = perp_return - asset_return = covariance + product_of_means; net_funding = funding - "
        "covariance over the windows that have both. Frequencies 8h and daily use spot prices, 8h_perp "
        "and daily_perp the venue's traded prices, 8h_paid its prices at the payments; positions are "
        "rebalanced at the frequency. Quantities ending in _log are of log returns, the others of simple "
        "returns. linear_minus_inverse: funding of the venue's linear contract (symbol) less that of its "
        "inverse one. The interval of product_of_means is that of a product of two means near zero, not so "
        "many se to either side. ..._lags180: at frequency 8h, with 180 Newey-West lags. "
        "Periods hold the windows that start in them; one of them holds the full months that all price "
        "sources of the contract cover."
    ),
    grain="one quantity of one symbol, frequency and period",
    key=("symbol", "frequency", "quantity", "period"),
    columns=(
        _SYMBOL,
        Column(
            "frequency",
            "string",
            "length of a window, and the prices",
            values=("8h", "daily", "8h_perp", "daily_perp", "8h_paid"),
        ),
        Column(
            "quantity",
            "string",
            "what is estimated; the table's description has the definitions",
            values=(
                *QUANTO_QUANTITIES,
                *(f"{name}_log" for name in QUANTO_QUANTITIES),
                "funding",
                "net_funding",
                "linear_minus_inverse",
                *(f"{name}_lags{lags}" for name in QUANTO_JUDGED for lags in _PAYMENT_LAGS),
            ),
        ),
        _PERIOD,
        _VENUE,
        _BASE,
        *estimate_columns("fraction a year; 1 for corr", what="see quantity"),
        Column(
            "n_kept_out",
            "int64",
            "prices of the period that were zero, negative or stood still, and did not enter",
            "count",
            low=0,
        ),
    ),
    checks=(
        *RESULT_CHECKS,
        RowCheck("corr_bounded", "a correlation lies in -1..1", _corr_bounded, "the estimator is broken"),
        RowCheck(
            "mean_of_product",
            "perp return = asset return + covariance + product of means",
            _identity,
            "returns of different windows were mixed",
        ),
        RowCheck(
            "few_kept_out",
            "fewer than 1 % of the prices were kept out",
            lambda frame: frame["n_kept_out"] <= 0.01 * frame["n"],
            "a bad price source: look at the rows that were dropped",
            Severity.WARN,
        ),
    ),
    may_be_empty=True,
)


def _share_bounded(frame: pd.DataFrame, column: str) -> pd.Series:
    share = frame[column].str.contains("share", regex=False)
    inside = frame["estimate"].between(-1e-12, 1.0 + 1e-12)
    missing = frame["ci_low"].isna()
    return ~share | (inside & (missing | ((frame["ci_low"] >= -1e-12) & (frame["ci_high"] <= 1.0 + 1e-12))))


OUT_HOUSE_MONEY = Contract(
    name="out_house_money",
    doc=(
        "Daily funding after gains and losses. past_return_{7, 30, 90}d: mean funding by decile (d01 "
        "lowest) of the spot return over the days before, deciles of the period; drawdown_365d: by how "
        "far the day begins below the highest price of the year before; all/mean: mean funding; "
        "share_above_50pct, share_above_default, share_negative: shares of the days. Intervals of means in a "
        "decile or drawdown are longer on the side that the skewness of their error asks for."
    ),
    grain="one bucket of one symbol and period",
    key=("venue", "symbol", "bucket_kind", "bucket", "period"),
    columns=(
        _VENUE,
        _SYMBOL,
        Column(
            "bucket_kind",
            "string",
            "what the days are sorted by, or the share",
            values=(
                "all",
                "share_above_50pct",
                "share_above_default",
                "share_negative",
                "past_return_7d",
                "past_return_30d",
                "past_return_90d",
                "drawdown_365d",
            ),
        ),
        Column("bucket", "string", "d01 to d10, d10_minus_d01; 0_5pct to over_60pct; mean; all"),
        _PERIOD,
        _BASE,
        *estimate_columns("fraction a year; share of the days for share_...", what="mean funding, or share"),
    ),
    checks=(
        *RESULT_CHECKS,
        RowCheck(
            "share_bounded",
            "a share and its interval lie in 0..1",
            lambda frame: _share_bounded(frame, "bucket_kind"),
            "the estimator is broken",
        ),
    ),
    may_be_empty=True,
)

OUT_SIDES = Contract(
    name="out_sides",
    doc=(
        "Which side pays. share_default: payments of exactly 0.01 % per 8 hours, pro rata; "
        "share_above_default, share_below_default: the other payments; share_negative: longs are paid. "
        "premium_sd: standard deviation of the mean premium of a window; price_gap_sd: of the perpetual's "
        "price over spot less 1, at payments (the price of core_funding_payments, against the median of the "
        "spot exchanges in the contract's currency) or, where a declared file has both prices, at the hours' "
        "ends. volume_change, locked_value_change: mean of the year after the venue's rewards ended over "
        "that of the year before, less 1. share_long: longs' part of the "
        "open interest, daily; lp_share_long: that of the liquidity providers, the other side of all "
        "traders; share_days_long: days on which share_long is above one half. ..._lags60: with 60 "
        "Newey-West lags."
    ),
    grain="one quantity of one venue, base and period",
    key=("venue", "base", "quantity", "period"),
    columns=(
        _VENUE,
        Column("base", "string", "asset that the contract follows; all where the source adds up all assets"),
        Column(
            "quantity",
            "string",
            "what is estimated",
            values=(
                "share_default",
                "share_above_default",
                "share_below_default",
                "share_negative",
                "premium_sd",
                "price_gap_sd",
                "volume_change",
                "locked_value_change",
                "share_long",
                "lp_share_long",
                "share_days_long",
                *(f"{name}_lags{lags}" for name in ("share_long", "lp_share_long") for lags in _DAY_LAGS),
            ),
        ),
        _PERIOD,
        Column("symbol", "string", "the contract: the one of this venue and base with the longest history"),
        *estimate_columns("share; fraction for premium_sd, price_gap_sd and changes", what="see quantity"),
    ),
    checks=(
        *RESULT_CHECKS,
        RowCheck(
            "share_bounded",
            "a share and its interval lie in 0..1",
            lambda frame: _share_bounded(frame, "quantity"),
            "the estimator is broken",
        ),
        RowCheck(
            "not_below_nothing",
            "a standard deviation is not below 0, a fall not below -1",
            lambda frame: frame["estimate"] >= np.where(frame["quantity"].str.endswith("_change"), -1.0, 0.0),
            "the estimator is broken",
        ),
    ),
    may_be_empty=True,
)

TABLES: Final = (OUT_QUANTO, OUT_HOUSE_MONEY, OUT_SIDES)
