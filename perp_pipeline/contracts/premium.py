"""Premium tables: the public premium index, premiums of funding windows, their precision, the audit."""

from __future__ import annotations

from typing import Final

import pandas as pd

from perp_pipeline.contracts.checks import finite, gap_free, not_negative, ohlc_ordered, on_grid
from perp_pipeline.contracts.model import Column, Contract, RowCheck, Severity
from perp_pipeline.contracts.results import RESULT_CHECKS, estimate_columns

PREMIUM_INTERVALS: Final = {"1m": 1, "5m": 5, "15m": 15, "1h": 60, "4h": 240, "8h": 480}
"""Minutes of the bars of the premium index that may be asked for."""

LARGEST_PREMIUM: Final = 0.5

_FRACTION = "fraction of the index price"
_VENUE = Column("venue", "string", "Lower-case venue name.")
_SYMBOL = Column("symbol", "string", "The venue's symbol.")
_BASE = Column("base", "string", "Asset whose price the contract follows, for example BTC.")
_PERIOD = Column("period", "string", "all, 2021, 2021-02 or 2019-09..2022-06 (both months included)")


def _premium(name: str, doc: str, nullable: bool = False) -> Column:
    return Column(
        name, "float64", doc, _FRACTION, nullable=nullable, low=-LARGEST_PREMIUM, high=LARGEST_PREMIUM
    )


RAW_BINANCE_PREMIUM = Contract(
    name="raw_binance_premium",
    doc=(
        "Bars of the premium index of Binance USD-M perpetuals, the average of which sets the funding "
        "rate: monthly archive files of data.binance.vision, REST for the open month and where there is "
        "no file. A bar has the first, highest, lowest and last value, not the mean."
    ),
    grain="one bar of one symbol and interval",
    key=("symbol", "interval", "open_time"),
    time="open_time",
    # Months before the venue's history, and a venue that refuses.
    may_be_empty=True,
    columns=(
        _SYMBOL,
        Column("interval", "string", "Length of the bar.", values=tuple(PREMIUM_INTERVALS)),
        Column("open_time", "timestamp", "START of the bar."),
        _premium("open", "First value."),
        _premium("high", "Highest value."),
        _premium("low", "Lowest value."),
        _premium("close", "Last value."),
        Column("source_url", "string", "Address that the body came from."),
        Column("download_sha256", "string", "SHA-256 of the body, in hex."),
    ),
    checks=(
        on_grid("open_time", 1 / 60),
        finite("open", "high", "low", "close"),
        ohlc_ordered(Severity.WARN),
        gap_free("open_time", by=("symbol", "interval"), hours=8.0),
    ),
)


def _complete(frame: pd.DataFrame) -> pd.Series:
    return frame["coverage"] >= 1.0 - 1e-9


CORE_PREMIUM = Contract(
    name="core_premium",
    doc=(
        "Premium over the window that sets one funding payment. Binance: the venue's average of samples "
        "every 5 seconds with weights 1 to N, samples taken on the straight line from open to close of the "
        "finest bars of the premium index that the lake has. "
        "Hyperliquid: the premium that it prints beside the rate. BitMEX and others publish none."
    ),
    grain="one funding window of one symbol",
    key=("venue", "symbol", "window_end"),
    time="window_end",
    partition_by=("venue",),
    may_be_empty=True,
    columns=(
        _VENUE,
        _SYMBOL,
        Column("window_end", "timestamp", "End of the window: when its rate became known (announced_at)."),
        _BASE,
        Column("window_hours", "float64", "Length of the window: the payment's interval.", "hours", low=0.0),
        _premium("premium_mean", "Average premium by the venue's weights; compare with the rate."),
        _premium(
            "premium_last", "Last sample; null where the venue prints the average alone.", nullable=True
        ),
        Column("n_samples", "int32", "Bars in the window, or 1 printed average.", "count", low=1),
        Column(
            "sampling_hours",
            "float64",
            "Length of the bars; the window's where the venue averaged itself.",
            "hours",
            low=0.0,
        ),
        Column(
            "coverage",
            "float64",
            "Share of the window that samples cover; nothing is filled.",
            "share",
            low=0.0,
            high=1.0 + 1e-9,
        ),
        Column(
            "se",
            "float64",
            "Standard error of premium_mean as an estimate of the window's level: the closes' scatter "
            "about it, with the autocorrelation that the windows of the month show at the distance of "
            "closes (first-order, corrected for the short window). Null with fewer than 3 bars or "
            "20 windows.",
            _FRACTION,
            nullable=True,
            low=0.0,
        ),
    ),
    checks=(
        finite("premium_mean"),
        not_negative("se"),
        RowCheck(
            "fully_sampled",
            "Samples cover the whole window.",
            _complete,
            "The first or last window of a history, or a hole in it: leave the row out of averages.",
            Severity.WARN,
        ),
        gap_free("window_end", by=("venue", "symbol"), hours=8.0),
    ),
)


def _share_bounded(column: str) -> RowCheck:
    def bounded(frame: pd.DataFrame) -> pd.Series:
        """A share and its interval lie in 0..1; a share explained can be below."""
        low = frame[column].str.startswith("share_explained_").map({True: -1e9, False: 0.0})
        good = ~frame[column].str.startswith("share_")
        found = frame["estimate"].between(low, 1.0)
        for end in ("ci_low", "ci_high"):
            found &= frame[end].isna() | frame[end].between(low, 1.0)
        return good | found

    return RowCheck(
        "share_bounded", "a share and its interval lie in 0..1", bounded, "the estimator is broken"
    )


def _sizes_above_zero(frame: pd.DataFrame) -> pd.Series:
    size = frame["statistic"].str.contains("absolute_error|rms_error")
    return ~size | frame["ci_low"].isna() | (frame["ci_low"] >= 0.0)


OUT_PREMIUM_PRECISION = Contract(
    name="out_premium_precision",
    doc=(
        "How precisely premiums are known, and the map from premium to rate recovered from data. "
        "Quantities: interest, clamp, slope, cap (map of the rate per 8 hours; the premium is regressed on "
        "the rate, which is exact), interest_nls, clamp_nls (least squares of the rate on the premium); "
        "premium_mean, premium_sd (all closes); se_mean (standard error of a window's average, root mean "
        "square), se_mean_independent (were closes independent), autocorrelation (of neighbouring closes "
        "inside windows), n_effective (independent samples a window is worth), n_effective_windows "
        "(independent windows the period is worth); share_inside_fee (closes within 0.2 %), "
        "share_inside_zone (windows in the map's flat zone), half_life_outside_hours; error_{k}h "
        "(root mean square of the premium from bars of k hours less the premium that the published rate "
        "implies off the flat zone), error_1h_close (one close an hour, weights 1 to n), error_1h_flat "
        "(equal weights), error_exponent (power of the bars' length by which the error falls), "
        "error_1min_extrapolated (where that leads at one minute); weight_{k}_of_{n} (weight of the k-th "
        "of n parts of the window in the implied premium, by regression; open and close are noisy measures "
        "of a part's mean, whose weight its neighbours share: at Binance's noise the first weight is 0.03 "
        "too high and the last two are 0.02 too low); share_explained_{k}h_left and "
        "share_explained_instant_{k}h_left (share of the rate's variance that the premium so far, or "
        "the last one, explains through the map k hours before the payment; negative: worse than the mean); "
        "trade_sd (log price from one trade to the next, where trades are in the lake). Of every venue, from "
        "its published rates alone: interest_in_rates (the rate that stands out by the payments that share "
        "it), cap_in_rates (the largest absolute rate, where three payments or more share it), both known to "
        "half a printed digit, with the first and last payment that has it as the window; cap_at_least (the "
        "largest absolute rate: no cap is below it, and no interval is stated). "
        "Where several maps were in force in a period, what depends on the map has a row for each, with the "
        "ending _since_{day}. What claims judge has rows with the ending _lags{k} as well: with k Newey-West "
        "lags. Lags count the windows used (hours for the half-life), at least a month of them where a third "
        "of the sample allows it."
    ),
    grain="one quantity of one venue, base and period",
    key=("venue", "base", "quantity", "period"),
    columns=(
        _VENUE,
        _BASE,
        Column("quantity", "string", "what is estimated; the table's description has the list"),
        _PERIOD,
        Column("symbol", "string", "the contract: the one of this venue and base with the longest history"),
        Column("sampling_hours", "float64", "length of the bars used", "hours", low=0.0),
        *estimate_columns(
            "fraction of the index for premiums, fraction per 8 hours for the map, share, hours, or count",
            what="see quantity",
        ),
    ),
    checks=(*RESULT_CHECKS, _share_bounded("quantity")),
    may_be_empty=True,
)

OUT_FUNDING_AUDIT = Contract(
    name="out_funding_audit",
    doc=(
        "Published funding rates less those recomputed from the public premium by the venue's published "
        "map. Statistics: share_exact (equal to the digits printed), share_exact_off_default (of rates "
        "that are not the default), share_default_agrees (both or neither at the default), mean_error "
        "(recomputed less published), mean_absolute_error, rms_error, p50_absolute_error, "
        "p95_absolute_error, max_absolute_error; on Binance from the average of core_premium, and, with the "
        "endings _close, _flat, _8h, from one close a bar with weights 1 to n, equal weights, and one bar a "
        "window. What claims judge has rows with the ending _lags{k} as well: with k Newey-West lags, in "
        "windows. Intervals of sizes of errors are on the log scale."
    ),
    grain="one statistic of one symbol and period",
    key=("venue", "symbol", "statistic", "period"),
    columns=(
        _VENUE,
        _SYMBOL,
        Column("statistic", "string", "what is estimated; the table's description has the list"),
        _PERIOD,
        _BASE,
        Column("sampling_hours", "float64", "length of the bars used", "hours", low=0.0),
        *estimate_columns("fraction a year for errors, share for shares", what="see statistic"),
    ),
    checks=(
        *RESULT_CHECKS,
        _share_bounded("statistic"),
        RowCheck(
            "sizes_above_zero",
            "intervals of absolute and root mean square errors do not reach below zero",
            _sizes_above_zero,
            "the estimator is broken",
        ),
    ),
    may_be_empty=True,
)

TABLES: tuple[Contract, ...] = (
    RAW_BINANCE_PREMIUM,
    CORE_PREMIUM,
    OUT_PREMIUM_PRECISION,
    OUT_FUNDING_AUDIT,
)
