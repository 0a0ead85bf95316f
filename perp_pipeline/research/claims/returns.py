"""Claims 12-17: funding and returns."""

from __future__ import annotations

import numpy as np
import pandas as pd

from perp_pipeline.research.claims.averages import B_WINDOW
from perp_pipeline.research.claims.model import (
    NEGATIVE,
    POSITIVE,
    Answer,
    Claim,
    Expected,
    MissingData,
    Part,
    Tables,
    Within,
    value,
)
from perp_pipeline.research.claims.reading import estimate_part, gather, mean_of, row_part, rows_in

A_WINDOW = "2019-01..2024-05"
HEADLINE = "h30_accrual"


def _slope(
    tables: Tables, venue: str, base: str, spec: str, term: str, period: str, expected: Expected | None
) -> Part:
    return row_part(
        tables,
        "out_regressions",
        f"{venue} {base}, {term} ({spec})",
        "1",
        expected,
        venue=venue,
        base=base,
        spec=spec,
        term=term,
        period=period,
    )


def past_and_present(tables: Tables, period: str) -> Answer:
    """f(d) = a + b1 r(d) + b2 R(d-30..d-1) on Binance, BTC and ETH: accrual days, Newey-West errors.

    Judged: b1 and b2 above zero, and the standardised b2 above the standardised b1 (its Wald test). Raw
    slopes are in fractions a year per unit of return. Shown: the contrast with f(d-1) as a regressor.
    """

    def slope(base: str, spec: str, term: str, expected: Expected | None = POSITIVE) -> Part:
        return _slope(tables, "binance", base, spec, term, period, expected)

    return gather(
        lambda: slope("BTC", f"{HEADLINE}_std", "prior_minus_same"),
        lambda: slope("ETH", f"{HEADLINE}_std", "prior_minus_same"),
        lambda: slope("BTC", HEADLINE, "same_day"),
        lambda: slope("BTC", HEADLINE, "prior"),
        lambda: slope("ETH", HEADLINE, "same_day"),
        lambda: slope("ETH", HEADLINE, "prior"),
        lambda: slope("BTC", f"{HEADLINE}_lagged_std", "prior_minus_same", None),
        lambda: slope("ETH", f"{HEADLINE}_lagged_std", "prior_minus_same", None),
    )


def past_beats_present(tables: Tables, period: str) -> Answer:
    """Standardised prior less same-day effect, beyond what persistent funding gives by itself.

    The null: funding reacts to the same day's return only, and is as persistent as it is. The interval is
    the real contrast less the central 95 % of the simulated ones; an anomaly lies above zero. Shown: the
    contrast by horizon.
    """

    def beyond_null(base: str) -> Part:
        real = _slope(tables, "binance", base, f"{HEADLINE}_std", "prior_minus_same", period, None)
        null_spec = f"{HEADLINE}_std_null-sameday"
        null = _slope(tables, "binance", base, null_spec, "prior_minus_same", period, None)
        return Part(
            f"binance {base}, prior minus same day beyond the persistence null",
            "1",
            real.estimate - null.estimate,
            null.se,
            real.estimate - null.ci_high,
            real.estimate - null.ci_low,
            real.n,
            real.window_start,
            real.window_end,
            POSITIVE,
        )

    def horizon(days: int) -> Part:
        return _slope(tables, "binance", "BTC", f"h{days}_accrual_std", "prior_minus_same", period, None)

    return gather(
        lambda: beyond_null("BTC"),
        lambda: beyond_null("ETH"),
        lambda: horizon(1),
        lambda: horizon(3),
        lambda: horizon(7),
        lambda: horizon(30),
        lambda: horizon(90),
    )


def _lead_lag(
    tables: Tables, venue: str, symbol: str, kind: str, lag: int, period: str, expected: Expected | None
) -> Part:
    return row_part(
        tables,
        "out_lead_lag",
        f"{venue} {symbol}, {kind} at lag {lag}",
        "1",
        expected,
        venue=venue,
        symbol=symbol,
        kind=kind,
        lag=lag,
        period=period,
    )


def past_not_future(tables: Tables, period: str) -> Answer:
    """Correlation of daily funding with the return of the day before, and of the day after, it was announced.

    Binance ETHUSDT, out_lead_lag, kind xcorr_daily: at lag -1 the return comes before the announcement, at
    lag +1 after. The published future relation is none: its correlation is compared with zero.
    """
    return gather(
        lambda: _lead_lag(tables, "binance", "ETHUSDT", "xcorr_daily", -1, period, POSITIVE),
        lambda: _lead_lag(tables, "binance", "ETHUSDT", "xcorr_daily", 1, period, value(0.0)),
    )


def three_days(tables: Tables, period: str) -> Answer:
    """ETHUSD funding against past, contemporaneous and future returns, by the definitions of C24c.

    past = P(t)/P(t-3d) - 1, contemporaneous = P(t+1)/P(t) - 1, future = P(t+1+3d)/P(t+1) - 1; BitMEX ETHUSD,
    on announced times. The past one dominates if its correlation is above zero and above both others.
    """
    about = ("bitmex", "ETHUSD")
    return gather(
        lambda: _lead_lag(tables, *about, "past3d", 0, period, POSITIVE),
        lambda: _lead_lag(tables, *about, "past3d_minus_contemporaneous", 0, period, POSITIVE),
        lambda: _lead_lag(tables, *about, "past3d_minus_future3d", 0, period, POSITIVE),
        lambda: _lead_lag(tables, *about, "contemporaneous", 0, period, None),
        lambda: _lead_lag(tables, *about, "future3d", 0, period, None),
    )


def futures_placebo(tables: Tables, period: str) -> Answer:
    """The regression of claim 12 on CME BTC: a rally should go with negative financing there.

    Implied rates by calendar days and spot at the settlement; slope on the prior 30 days' return, below
    zero as published for traditional futures. Shown: by calendar_x12, and the same slope on Binance.
    """
    calendar, x12 = "h30_settle-calendar", "h30_settle-calendar_x12"
    return gather(
        lambda: _slope(tables, "cme", "BTC", calendar, "prior", period, NEGATIVE),
        lambda: _slope(tables, "cme", "BTC", x12, "prior", period, None),
        lambda: _slope(tables, "binance", "BTC", HEADLINE, "prior", period, None),
    )


def daily_volatility(tables: Tables, period: str) -> Answer:
    """Average over calendar months of the standard deviation of daily log returns within the month.

    ETH, the asset of essay A's examples; UTC days from closes at 00:00 in core_returns_8h; months of 20 days
    and more; Newey-West error over months. BTC is shown.
    """

    def volatility(base: str, expected: Within | None) -> Part:
        prices = rows_in(tables, "core_returns_8h", "window_end", period, base=base)
        midnight = prices[prices["window_end"].dt.hour == 0]
        days = midnight["window_end"].dt.tz_localize(None)
        log_price = pd.Series(np.log(midnight["close"].to_numpy(dtype=np.float64)), index=days)
        # Only returns between two days that follow each other: a hole is not a day.
        steps = log_price.index.to_series().diff() == pd.Timedelta(1, "D")
        returns = log_price.diff()[steps]
        # A close at 00:00 ends the day before.
        months = returns.groupby((returns.index - pd.Timedelta(1, "D")).strftime("%Y-%m"))
        monthly = months.std()[months.size() >= 20].dropna()
        if monthly.empty:
            raise MissingData(f"core_returns_8h has no month of 20 daily returns of {base} in {period}")
        return estimate_part(
            f"daily volatility of {base}",
            "fraction",
            mean_of(monthly.to_numpy()),
            returns.index.to_numpy(dtype="datetime64[us]"),
            expected,
        )

    return gather(lambda: volatility("ETH", value(0.040)), lambda: volatility("BTC", None))


CLAIMS = (
    Claim(
        12,
        "B",
        "Daily funding rises with the same day's and the prior month's return, with the prior month's "
        "significantly more",
        "both positive; prior month stronger",
        "1",
        B_WINDOW,
        past_and_present,
        ("out_regressions",),
    ),
    Claim(
        13,
        "B",
        "That the past return moves funding more than the present one is an anomaly",
        "past beats present",
        "1",
        B_WINDOW,
        past_beats_present,
        ("out_regressions",),
    ),
    Claim(
        14,
        "A",
        "Funding follows prior short-horizon returns and says nothing of future ones",
        "prior clearly positive; future none",
        "1",
        A_WINDOW,
        past_not_future,
        ("out_lead_lag",),
    ),
    Claim(
        15,
        "C24c",
        "For ETHUSD the past three days' return dominates the contemporaneous and the future one",
        "past dominates",
        "1",
        A_WINDOW,
        three_days,
        ("out_lead_lag",),
    ),
    Claim(
        16,
        "A, B",
        "In traditional futures a rally goes with negative financing; crypto is the opposite",
        "negative for futures",
        "1",
        B_WINDOW,
        futures_placebo,
        ("out_regressions",),
    ),
    Claim(
        17,
        "A",
        "Average daily volatility is about 4.0 %",
        "4.0 %",
        "fraction",
        A_WINDOW,
        daily_volatility,
        ("core_returns_8h",),
    ),
)
