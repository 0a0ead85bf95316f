"""Claims 5-7, 10 and 11: episodes, shapes and how venues move together."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

import numpy as np
import pandas as pd

from perp_pipeline.research.claims.averages import B_WINDOW, BINANCE_BTC, BITMEX_BTC, CME_X12, Side
from perp_pipeline.research.claims.lags import TRADING_DAY
from perp_pipeline.research.claims.model import (
    DAY,
    POSITIVE,
    Answer,
    Beyond,
    Claim,
    Lack,
    MissingData,
    Part,
    Tables,
    Within,
)
from perp_pipeline.research.claims.reading import (
    both_listed,
    estimate_part,
    fact_part,
    gather,
    listing,
    mean_part,
    require_inside,
    row_part,
    rows,
    rows_in,
    series_of,
)
from perp_pipeline.research.periods import slice_period
from perp_pipeline.research.series import COMPLETE, RateSeries
from perp_pipeline.research.spreads import common_days
from perp_pipeline.research.statistics import (
    Estimate,
    hac_correlation,
    hac_influence,
    hac_skewness,
    persistent_lags,
)

HIGH_CORRELATION = 0.5
LARGE_GAP = 0.10
OFTEN = 0.10
BOUND = 0.02
RATES = {"DTB3": "the three-month bill", "DFF": "the federal funds rate"}
"""Dollar rates of claim 11."""


def spikes(tables: Tables, period: str) -> Answer:
    """The highest monthly average of Binance BTCUSDT, and perps less CME in February 2021.

    Perps are the mean of Binance BTCUSDT and BitMEX XBTUSD on the days that both and CME have; CME by
    calendar_x12. The interval of the highest month is that of its average, not of a maximum.
    """
    venue, symbol, method = BINANCE_BTC
    february = "2021-02"

    def highest() -> Part:
        months = rows(tables, "out_funding_monthly", venue=venue, symbol=symbol, method=method)
        first = pd.to_datetime(months["month"]).rename("first")
        months = slice_period(months.assign(first=first), "first", period)
        if months.empty:
            raise MissingData(f"monthly averages of Binance {symbol} in {period}")
        top = months.loc[months["estimate"].idxmax()]
        label = f"average of the highest month, {top['month']}"
        expected = Within(0.50, 1.00)
        where = {"venue": venue, "symbol": symbol, "method": method, "month": top["month"]}
        part = row_part(tables, "out_funding_monthly", label, "fraction a year", expected, **where)
        return replace(part, period=str(top["month"]))

    def perps_less_cme() -> Part:
        require_inside(february, period, "perps less CME")
        perps = [series_of(tables, *side, february) for side in (BINANCE_BTC, BITMEX_BTC)]
        days, binance, bitmex = common_days(*perps)
        both = RateSeries("perps", "BTC", "BTC", "funding", days, (binance + bitmex) / 2.0)
        days, perp, cme = common_days(both, series_of(tables, *CME_X12, february))
        if len(days) == 0:
            raise MissingData(f"days with both perps and CME in {february}")
        label = f"average of the perps less CME, {february}"
        part = mean_part(label, "fraction a year", perp - cme, days, Beyond(0.50), steps=TRADING_DAY)
        return replace(part, period=february, published_for=february)

    return gather(highest, perps_less_cme)


def below_zero(tables: Tables, period: str) -> Answer:
    """Share of days below zero, BitMEX XBTUSD less Binance BTCUSDT, and how much more skewed Binance is.

    On common days. Errors are Newey-West, of the skewness through its influence function.
    """
    days, binance, bitmex = common_days(
        series_of(tables, *BINANCE_BTC, period), series_of(tables, *BITMEX_BTC, period)
    )
    if len(days) < 8:
        raise MissingData(f"8 common days of Binance and BitMEX in {period}")
    negative_a, negative_b = (binance < 0).astype(np.float64), (bitmex < 0).astype(np.float64)
    skew_a, psi_a = hac_skewness(binance, persistent_lags(binance))
    skew_b, psi_b = hac_skewness(bitmex, persistent_lags(bitmex))
    influence = np.sign(skew_a.estimate) * psi_a - np.sign(skew_b.estimate) * psi_b

    def skewer(lags: int) -> Estimate:
        return hac_influence(abs(skew_a.estimate) - abs(skew_b.estimate), influence, lags)

    return Answer(
        (
            mean_part(
                "share of days below zero, BitMEX less Binance",
                "share",
                negative_b - negative_a,
                days,
                POSITIVE,
                listed_from=both_listed(listing(*BINANCE_BTC[:2]), listing(*BITMEX_BTC[:2])),
            ),
            mean_part("share of days below zero on Binance", "share", negative_a, days),
            mean_part("share of days below zero on BitMEX", "share", negative_b, days),
            estimate_part(
                "absolute skewness, Binance less BitMEX",
                "1",
                skewer(persistent_lags(influence)),
                days,
                POSITIVE,
                again=skewer,
            ),
            estimate_part("skewness of Binance", "1", skew_a, days),
            estimate_part("skewness of BitMEX", "1", skew_b, days),
        )
    )


def correlated_with_gaps(tables: Tables, period: str) -> Answer:
    """Correlation of daily rates and mean absolute daily gap, for Binance, BitMEX and CME in pairs.

    BTC, common days, CME by calendar_x12; Newey-West errors, of the correlation through its influence
    function. The 95th percentile of the gaps is in out_venue_spreads.
    """

    def pair(a: Side, b: Side) -> tuple[Part, Part]:
        days, first, second = common_days(series_of(tables, *a, period), series_of(tables, *b, period))
        if len(days) < 8:
            raise MissingData(f"8 common days of {a[0]} and {b[0]} in {period}")
        name = f"{a[0]} and {b[0]}"
        listed = both_listed(listing(*a[:2]), listing(*b[:2]))

        def together(lags: int) -> Estimate:
            return hac_correlation(first, second, lags)

        lags = max(persistent_lags(first), persistent_lags(second))
        high = Beyond(HIGH_CORRELATION)
        steps = TRADING_DAY if "cme" in (a[0], b[0]) else DAY
        correlation = estimate_part(
            f"correlation of {name}",
            "1",
            together(lags),
            days,
            high,
            again=together,
            listed_from=listed,
            steps=steps,
        )
        gap, large = np.abs(first - second), Beyond(LARGE_GAP)
        words = f"mean gap between {name}"
        return correlation, mean_part(words, "fraction a year", gap, days, large, steps=steps)

    found: list[Part] = []
    missing: list[Lack] = []
    for a, b in ((BINANCE_BTC, BITMEX_BTC), (BINANCE_BTC, CME_X12), (BITMEX_BTC, CME_X12)):
        try:
            found.extend(pair(a, b))
        except MissingData as lack:
            missing.append(Lack(str(lack), published=2))
    if not found:
        raise MissingData("; ".join(lack.text for lack in missing))
    note = (
        f"The text gives no numbers: read as a correlation above {HIGH_CORRELATION} and gaps above "
        f"{100 * LARGE_GAP:.0f} points, the average gap that it calls large."
    )
    return Answer(tuple(found), note, tuple(missing))


def often_above_half(tables: Tables, period: str) -> Answer:
    """Share of BTC and ETH perps above 50 % a year, averaged over days.

    On each day, the share of all BTC and ETH perps in the lake whose daily rate is above 0.5; mean over
    days with a Newey-West error. Each Binance contract is shown on its own.
    """
    daily = rows_in(tables, "core_funding_daily", "day", period, base=["BTC", "ETH"])
    daily = daily[daily["coverage"] >= COMPLETE]
    if daily.empty:
        raise MissingData(f"complete days of BTC and ETH funding in {period}")
    by_day = (daily["rate_annual"] > 0.5).astype("float64").groupby(daily["day"]).mean().sort_index()
    days = by_day.index.to_numpy(dtype="datetime64[us]")
    parts = [
        mean_part("share of BTC and ETH perps above 50 %", "share", by_day.to_numpy(), days, Beyond(OFTEN)),
    ]
    for symbol in ("BTCUSDT", "ETHUSDT"):
        own = daily[(daily["venue"] == "binance") & (daily["symbol"] == symbol)]
        if len(own):
            above = (own["rate_annual"] > 0.5).to_numpy(dtype=np.float64)
            parts.append(
                mean_part(
                    f"share of days of Binance {symbol} above 50 %",
                    "share",
                    above,
                    own["day"].to_numpy(dtype="datetime64[us]"),
                )
            )
    return Answer(
        tuple(parts), f"The text gives no number: often is read as more than {100 * OFTEN:.0f} % of days."
    )


def dollar_rates(tables: Tables, period: str) -> Answer:
    """The highest of the three-month bill (DTB3) and the federal funds rate (DFF) on any day of the window.

    A recorded maximum, without sampling error. The share of days above 2 % and both averages are shown.
    """

    def highest() -> Part:
        both = rows_in(tables, "core_reference_rates", "day", period, series=list(RATES))
        top = both.loc[both["rate_annual"].idxmax()]
        days = both["day"].to_numpy(dtype="datetime64[us]")
        label = f"highest dollar rate ({RATES[str(top['series'])]}, on {top['day']:%Y-%m-%d})"
        expected = Within(0.0, BOUND)
        return fact_part(label, "fraction a year", float(top["rate_annual"]), days, len(both), expected)

    def average(series: str) -> Part:
        own = rows_in(tables, "core_reference_rates", "day", period, series=series)
        days = own["day"].to_numpy(dtype="datetime64[us]")
        return mean_part(f"average of {RATES[series]}", "fraction a year", own["rate_annual"], days)

    def days_above() -> Part:
        """Days on which one of the two is above the published bound."""
        both = rows_in(tables, "core_reference_rates", "day", period, series=list(RATES))
        above = both.groupby("day")["rate_annual"].max() > BOUND
        days = above.index.to_numpy(dtype="datetime64[us]")
        return fact_part(
            f"share of days above {100 * BOUND:.0f} %", "share", float(above.mean()), days, len(days)
        )

    return gather(
        highest,
        shown=(days_above, *(partial(average, series) for series in RATES)),
        note="At most is read as on every day: one day above the bound contradicts it, whatever the average.",
    )


CLAIMS = (
    Claim(
        5,
        "B",
        "Funding spiked to 50-100 % a year in some months; in February 2021 perps were more than "
        "50 points above CME",
        "50-100 %; > 50 points",
        "fraction a year",
        B_WINDOW,
        spikes,
        ("out_funding_monthly", "core_funding_daily", "core_cme_implied"),
        dated=True,
    ),
    Claim(
        6,
        "B",
        "Binance funding is rarely negative, BitMEX's is more symmetric",
        "rarely; more symmetric",
        "share",
        B_WINDOW,
        below_zero,
        ("core_funding_daily",),
    ),
    Claim(
        7,
        "B",
        "Venues are highly correlated, and the gaps between them still large",
        "highly; large",
        "1",
        B_WINDOW,
        correlated_with_gaps,
        ("core_funding_daily", "core_cme_implied"),
    ),
    Claim(
        10,
        "A",
        "Funding rates often exceed 50 % a year",
        "often above 50 %",
        "share",
        "2019-01..2024-05",
        often_above_half,
        ("core_funding_daily",),
    ),
    Claim(
        11,
        "B",
        "US interest rates can explain at most 2 points of funding up to 2022",
        "at most 2 points",
        "fraction a year",
        B_WINDOW,
        dollar_rates,
        ("core_reference_rates",),
        dated=True,
    ),
)
