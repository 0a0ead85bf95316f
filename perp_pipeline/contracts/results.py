"""Result tables: averages, venue differences and the claims register."""

from __future__ import annotations

from typing import Final

import pandas as pd

from perp_pipeline.contracts.model import Column, Contract, RowCheck

VERDICTS: Final = ("holds", "fails", "weak", "arithmetic", "wrong as stated", "no data")
"""Every verdict a claim can get; the rule is in :mod:`perp_pipeline.research.claims.model`."""

N_CLAIMS: Final = 57

_ROUNDING = 1e-12


def estimate_columns(
    unit: str, *, what: str, lags: bool = True, low: float | None = None
) -> tuple[Column, ...]:
    """The columns every result table ends with: estimate, error, interval, sample and window.

    Args:
        unit: unit of the estimate, its error and its interval.
        what: what the estimate is, in a few words.
        lags: the standard error is Newey-West and its lags are stated.
        low: lower bound of the estimate.
    """
    columns = (
        Column("estimate", "float64", what, unit, low=low),
        Column(
            "se",
            "float64",
            "standard error; null where there are too few observations",
            unit,
            nullable=True,
            low=0.0,
        ),
        Column("ci_low", "float64", "lower end of the 95 % interval", unit, nullable=True),
        Column("ci_high", "float64", "upper end of the 95 % interval", unit, nullable=True),
        Column("n", "int64", "observations used", "count", low=1),
        Column("window_start", "timestamp", "first observation used"),
        Column("window_end", "timestamp", "last observation used"),
    )
    if not lags:
        return columns
    return (
        *columns,
        Column("hac_lags", "int32", "Bartlett lags of the Newey-West error", "observations", low=0),
    )


def interval_holds_estimate(frame: pd.DataFrame) -> pd.Series:
    """True where ci_low <= estimate <= ci_high, or where there is no interval."""
    missing = frame["ci_low"].isna() & frame["ci_high"].isna()
    inside = (frame["ci_low"] <= frame["estimate"] + _ROUNDING) & (
        frame["estimate"] <= frame["ci_high"] + _ROUNDING
    )
    return missing | inside


def window_runs_forward(frame: pd.DataFrame) -> pd.Series:
    """True where window_start <= window_end, or where there is no window."""
    return frame["window_start"].isna() | (frame["window_start"] <= frame["window_end"])


def _error_complete(frame: pd.DataFrame) -> pd.Series:
    """se, ci_low and ci_high are all there or all missing."""
    present = frame[["se", "ci_low", "ci_high"]].notna().sum(axis=1)
    return present.isin([0, 3])


RESULT_CHECKS: Final = (
    RowCheck(
        "interval_holds_estimate",
        "ci_low <= estimate <= ci_high",
        interval_holds_estimate,
        "the estimator is broken: an interval that misses its own estimate must not be published",
    ),
    RowCheck(
        "error_complete",
        "se, ci_low and ci_high are given together",
        _error_complete,
        "the builder must give all three or none",
    ),
    RowCheck(
        "window_runs_forward",
        "window_start <= window_end",
        window_runs_forward,
        "the builder's input is not sorted by time",
    ),
)


def _period(doc: str = "all, 2021, 2021-02 or 2019-09..2022-06 (both months included)") -> Column:
    return Column("period", "string", doc)


_VENUE = Column("venue", "string", "venue of the rate; cme for implied rates")
_SYMBOL = Column("symbol", "string", "the venue's own symbol; the product for cme")
_METHOD = Column("method", "string", "funding, or the method of the CME-implied rate (core_cme_implied)")
_BASE = Column("base", "string", "asset that the contract follows (BTC, ETH)")

_SHAPE = (
    Column(
        "share_negative", "float64", "share of the days whose rate is below zero", "share", low=0.0, high=1.0
    ),
    Column(
        "share_default",
        "float64",
        "share of the payments that are exactly 0.0001 per 8 hours (pro rata by interval); null for cme",
        "share",
        nullable=True,
        low=0.0,
        high=1.0,
    ),
    Column(
        "skew",
        "float64",
        "moment skewness m3 / m2^1.5 of the daily rates; null where they do not vary",
        "1",
        nullable=True,
    ),
    Column(
        "coverage",
        "float64",
        "days used over the calendar days from window_start to window_end (about 0.69 for cme: trading days)",
        "share",
        low=0.0,
        high=1.0,
    ),
)

OUT_FUNDING_AVERAGES = Contract(
    name="out_funding_averages",
    doc=(
        "Average funding and CME-implied rates by venue, symbol and period, simple annual, as means over "
        "days. Only days whose funding is complete count; gaps are closed up, not filled. Errors are "
        "Newey-West with fixed-b intervals."
    ),
    grain="one venue, symbol, method and period",
    key=("venue", "symbol", "method", "period"),
    columns=(
        _VENUE,
        _SYMBOL,
        _METHOD,
        _period(),
        _BASE,
        *estimate_columns("fraction a year", what="mean of the daily rates, simple annual"),
        *_SHAPE,
    ),
    checks=RESULT_CHECKS,
)

OUT_FUNDING_MONTHLY = Contract(
    name="out_funding_monthly",
    doc=(
        "Average funding and CME-implied rates by calendar month, simple annual: the series behind the "
        "monthly figure. Errors are Newey-West within the month."
    ),
    grain="one venue, symbol, method and month",
    key=("venue", "symbol", "method", "month"),
    columns=(
        _VENUE,
        _SYMBOL,
        _METHOD,
        Column("month", "string", "UTC calendar month, YYYY-MM"),
        _BASE,
        *estimate_columns("fraction a year", what="mean of the daily rates of the month, simple annual"),
        *_SHAPE,
    ),
    checks=RESULT_CHECKS,
)


def _ordered_pair(frame: pd.DataFrame) -> pd.Series:
    """The first side sorts before the second, so that no pair is there twice."""
    first = frame["venue_a"] + "\t" + frame["symbol_a"] + "\t" + frame["method_a"]
    second = frame["venue_b"] + "\t" + frame["symbol_b"] + "\t" + frame["method_b"]
    return first < second


def _one_headline(frame: pd.DataFrame) -> pd.Series:
    """A headline row is the only one of its venues, base and period."""
    repeated = frame.duplicated(["venue_a", "venue_b", "base", "period", "headline"], keep=False)
    return ~(frame["headline"].astype(bool) & repeated)


OUT_VENUE_SPREADS = Contract(
    name="out_venue_spreads",
    doc=(
        "How far the rates of two venues lie apart on the days that both have: side a minus side b. A venue "
        "can have several contracts on one base and several CME methods; rows with headline = true are one "
        "per pair of venues, base and period: each venue's contract with the longest history, and "
        "calendar_x12 (the essay's method) for cme."
    ),
    grain="one pair of series on the same base, and a period",
    key=("venue_a", "venue_b", "base", "period", "symbol_a", "symbol_b", "method_a", "method_b"),
    columns=(
        Column("venue_a", "string", "venue of side a"),
        Column("venue_b", "string", "venue of side b"),
        _BASE,
        _period(),
        Column("symbol_a", "string", "side a's own symbol"),
        Column("symbol_b", "string", "side b's own symbol"),
        Column("method_a", "string", "funding, or side a's CME method"),
        Column("method_b", "string", "funding, or side b's CME method"),
        Column("headline", "bool", "the row that stands for this pair of venues"),
        *estimate_columns("fraction a year", what="mean of rate a minus rate b over the common days"),
        Column(
            "correlation",
            "float64",
            "correlation of the daily rates; null where one side does not vary",
            "1",
            nullable=True,
            low=-1.0,
            high=1.0,
        ),
        Column(
            "gap_p95",
            "float64",
            "95th percentile of the absolute daily difference",
            "fraction a year",
            low=0.0,
        ),
        Column("gap_mean", "float64", "mean absolute daily difference", "fraction a year", low=0.0),
    ),
    checks=(
        *RESULT_CHECKS,
        RowCheck(
            "ordered_pair", "a pair is there once, in order", _ordered_pair, "fix the builder's pairing"
        ),
        RowCheck(
            "one_headline", "one headline row per venues, base and period", _one_headline, "fix the rule"
        ),
    ),
    may_be_empty=True,
)


OUT_VENUE_SPREADS_MONTHLY = Contract(
    name="out_venue_spreads_monthly",
    doc=(
        "The headline pairs of out_venue_spreads by calendar month: the mean difference on the days of the "
        "month that both venues have, the series behind the figure of monthly differences. Errors are "
        "Newey-West within the month."
    ),
    grain="one pair of venues, base and month",
    key=("venue_a", "venue_b", "base", "month"),
    columns=(
        Column("venue_a", "string", "venue of side a"),
        Column("venue_b", "string", "venue of side b"),
        _BASE,
        Column("month", "string", "UTC calendar month, YYYY-MM"),
        Column("symbol_a", "string", "side a's own symbol"),
        Column("symbol_b", "string", "side b's own symbol"),
        Column("method_a", "string", "funding, or side a's CME method"),
        Column("method_b", "string", "funding, or side b's CME method"),
        *estimate_columns("fraction a year", what="mean of rate a minus rate b over the month's common days"),
    ),
    checks=(
        *RESULT_CHECKS,
        RowCheck(
            "ordered_pair", "a pair is there once, in order", _ordered_pair, "fix the builder's pairing"
        ),
    ),
    may_be_empty=True,
)


def _known_claim(frame: pd.DataFrame) -> pd.Series:
    return frame["claim_id"].between(1, N_CLAIMS)


def _register_complete(frame: pd.DataFrame) -> pd.Series:
    """Every claim is there exactly once; a register with a hole or a repeat fails as a whole."""
    complete = sorted(frame["claim_id"]) == list(range(1, N_CLAIMS + 1))
    return pd.Series(complete, index=frame.index)


def _reason_given(frame: pd.DataFrame) -> pd.Series:
    return frame["reason"].str.strip() != ""


def _no_data_has_no_estimate(frame: pd.DataFrame) -> pd.Series:
    """A verdict that rests on data has an estimate; ``no data`` rests on none unless parts are only shown."""
    return (frame["verdict"] == "no data") | frame["estimate"].notna()


LAG_COLUMNS: Final = (
    Column(
        "hac_lags",
        "int32",
        "Bartlett lags of the Newey-West error; null where the error is of another kind, or there is none",
        "lag_unit",
        nullable=True,
        low=0,
    ),
    Column(
        "lag_unit",
        "string",
        "what one lag is: a day, a trading day, 8 hours, a payment, a window, an hour, a month",
        nullable=True,
    ),
)
"""Lags of the numbers of claims, whose series are of several kinds."""

OUT_CLAIMS = Contract(
    name="out_claims",
    doc=(
        "Every quantitative claim of the essays: what was published, what the data say, and the verdict that "
        "follows. Verdicts: holds (published value inside the interval, or the interval on the published "
        "side), fails (outside), weak (agrees, but the interval spans zero or the published bound), "
        "arithmetic (an exact identity, checked), wrong as stated (the text contradicts itself), no data "
        "(reason says what is missing). A claim of several published numbers gets the verdict of the worst "
        "(decided_by), and is weak at best where some of them cannot be judged; reason lists them."
    ),
    grain="one claim",
    key=("claim_id",),
    columns=(
        Column("claim_id", "int32", "number of the claim, 1 to 57", low=1, high=N_CLAIMS),
        Column("source", "string", "text that makes the claim: A, B, C19, C22, C24a, C24b, C24c"),
        Column("statement", "string", "the claim in one sentence"),
        Column("published", "string", "the published value, as text"),
        Column("unit", "string", "unit of estimate, se and interval"),
        Column(
            "estimate",
            "float64",
            "our value of the claim's first published number; see unit",
            "see unit",
            nullable=True,
        ),
        Column(
            "se", "float64", "standard error; 0 where the value is exact", "see unit", nullable=True, low=0.0
        ),
        Column("ci_low", "float64", "lower end of the 95 % interval", "see unit", nullable=True),
        Column("ci_high", "float64", "upper end of the 95 % interval", "see unit", nullable=True),
        Column("n", "int64", "observations used; 0 for calculators and missing data", "count", low=0),
        Column("window_start", "timestamp", "first observation used", nullable=True),
        Column("window_end", "timestamp", "last observation used", nullable=True),
        *LAG_COLUMNS,
        Column("verdict", "string", "the computed verdict", values=VERDICTS),
        Column(
            "decided_by",
            "string",
            "label of the number that the verdict comes from, or how many can be judged; empty where that is "
            "the estimate shown",
        ),
        Column("table", "string", "tables, or the theory module, that the numbers come from"),
        Column(
            "reason", "string", "the parts with their numbers, coverage of the window, or what is missing"
        ),
    ),
    checks=(
        *RESULT_CHECKS,
        RowCheck("known_claim", "claim_id is on the list", _known_claim, "register the claim"),
        RowCheck(
            "register_complete",
            "each claim appears exactly once",
            _register_complete,
            "register the missing one",
        ),
        RowCheck("reason_given", "each row says why", _reason_given, "give the finding a reason"),
        RowCheck(
            "estimate_given",
            "a verdict from data or arithmetic comes with its number",
            _no_data_has_no_estimate,
            "the compute function must return a number or raise MissingData",
        ),
    ),
)

TABLES: Final = (
    OUT_FUNDING_AVERAGES,
    OUT_FUNDING_MONTHLY,
    OUT_VENUE_SPREADS,
    OUT_VENUE_SPREADS_MONTHLY,
    OUT_CLAIMS,
)
