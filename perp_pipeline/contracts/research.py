"""Result tables on what moves and what foretells funding: regressions, lead-lag, predictor race."""

from __future__ import annotations

from typing import Final

import pandas as pd

from perp_pipeline.contracts.model import Column, Contract, RowCheck, Severity
from perp_pipeline.contracts.results import RESULT_CHECKS, estimate_columns

_PERIOD = Column("period", "string", "all, 2021, 2021-02 or 2019-09..2022-06 (both months included)")
_VENUE = Column("venue", "string", "venue of the rate; cme for implied rates")
_BASE = Column("base", "string", "asset that the contract follows (BTC, ETH)")
_SYMBOL = Column("symbol", "string", "the venue's own symbol; the product for cme")


def _probability(name: str, doc: str) -> Column:
    return Column(name, "float64", doc, "probability", nullable=True, low=0.0, high=1.0)


def _p_agrees_with_interval(frame: pd.DataFrame) -> pd.Series:
    """p < 0.05 exactly where the interval leaves out zero (the edge itself is left to rounding)."""
    outside = (frame["ci_low"] > 0) | (frame["ci_high"] < 0)
    edge = (frame["p"] - 0.05).abs() < 1e-5
    null = frame["spec"].str.contains("_null-", regex=False)
    return frame["p"].isna() | frame["ci_low"].isna() | edge | null | ((frame["p"] < 0.05) == outside)


def _p_agrees_with_critical(frame: pd.DataFrame) -> pd.Series:
    edge = (frame["p"] - 0.05).abs() < 1e-5
    known = frame["p"].notna() & frame["critical"].notna()
    return ~known | edge | ((frame["p"] < 0.05) == (frame["t"].abs() > frame["critical"]))


OUT_REGRESSIONS = Contract(
    name="out_regressions",
    doc=(
        "Daily funding on the same day's return and on the return of the days before, f(d) = a + b1 r(d) "
        "+ b2 R(d-h..d-1) [+ c f(d-1)], by ordinary least squares with Newey-West covariance; the same "
        "for CME-implied rates as the placebo; and what persistence alone gives. spec: h{days of the "
        "prior window}_{accrual, calendar, announced, settle-<CME "
        "method>}[_lagged][_std][_lags{bandwidth}]; _std rows are in standard deviations, and their errors "
        "have those of the standard deviations in them: where an effect is zero they drop out, so that t, "
        "critical and p of an effect are those of its slope, and its interval has zero where the slope's "
        "has. Rows of spec "
        "..._null-{fitted, ar99, sameday} describe the simulated null distribution of the standardised "
        "effects: estimate, se and interval are its mean, standard deviation and 2.5 to 97.5 % quantiles, "
        "t and p place the real effect in it, n counts the draws; terms size_... are the shares of draws "
        "that the 5 % test rejects."
    ),
    grain="one coefficient or contrast of one regression, venue, base and period",
    key=("venue", "base", "spec", "term", "period"),
    columns=(
        _VENUE,
        _BASE,
        Column("spec", "string", "the regression; its parts are in the table's description"),
        Column(
            "term",
            "string",
            "const, same_day, prior, lagged_funding, or prior_minus_same, their contrast",
            values=(
                "const",
                "same_day",
                "prior",
                "lagged_funding",
                "prior_minus_same",
                "size_same_day",
                "size_prior",
                "size_prior_minus_same",
            ),
        ),
        _PERIOD,
        Column("symbol", "string", "the contract: the one of this venue and base with the longest history"),
        *estimate_columns(
            "fraction a year per unit of the regressor; standard deviations where standardised",
            what="coefficient or contrast",
        ),
        Column(
            "t",
            "float64",
            "estimate / se; of a standardised effect that of its slope, the raw coefficient",
            "1",
            nullable=True,
        ),
        _probability(
            "p",
            "two-sided, of the normal at 1.96 t / critical; 0.05 where |t| is critical",
        ),
        Column(
            "critical",
            "float64",
            "critical value of |t| at 5 %: fixed-b, larger where the slope rests on few months; half the "
            "interval's width over se, but for standardised effects",
            "1",
            nullable=True,
            low=1.9,
        ),
        Column("r2", "float64", "share of variance explained", "share", nullable=True, low=0.0, high=1.0),
        Column("standardised", "bool", "all series were divided by their standard deviations"),
    ),
    checks=(
        *RESULT_CHECKS,
        RowCheck(
            "p_agrees_with_interval",
            "p < 0.05 where and only where the interval leaves out zero",
            _p_agrees_with_interval,
            "interval and p value come from different critical values: fix the estimator",
        ),
        RowCheck(
            "p_agrees_with_critical",
            "p < 0.05 where and only where |t| is above the critical value",
            _p_agrees_with_critical,
            "p value and critical value come from different tests: fix the estimator",
        ),
        RowCheck(
            "enough_days",
            "n is at least 90",
            lambda frame: frame["n"] >= 90,
            "too short for thirty lags: do not read the row",
            Severity.WARN,
        ),
    ),
    may_be_empty=True,
)


def _correlation_bounded(frame: pd.DataFrame) -> pd.Series:
    correlation = frame["kind"].isin(["xcorr_daily", "past3d", "contemporaneous", "future3d"])
    return ~correlation | frame["estimate"].abs().le(1.0 + 1e-12)


_ROBUST_KINDS: Final = (
    "xcorr_daily",
    "past3d",
    "past3d_minus_contemporaneous",
    "past3d_minus_future3d",
    "decile_ends",
    "decile_future3d_ends",
)
"""Kinds of out_lead_lag that are there with other bandwidths too."""

_KINDS: Final = (
    *_ROBUST_KINDS,
    "decile",
    "contemporaneous",
    "future3d",
    "decile_past3d",
    "decile_contemporaneous",
    "decile_future3d",
)


def _kind_known(frame: pd.DataFrame) -> pd.Series:
    kind = frame["kind"].str.replace(r"_lags\d+$", "", regex=True)
    return kind.isin(_ROBUST_KINDS) | frame["kind"].isin(_KINDS)


OUT_LEAD_LAG = Contract(
    name="out_lead_lag",
    doc=(
        "Funding, dated by when it was announced, beside the spot returns before, during and after. Kinds "
        "past3d, contemporaneous, future3d (lag 0): correlation of the rate with P(t)/P(t-3d)-1, "
        "P(t+1)/P(t)-1 and P(t+1+3d)/P(t+1)-1, t+1 one interval after the announcement t; "
        "past3d_minus_... : differences of these. decile (lag 1 to 10): mean annual rate by decile of "
        "past3d; decile_past3d and so on: mean return by decile of the rate, equal rates in one decile; "
        "..._ends: highest decile less lowest. "
        "xcorr_daily (lag -30 to 30): correlation of the mean rate announced on a day with the return of "
        "the day lag days later; negative lags: the return came first. ..._lags180: with 180 Newey-West "
        "lags, in rates; those of xcorr_daily in days."
    ),
    grain="one statistic at one lag or decile, symbol and period",
    key=("venue", "symbol", "kind", "lag", "period"),
    columns=(
        _VENUE,
        _SYMBOL,
        Column(
            "kind",
            "string",
            "what is estimated; the table's description has the list",
        ),
        Column("lag", "int32", "days by which the return follows the rate; the decile; 0", low=-30, high=30),
        _PERIOD,
        _BASE,
        *estimate_columns(
            "1 for correlations, fraction a year for decile, fraction for decile_...", what="see kind"
        ),
    ),
    checks=(
        *RESULT_CHECKS,
        RowCheck(
            "kind_known",
            "the kind is one of those described, or such a one with _lags{k} behind it",
            _kind_known,
            "the builder makes a statistic that the contract does not know",
        ),
        RowCheck(
            "correlation_bounded",
            "a correlation lies in -1..1",
            _correlation_bounded,
            "the estimator is broken",
        ),
    ),
    may_be_empty=True,
)


def _not_far_below(frame: pd.DataFrame) -> pd.Series:
    """Of a pair of forecasts the rival may be as good as it likes."""
    return (frame["estimate"] >= -100.0) | frame["predictor"].str.contains("_vs_")


OUT_PREDICTOR_RACE = Contract(
    name="out_predictor_race",
    doc=(
        "How well funding is forecast out of sample, made at each announcement from what was then known. "
        "estimate is 1 - SSE / SSE of no change (the last announced rate); for predictors named a_vs_b it "
        "is 1 - SSE(a) / SSE(b). Predictors: last, ma3, ma9, ma21, ma90 (means over 24, 72, 168, 720 "
        "hours), premium_instant, premium_formula (through the venue's map), premium_window_{h}h_left and "
        "premium_instant_{h}h_left (through the map, h hours before the payment: the average of the running "
        "window so far, and its last sample). Schemes: direct (the predictor is the forecast), expanding and "
        "rolling (365 days) least squares. se is that of the ratio of the two sums; the "
        "interval, on the log of that ratio, has 0 where Diebold-Mariano does not reject. OLS "
        "forecasts from the last rate nest no change, for which that test is conservative. What claims judge "
        "has rows with the ending _lags{k} of the predictor as well: with k Newey-West lags, in payments."
    ),
    grain="one target, predictor and scheme of one symbol and period",
    key=("venue", "symbol", "target", "predictor", "scheme", "period"),
    columns=(
        _VENUE,
        _SYMBOL,
        Column(
            "target",
            "string",
            "first unannounced payment, or the mean of those of the next 1, 7, 30 days",
            values=("next", "mean_1d", "mean_7d", "mean_30d"),
        ),
        Column("predictor", "string", "what the forecast is made from"),
        Column("scheme", "string", "how", values=("direct", "expanding", "rolling")),
        _PERIOD,
        _BASE,
        *estimate_columns("share of the squared error", what="out-of-sample R2"),
        Column(
            "dm_stat",
            "float64",
            "Diebold-Mariano statistic, Newey-West; positive: the predictor is better",
            "1",
            nullable=True,
        ),
        _probability("dm_p", "its two-sided p value, calibrated to fixed-b"),
    ),
    checks=(
        *RESULT_CHECKS,
        RowCheck(
            "at_most_one",
            "R2 is at most 1",
            lambda frame: (frame["estimate"] <= 1.0) & ~(frame["ci_high"] > 1.0),
            "squared errors cannot be negative: fix the estimator",
        ),
        RowCheck(
            "not_far_below_no_change",
            "forecasts err at most ten times as much as no change, in root mean square",
            _not_far_below,
            "a regression on rates that had hardly moved yet, or a broken forecast: look at the forecasts",
            Severity.WARN,
        ),
    ),
    may_be_empty=True,
)

TABLES: Final = (OUT_REGRESSIONS, OUT_LEAD_LAG, OUT_PREDICTOR_RACE)
