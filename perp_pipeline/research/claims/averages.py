"""Claims 1-4, 8 and 9: averages by venue, the default rate and the fair one."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

import numpy as np
import pandas as pd

from perp_pipeline.research.averages import at_default
from perp_pipeline.research.claims.lags import PAYMENT, TRADING_DAY
from perp_pipeline.research.claims.model import (
    POSITIVE,
    Answer,
    Claim,
    Expected,
    Lack,
    MissingData,
    Part,
    Tables,
    Within,
    value,
)
from perp_pipeline.research.claims.reading import (
    attempt,
    fact_part,
    gather,
    lag_variants,
    listing,
    mean_part,
    no_curve,
    row_part,
    rows,
    rows_in,
    series_of,
    sum_part,
)
from perp_pipeline.research.daily import accrual_funding, main_symbols
from perp_pipeline.research.fair_funding import fair_rates, on_days
from perp_pipeline.research.series import COMPLETE, bounds
from perp_pipeline.research.spreads import common_days
from perp_pipeline.research.statistics import hac_mean
from perp_pipeline.theory.carry import fair_funding
from perp_pipeline.theory.funding_map import BINANCE, annual_from_8h

B_WINDOW = "2019-09..2022-06"
BINANCE_BTC = ("binance", "BTCUSDT", "funding")
BITMEX_BTC = ("bitmex", "XBTUSD", "funding")
CME_X12 = ("cme", "BTC", "calendar_x12")
DECENTRALISED = ("dydx_v3", "hyperliquid")
CME_CALENDAR = ("cme", "BTC", "calendar")
Side = tuple[str, str, str]


def _spread(tables: Tables, a: Side, b: Side, period: str, label: str, expected: Within | None) -> Part:
    """A row of out_venue_spreads; a judged one with its variants by lags, from the daily rates."""
    part = row_part(
        tables,
        "out_venue_spreads",
        label,
        "fraction a year",
        expected,
        venue_a=a[0],
        symbol_a=a[1],
        method_a=a[2],
        venue_b=b[0],
        symbol_b=b[1],
        method_b=b[2],
        period=period,
    )
    if expected is None:
        return part
    try:
        sides = series_of(tables, *a, period), series_of(tables, *b, period)
    except MissingData:
        return part
    days, first, second = common_days(*sides)
    gap = first - second
    if len(days) != part.n:
        return part
    return replace(part, variants=lag_variants(part, lambda lags: hac_mean(gap, lags), days))


def binance_gap(tables: Tables, period: str) -> Answer:
    """Mean over common days of Binance BTCUSDT less BitMEX XBTUSD, and less the CME-implied rate.

    Daily simple annual rates, Newey-West errors. Judged against CME by the essay's own method
    (calendar_x12); the calendar-day method is shown beside it.
    """
    ten = value(0.10)
    return gather(
        lambda: _spread(tables, BINANCE_BTC, BITMEX_BTC, period, "Binance minus BitMEX", ten),
        lambda: _spread(tables, BINANCE_BTC, CME_X12, period, "Binance minus CME (times 12)", ten),
        shown=(
            lambda: _spread(
                tables, BINANCE_BTC, CME_CALENDAR, period, "Binance minus CME (by calendar days)", None
            ),
        ),
    )


def cme_times_twelve(tables: Tables, period: str) -> Answer:
    """Mean of (F2/F1 - 1) * 12 less (F2/F1 - 1) * 365 / (T2 - T1) on the same trading days; right if zero.

    Shown beside it: the mean absolute difference, and what the factor 12 makes of a rate where the two
    deliveries are 28 or 35 days apart.
    """
    rough = series_of(tables, *CME_X12, period)
    exact = series_of(tables, *CME_CALENDAR, period)
    days, x12, calendar = common_days(rough, exact)
    if len(days) == 0:
        raise MissingData(f"days with CME-implied rates by both methods in {period}")
    gap = x12 - calendar
    return Answer(
        (
            mean_part(
                "the rate by times 12 less that by calendar days",
                "fraction a year",
                gap,
                days,
                value(0.0),
                steps=TRADING_DAY,
            ),
            mean_part("mean absolute difference", "fraction a year", np.abs(gap), days, steps=TRADING_DAY),
        ),
        note=(
            f"Times 12 shows {100 * 12 * 28 / 365:.0f} % of the rate where deliveries are 28 days apart and "
            f"{100 * 12 * 35 / 365:.0f} % where they are 35."
        ),
    )


def default_rate(tables: Tables, period: str) -> Answer:
    """0.01 % per 8 hours, three times a day, 365 days, without compounding."""
    yearly = annual_from_8h(BINANCE.interest)
    return Answer((sum_part("0.0001 x 3 x 365", "fraction a year", yearly, 0.1095, 0.00005),))


def modal_rate(tables: Tables, period: str) -> Answer:
    """Most frequent daily funding of Binance BTCUSDT (to 0.001 %), and the premiums that could give it.

    The daily mode is a fact of the record. That the modal premium is the same would follow only if one
    premium alone paid that rate: the width of the premiums that do is computed from the venue's map and
    compared with zero.
    """
    venue, symbol, _ = BINANCE_BTC
    daily = rows_in(tables, "core_funding_daily", "day", period, venue=venue, symbol=symbol)
    daily = daily[daily["coverage"] >= COMPLETE]
    days = daily["day"].to_numpy(dtype="datetime64[us]")
    mode = float(daily["rate_day"].round(5).mode().iloc[0])
    mode_part = fact_part("modal daily rate", "fraction a day", mode, days, len(days), value(0.0003))
    parts = [replace(mode_part, listed_from=listing(venue, symbol))]
    missing: tuple[Lack, ...] = ()
    try:
        paid = rows_in(tables, "core_funding_payments", "paid_at", period, venue=venue, symbol=symbol)
        default = at_default(paid["rate"], paid["interval_hours"]).to_numpy(dtype=np.float64)
        paid_days = paid["paid_at"].dt.tz_localize(None).to_numpy(dtype="datetime64[us]")
        parts.append(mean_part("payments exactly at the default", "share", default, paid_days, steps=PAYMENT))
    except MissingData as lack:
        missing = (Lack(str(lack)),)
    low, high = BINANCE.premiums(BINANCE.interest)
    parts.append(
        sum_part("width of the premiums that pay the modal rate", "fraction per 8 h", high - low, 0.0, 0.0)
    )
    note = (
        f"Any premium from {100 * low:.2f} % to {100 * high:.2f} % pays exactly "
        f"{100 * BINANCE.interest:.2f} %: the modal rate cannot tell the modal premium."
    )
    return Answer(tuple(parts), note, missing)


def fair_rate(tables: Tables, period: str) -> Answer:
    """(r_usd - r_eth) / (1 + r_eth) at the lending rates that the essay names.

    Shown beside it: what was measured, USDC's mean supply rate on Compound and Aave and, where the lake has
    ETH's as well, the fair rate from both.
    """
    sum_ = sum_part("(0.06 - 0.02) / 1.02", "fraction a year", fair_funding(0.06, 0.02), 0.04, 0.005)
    measured, missing = attempt(
        lambda: _fair(tables, "USDC lent on Compound and Aave", "fair_usdc_lending", period, venue="all"),
        lambda: _fair(tables, "fair rate from measured lending rates", "fair_lending", period, venue="all"),
    )
    return Answer(
        (sum_, *measured),
        "Exactly 3.92 %; 4 % is its rounding. The lending rates of the sum are the essay's.",
        tuple(Lack(text) for text in missing),
    )


def _fair(
    tables: Tables, label: str, method: str, period: str, expected: Expected | None = None, *, venue: str
) -> Part:
    """A row of out_fair_funding on ETH; a judged one with its variants by lags, from the daily rates."""
    where = {"base": "ETH", "venue": venue, "method": method, "period": period}
    part = row_part(tables, "out_fair_funding", label, "fraction a year", expected, **where)
    if expected is None:
        return part
    try:
        excess = _excess(tables, venue, method.removeprefix("excess_over_"), period)
    except MissingData:
        return part
    if len(excess) != part.n:
        return part
    days = excess.index.to_numpy(dtype="datetime64[us]")
    return replace(part, variants=lag_variants(part, lambda lags: hac_mean(excess, lags), days))


def _excess(tables: Tables, venue: str, name: str, period: str) -> pd.Series:
    """Daily ETH funding of a venue's main contract less a fair rate, inside a period.

    Raises:
        MissingData: the lake lacks one of the two.
    """
    funding = rows(tables, "core_funding_daily", venue=venue, base="ETH")
    reference = rows(tables, "core_reference_rates")
    rates = fair_rates("ETH", reference, no_curve(), pd.DataFrame()).get(name)
    chosen = main_symbols(funding)
    if rates is None or chosen.empty:
        raise MissingData(f"days of {venue} ETH funding and its fair rate in {period}")
    rate = accrual_funding(funding, venue, str(chosen["symbol"].iloc[0]))
    excess = (rate - on_days(rates, name, pd.DatetimeIndex(rate.index))).dropna()
    return excess[bounds(excess.index.to_numpy(dtype="datetime64[us]"), period)]


def above_fair(tables: Tables, period: str) -> Answer:
    """Mean ETH funding of decentralised venues less the fair rate of the same days; too high is above zero.

    The fair rate is USDC's lending rate less ETH's (excess_over_lending) where the lake has both. Elsewhere
    it is the three-month bill with nothing for lending ETH: at most too high a fair rate, so that the true
    excess is at least the one shown. Shown beside it: the excess over USDC's lending rate, and Binance's.
    """

    def excess(venue: str) -> Part:
        try:
            label = f"{venue} ETH funding minus the fair rate from lending"
            return _fair(tables, label, "excess_over_lending", period, POSITIVE, venue=venue)
        except MissingData:
            label = f"{venue} ETH funding minus the three-month bill"
            return _fair(tables, label, "excess_over_dtb3", period, POSITIVE, venue=venue)

    def over_usdc(venue: str) -> Part:
        label = f"{venue} ETH funding minus USDC lending"
        return _fair(tables, label, "excess_over_usdc_lending", period, venue=venue)

    return gather(
        *(partial(excess, venue) for venue in DECENTRALISED),
        shown=[partial(over_usdc, venue) for venue in (*DECENTRALISED, "binance")],
        note="The default of 10.95 % is far above 3.92 %, but dYdX v3 paid it without a clamp, so that its "
        "average went with the premium.",
    )


CLAIMS = (
    Claim(
        1,
        "B",
        "Binance BTC funding averaged 10 points a year above BitMEX and above CME",
        "10 points a year",
        "fraction a year",
        B_WINDOW,
        binance_gap,
        ("out_venue_spreads", "core_funding_daily", "core_cme_implied"),
        dated=True,
    ),
    Claim(
        2,
        "B",
        "The CME rate is the premium of the second month over the front month, times 12",
        "premium x 12",
        "fraction a year",
        B_WINDOW,
        cme_times_twelve,
        ("core_cme_implied",),
    ),
    Claim(
        3,
        "B",
        "The default rate of 0.01 % per 8 hours is 10.95 % a year",
        "10.95 %",
        "fraction a year",
        "all",
        default_rate,
        theory=("funding_map",),
    ),
    Claim(
        4,
        "B",
        "The modal daily funding is 0.03 %, or 11 % a year, and so is the modal premium",
        "0.03 % a day, 11 % a year",
        "fraction a day",
        B_WINDOW,
        modal_rate,
        ("core_funding_daily", "core_funding_payments"),
        ("funding_map",),
    ),
    Claim(
        8,
        "A",
        "Fair ETH-USDC funding is about 4 %, from lending rates of 6 % (USDC) and 2 % (ETH)",
        "4 %",
        "fraction a year",
        "all",
        fair_rate,
        ("out_fair_funding",),
        theory=("carry",),
    ),
    Claim(
        9,
        "A",
        "Funding on decentralised exchanges, 11 % by default, is on average too high against the fair rate",
        "11 %; too high",
        "fraction a year",
        "all",
        above_fair,
        ("out_fair_funding", "core_funding_daily", "core_reference_rates"),
    ),
)
