"""Claims 12-17: funding and returns."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

import numpy as np

from perp_pipeline.research.claims.averages import B_WINDOW
from perp_pipeline.research.claims.lags import MONTH
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
from perp_pipeline.research.claims.reading import estimate_part, gather, row_part, rows_in
from perp_pipeline.research.regressions import HORIZONS
from perp_pipeline.research.series import utc
from perp_pipeline.research.statistics import hac_mean
from perp_pipeline.research.volatility import mean_volatility, monthly_volatility

A_WINDOW = "2019-01..2024-05"
HEADLINE = "h30_accrual"


def _slope(
    tables: Tables,
    label: str,
    venue: str,
    base: str,
    spec: str,
    term: str,
    period: str,
    expected: Expected | None = None,
) -> Part:
    """A coefficient of out_regressions."""
    where = {"venue": venue, "base": base, "spec": spec, "term": term, "period": period}
    return row_part(tables, "out_regressions", label, "1", expected, **where)


def past_and_present(tables: Tables, period: str) -> Answer:
    """f(d) = a + b1 r(d) + b2 R(d-30..d-1) on Binance, BTC and ETH: accrual days, Newey-West errors.

    Judged: b1 and b2 above zero, and the standardised b2 above the standardised b1 (its Wald test). Raw
    slopes are in fractions a year per unit of return. Shown: the contrast with f(d-1) as a regressor.
    """

    def slope(base: str, words: str, spec: str, term: str, expected: Expected | None = POSITIVE) -> Part:
        return _slope(tables, f"{base}, {words}", "binance", base, spec, term, period, expected)

    bases = ("BTC", "ETH")
    contrast, given = "prior month less same day, standardised", "given the funding of the day before"
    return gather(
        *(partial(slope, base, contrast, f"{HEADLINE}_std", "prior_minus_same") for base in bases),
        *(
            partial(slope, base, words, HEADLINE, term)
            for base in bases
            for words, term in (("same day's return", "same_day"), ("prior month's return", "prior"))
        ),
        shown=[
            partial(slope, base, f"{contrast}, {given}", f"{HEADLINE}_lagged_std", "prior_minus_same", None)
            for base in bases
        ],
        note="Slopes of Binance funding are in points of annual funding per percent of return; standardised, "
        "in standard deviations of funding per standard deviation of return.",
    )


def past_beats_present(tables: Tables, period: str) -> Answer:
    """Standardised prior less same-day effect, beyond what persistent funding gives by itself.

    The null: funding reacts to the same day's return only, and is as persistent as it is. The interval is
    the real contrast less the central 95 % of the simulated ones; an anomaly lies above zero. Shown: the
    contrast by horizon.
    """

    def beyond_null(base: str) -> Part:
        spec = f"{HEADLINE}_std"
        real = _slope(tables, "", "binance", base, spec, "prior_minus_same", period)
        try:
            null = _slope(tables, "", "binance", base, f"{spec}_null-sameday", "prior_minus_same", period)
        except MissingData as lack:
            raise MissingData(f"a simulation of slow funding over {period}, which has too few days") from lack
        return replace(
            real,
            label=f"{base}, prior month less same day, beyond what slow funding gives",
            estimate=real.estimate - null.estimate,
            se=null.se,
            ci_low=real.estimate - null.ci_high,
            ci_high=real.estimate - null.ci_low,
            expected=POSITIVE,
            hac_lags=None,
        )

    def horizon(days: int) -> Part:
        words = f"BTC, prior {days} days less same day" if days > 1 else "BTC, day before less same day"
        return _slope(tables, words, "binance", "BTC", f"h{days}_accrual_std", "prior_minus_same", period)

    return gather(
        *(partial(beyond_null, base) for base in ("BTC", "ETH")),
        shown=[partial(horizon, days) for days in HORIZONS],
        note="Effects of one standard deviation on Binance funding. Slow funding alone lets the past look "
        "stronger: an anomaly is what goes beyond simulated funding that answers the same day's return only. "
        "The interval is that of the simulations: no lags enter it.",
    )


def _lead_lag(
    tables: Tables,
    label: str,
    unit: str,
    about: tuple[str, str],
    kind: str,
    lag: int,
    period: str,
    expected: Expected | None = None,
) -> Part:
    """A row of out_lead_lag."""
    where = {"venue": about[0], "symbol": about[1], "kind": kind, "lag": lag, "period": period}
    return row_part(tables, "out_lead_lag", label, unit, expected, **where)


def past_not_future(tables: Tables, period: str) -> Answer:
    """Daily correlations and decile tables of funding with the returns before and after its announcement.

    Binance ETHUSDT and BTCUSDT, out_lead_lag. Judged, before: the correlation with the return of the day
    before the announcement (xcorr_daily, lag -1), and the mean rate in the highest decile of the past
    three days' return less the lowest (decile_ends), both above zero. Judged, after: the correlation with
    the return of the day after (lag +1), and the next three days' return in the highest decile of the rate
    less the lowest (decile_future3d_ends), both compared with zero, the published relation.
    """
    parts: tuple[tuple[str, str, str, int, Expected], ...] = (
        ("correlation with the return of the day before", "1", "xcorr_daily", -1, POSITIVE),
        (
            "rate after the best tenth of past returns less the worst",
            "fraction a year",
            "decile_ends",
            0,
            POSITIVE,
        ),
        ("correlation with the return of the day after", "1", "xcorr_daily", 1, value(0.0)),
        (
            "next 3 days' return at the highest tenth of rates less the lowest",
            "fraction",
            "decile_future3d_ends",
            0,
            value(0.0),
        ),
    )
    return gather(
        *(
            partial(
                _lead_lag, tables, f"{base}, {words}", unit, ("binance", symbol), kind, lag, period, expected
            )
            for words, unit, kind, lag, expected in parts
            for base, symbol in (("ETH", "ETHUSDT"), ("BTC", "BTCUSDT"))
        )
    )


def three_days(tables: Tables, period: str) -> Answer:
    """ETHUSD funding against past, contemporaneous and future returns, by the definitions of C24c.

    past = P(t)/P(t-3d) - 1, contemporaneous = P(t+1)/P(t) - 1, future = P(t+1+3d)/P(t+1) - 1; BitMEX ETHUSD,
    on announced times. The past one dominates if its correlation is above zero and above both others.
    """

    def link(label: str, kind: str, expected: Expected | None = None) -> Part:
        return _lead_lag(tables, label, "1", ("bitmex", "ETHUSD"), kind, 0, period, expected)

    return gather(
        lambda: link("correlation with the return of the past 3 days", "past3d", POSITIVE),
        lambda: link(
            "that correlation less the one with the contemporaneous return",
            "past3d_minus_contemporaneous",
            POSITIVE,
        ),
        lambda: link(
            "that correlation less the one with the return of the next 3 days",
            "past3d_minus_future3d",
            POSITIVE,
        ),
        shown=(
            lambda: link("correlation with the contemporaneous return", "contemporaneous"),
            lambda: link("correlation with the future return", "future3d"),
        ),
        note="Correlations are of each rate that BitMEX announced for ETHUSD.",
    )


def futures_placebo(tables: Tables, period: str) -> Answer:
    """The regression of claim 12 on CME BTC: a rally should go with negative financing there.

    Implied rates by calendar days and spot at the settlement; slope on the prior 30 days' return, below
    zero as published for traditional futures. Shown: by calendar_x12, and the same slope on Binance.
    """

    def slope(label: str, venue: str, spec: str, expected: Expected | None = None) -> Part:
        return _slope(tables, label, venue, "BTC", spec, "prior", period, expected)

    calendar = "h30_settle-calendar"
    return gather(
        lambda: slope("CME BTC, slope on the prior month's return", "cme", calendar, NEGATIVE),
        shown=(
            lambda: slope("CME BTC, slope with rates by times 12", "cme", f"{calendar}_x12"),
            lambda: slope("Binance BTC, slope on the prior month's return", "binance", HEADLINE),
        ),
        note="CME's BTC futures stand for traditional futures: the same coin on a regulated exchange.",
    )


def daily_volatility(tables: Tables, period: str) -> Answer:
    """Average over calendar months of the standard deviation of daily log returns within the month.

    ETH, the asset of essay A's examples; UTC days from closes at 00:00 in core_returns_8h; months of 20 days
    and more; Newey-West error over months. BTC is shown.
    """

    def volatility(base: str, expected: Within | None) -> Part:
        prices = rows_in(tables, "core_returns_8h", "window_end", period, base=base)
        monthly = monthly_volatility(prices)
        if monthly.empty:
            raise MissingData(f"months with 20 daily returns of {base} in {period}")
        values = monthly["volatility"].to_numpy(dtype=np.float64)
        part = estimate_part(
            f"daily volatility of {base}",
            "fraction",
            mean_volatility(monthly),
            monthly["last"].to_numpy(dtype="datetime64[us]"),
            expected,
            again=partial(hac_mean, values),
            steps=MONTH,
        )
        begins = utc(monthly["first"].to_numpy(dtype="datetime64[us]")[0])
        others = tuple(replace(other, window_start=begins) for other in part.variants)
        return replace(part, window_start=begins, variants=others)

    return gather(lambda: volatility("ETH", value(0.040)), shown=(lambda: volatility("BTC", None),))


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
        simulated=("out_regressions",),
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
