"""Claims 20-27: from premium to rate."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np

from perp_pipeline.research.claims.model import (
    Answer,
    Claim,
    Expected,
    MissingData,
    Part,
    Tables,
    Within,
    value,
)
from perp_pipeline.research.claims.precision import precision_part
from perp_pipeline.research.claims.reading import attempt, fact_part, gather, rows_in, sum_part
from perp_pipeline.theory.funding_map import (
    BINANCE,
    BITMEX,
    FundingMap,
    annual_from_8h,
    annual_from_daily,
    daily_map_8h,
    long_profit,
)


def _clamped(premium: float) -> float:
    """Simple annual rate that Binance's and BitMEX's map pays for a lasting premium."""
    return float(BINANCE.annual(premium))


def usually_daily(tables: Tables, period: str) -> Answer:
    """The rate per 8 hours of a lasting premium of 0.09 %, by the daily rule and by the venues' rule.

    The daily rule pays a third of the premium each 8 hours; by the rules of BitMEX and Binance it is
    P + clamp(0.01 % - P, -0.05 %, +0.05 %). The text does not contradict itself, so that this is a published
    number to compare, not a sum to check: a venue's rate is exact, and is the third or is not. Judged too,
    where the lake has premiums: what a point of premium adds to Binance's BTC rate outside the flat zone
    (out_premium_precision, slope), a third by the daily rule and one by the venue's.
    """
    premium = 0.0009
    daily = float(daily_map_8h(premium))
    printed = Within(daily - 5e-7, daily + 5e-7)

    def by_rule(venue: str, rule: FundingMap) -> Part:
        rate = round(float(rule.rate_8h(premium)), 12)
        label = f"{venue}'s rate at a premium of 0.09 %, by its rule"
        return Part(label, "fraction per 8 h", rate, 0.0, rate, rate, expected=printed)

    def fitted() -> Part:
        label = "rate per 8 h for a point of premium, fitted on Binance"
        third = value(float(daily_map_8h(1.0)))
        return precision_part(tables, "binance", label, "slope", "1", period, third)

    return gather(
        lambda: by_rule("Binance", BINANCE),
        lambda: by_rule("BitMEX", BITMEX),
        fitted,
        note=f"A third of a premium of 0.09 % is {100 * daily:.3f} % per 8 hours.",
    )


def thirty_three_percent(tables: Tables, period: str) -> Answer:
    """0.09 % taken for a rate a day, times 365; shown: the venue's clamp at the same premium."""
    return Answer(
        (
            sum_part("365 x 0.09 %", "fraction a year", annual_from_daily(0.0009), 0.33, 0.005),
            _shown("by the clamp", _clamped(0.0009)),
        )
    )


def twenty_five_percent(tables: Tables, period: str) -> Answer:
    """0.0685 % taken for a rate a day, times 365; shown: the venue's clamp at the same premium."""
    return Answer(
        (
            sum_part("365 x 0.0685 %", "fraction a year", annual_from_daily(0.000685), 0.25, 0.005),
            _shown("by the clamp", _clamped(0.000685)),
        )
    )


def eleven_points_more(tables: Tables, period: str) -> Answer:
    """0.03 % more premium on a daily map, on an 8-hour map, and inside the venue's flat zone."""
    low, high = BINANCE.flat_zone
    middle = (low + high) / 2.0
    return Answer(
        (
            sum_part("on a daily map", "fraction a year", annual_from_daily(0.0003), 0.11, 0.005),
            _shown("on an 8-hour map", annual_from_8h(0.0003)),
            _shown("inside the flat zone", _clamped(middle + 0.0003) - _clamped(middle)),
        )
    )


def flat_zone_and_caps(tables: Tables, period: str) -> Answer:
    """Clamp, interest and slope of Binance's map, fitted to premiums and rates of BTC.

    From out_premium_precision. Compared with the venue's published 0.05 % and 0.01 % per 8 hours and, beyond
    the flat zone, a point of rate for a point of premium. That rates are capped is judged by the record of
    BTCUSDT payments: the largest rate, of either sign, against the venue's published cap. Where it is
    smaller no rate has met a cap, which then cannot be judged. Variants: ETH, and BTC on Hyperliquid since
    its clamp is the same, and least squares of the rate on the premium, which takes the premium's measurement
    error for none and is therefore off. Shown: the share of windows inside the zone, and, as BitMEX publishes
    no premiums, what its rates show by themselves: the value that most payments of BTC share and the largest
    one that three or more share.
    """

    def fitted(
        label: str,
        quantity: str,
        unit: str,
        expected: Expected | None = None,
        venue: str = "binance",
        base: str = "BTC",
    ) -> Part:
        return precision_part(tables, venue, label, quantity, unit, period, expected, base)

    def judged(quantity: str, unit: str, expected: Expected) -> Part:
        since = f"{quantity}_since_2024-01-01"
        others, _ = attempt(
            lambda: fitted("for ETH", quantity, unit, base="ETH"),
            lambda: fitted("on Hyperliquid since 2024", since, unit, venue="hyperliquid"),
            lambda: fitted("by least squares of the rate on the premium", f"{quantity}_nls", unit),
        )
        part = fitted(f"fitted {quantity}", quantity, unit, expected)
        return replace(part, variants=(*part.variants, *others))

    return gather(
        lambda: judged("clamp", "fraction per 8 h", value(BINANCE.clamp)),
        lambda: judged("interest", "fraction per 8 h", value(BINANCE.interest)),
        lambda: judged("slope", "1", value(1.0)),
        lambda: _largest_rate(tables, period),
        shown=(
            lambda: fitted("share of windows inside the flat zone", "share_inside_zone", "share"),
            lambda: fitted(
                "default in BitMEX's rates", "interest_in_rates", "fraction per 8 h", None, "bitmex"
            ),
            lambda: fitted("cap in BitMEX's rates", "cap_in_rates", "fraction per 8 h", None, "bitmex"),
        ),
    )


def _largest_rate(tables: Tables, period: str) -> Part:
    """The largest rate of Binance BTCUSDT, against the venue's cap to the last digit that it publishes.

    Raises:
        MissingData: no rate is as large as the cap.
    """
    where = {"venue": "binance", "symbol": "BTCUSDT"}
    paid = rows_in(tables, "core_funding_payments", "paid_at", period, **where)
    largest, digit = float(paid["rate"].abs().max()), 5e-9
    if largest < BINANCE.cap - digit:
        raise MissingData(
            f"rates as large as the cap of {100 * BINANCE.cap:.2f} % (the largest is {100 * largest:.4f} %)"
        )
    days = paid["paid_at"].dt.tz_localize(None).to_numpy(dtype="datetime64[us]")
    capped = Within(BINANCE.cap - digit, BINANCE.cap + digit)
    return fact_part("largest rate of either sign", "fraction per 8 h", largest, days, len(paid), capped)


def rich_all_day(tables: Tables, period: str) -> Answer:
    """What a premium of 0.03 % that lasts all day pays that day: three payments by the venue's map."""
    paid = 3.0 * float(BINANCE.rate_8h(0.0003))
    cheap = 3.0 * float(BINANCE.rate_8h(-0.0003))
    low, high = BINANCE.flat_zone
    return Answer(
        (sum_part("three payments at a premium of 0.03 %", "fraction a day", paid, 0.0003, 5e-6),),
        note=(
            f"True by chance: every premium from {100 * low:.2f} % to {100 * high:.2f} % pays the same, "
            f"{100 * cheap:.2f} % even at a discount of 0.03 %."
        ),
    )


def hundred_percent_a_year(tables: Tables, period: str) -> Answer:
    """100 % a year over 365 days; shown: over three payments a day."""
    return Answer(
        (
            sum_part("100 % / 365", "fraction a day", 1.0 / 365.0, 0.001, 0.0005),
            Part("per payment", "fraction per 8 h", 1.0 / (3 * 365), 0.0, 1.0 / (3 * 365), 1.0 / (3 * 365)),
        ),
        note="The text takes the rate per 8 hours (0.091 %) for the rate a day (0.274 %).",
    )


def long_pays(tables: Tables, period: str) -> Answer:
    """N (p1/p0 - 1 - f) with f above, at and below zero at a flat price: a long pays positive funding.

    The sign test: profit plus N f is zero at a flat price for every f, and profit falls as f rises.
    """
    rates = np.array([-0.0003, 0.0, 0.0003])
    profits = np.array([long_profit(100.0, 100.0, 100.0, rate) for rate in rates])
    off = float(np.abs(profits + 100.0 * rates).max() + max(0.0, float(np.diff(profits).max())))
    return Answer((sum_part("departure from the identity", "USD", off, 0.0, 1e-12),))


def _shown(label: str, rate: float) -> Part:
    rate = 0.0 if math.isclose(rate, 0.0, abs_tol=1e-15) else rate
    return Part(label, "fraction a year", rate, 0.0, rate, rate)


CLAIMS = (
    Claim(
        20,
        "A, C24c",
        "The funding rate is usually a daily rate: a third of the average premium per 8 hours",
        "premium / 3 per 8 h",
        "fraction per 8 h",
        "all",
        usually_daily,
        ("out_premium_precision",),
        ("funding_map",),
    ),
    Claim(
        21,
        "A",
        "A premium of 0.09 % is a rate of 33 % a year",
        "33 %",
        "fraction a year",
        "all",
        thirty_three_percent,
        theory=("funding_map",),
    ),
    Claim(
        22,
        "B",
        "A premium of 0.0685 % is a rate of 25 % a year",
        "25 %",
        "fraction a year",
        "all",
        twenty_five_percent,
        theory=("funding_map",),
    ),
    Claim(
        23,
        "A",
        "0.03 % more premium adds 11 points a year",
        "11 points",
        "fraction a year",
        "all",
        eleven_points_more,
        theory=("funding_map",),
    ),
    Claim(
        24,
        "A",
        "Premiums inside a flat zone all pay the default, and rates are capped",
        "flat zone, caps",
        "fraction per 8 h",
        "all",
        flat_zone_and_caps,
        ("out_premium_precision", "core_funding_payments"),
        ("funding_map",),
    ),
    Claim(
        25,
        "B",
        "A perp sold 0.03 % rich all day pays 0.03 % that day or the next",
        "0.03 %",
        "fraction a day",
        "all",
        rich_all_day,
        theory=("funding_map",),
    ),
    Claim(
        26,
        "B",
        "100 % a year is a mere 0.1 % a day",
        "0.1 % a day",
        "fraction a day",
        "all",
        hundred_percent_a_year,
        theory=("funding_map",),
    ),
    Claim(
        27,
        "B",
        "A long's profit is N (p1/p0 - 1 - f)",
        "N (p1/p0 - 1 - f)",
        "USD",
        "all",
        long_pays,
        theory=("funding_map",),
    ),
)
