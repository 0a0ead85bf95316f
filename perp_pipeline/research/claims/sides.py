"""Claims 52-57: who is on which side."""

from __future__ import annotations

import math
from dataclasses import replace
from functools import partial

from perp_pipeline.research.claims.averages import B_WINDOW
from perp_pipeline.research.claims.model import (
    NEGATIVE,
    Answer,
    Beyond,
    Claim,
    Expected,
    MissingData,
    Part,
    Tables,
    value,
)
from perp_pipeline.research.claims.reading import gather, row_part, rows
from perp_pipeline.research.words import venue_words

SOURCES = {
    "gmx_arbitrum": "open interest of GMX Arbitrum by side",
    "gmx_avalanche": "open interest of GMX Avalanche by side",
    "dydx": "daily volume and locked value of dYdX in the years before and after the end of its rewards; a "
    "declared archive can fill them, see archives.toml",
    "perp_fi": "funding of perp.fi in 2021, whose first version is closed; a declared archive can fill it, "
    "see archives.toml",
    "synthetix": "prices of Synthetix's perpetuals beside spot, whose subgraph needs a key; a declared "
    "archive can fill them, see archives.toml",
}
"""What is missing where a venue has no row."""

_LABELS = {
    "share_long": "share of open interest that is long",
    "lp_share_long": "share of the liquidity providers' side that is long",
    "volume_change": "volume, the year after rewards over the year before",
    "locked_value_change": "locked value, the year after rewards over the year before",
    "price_gap_sd": "standard deviation of price over spot",
    "premium_sd": "standard deviation of a window's average premium",
}


def _side(
    tables: Tables,
    venue: str,
    base: str,
    quantity: str,
    unit: str,
    period: str,
    expected: Expected | None,
) -> Part:
    asset = "" if base == "all" else f" {base}"
    label = f"{_LABELS[quantity]} on {venue_words(venue)}{asset}"
    during = "" if period == "all" else f" in {period}"
    try:
        return row_part(
            tables,
            "out_sides",
            label,
            unit,
            expected,
            venue=venue,
            base=base,
            quantity=quantity,
            period=period,
        )
    except MissingData as lack:
        raise MissingData(SOURCES.get(venue, f"{label}{during}")) from lack


def gmx_traders(tables: Tables, period: str) -> Answer:
    """Share of GMX's open interest that is long, all assets, by chain; mostly is above one half."""
    return gather(
        lambda: _side(tables, "gmx_arbitrum", "all", "share_long", "share", period, Beyond(0.5)),
        lambda: _side(tables, "gmx_avalanche", "all", "share_long", "share", period, Beyond(0.5)),
    )


def liquidity_providers_short(tables: Tables, period: str) -> Answer:
    """The LPs' share of open interest that is long on GMX, where they take the other side: below one half."""
    return gather(
        *(
            partial(
                _side,
                tables,
                f"gmx_{chain}",
                "all",
                "lp_share_long",
                "share",
                period,
                Beyond(0.5, above=False),
            )
            for chain in ("arbitrum", "avalanche")
        )
    )


def rewards_ended(tables: Tables, period: str) -> Answer:
    """Mean of dYdX volume and locked value in the year after rewards ended over the year before, less 1.

    The last trading rewards of dYdX v3 were those of epoch 31, which ended on 2024-01-16.
    """
    return gather(
        lambda: _side(tables, "dydx", "all", "volume_change", "share", period, value(-0.90)),
        lambda: _side(tables, "dydx", "all", "locked_value_change", "share", period, value(-0.90)),
    )


def perp_fi_longs(tables: Tables, period: str) -> Answer:
    """Mean daily funding of perp.fi in the rally of 2021: below zero if longs received it."""

    def mean(base: str) -> Part:
        where = {"venue": "perp_fi", "base": base, "method": "funding", "period": period}
        label = f"funding of perp.fi {base}"
        try:
            return row_part(tables, "out_funding_averages", label, "fraction a year", NEGATIVE, **where)
        except MissingData as lack:
            raise MissingData(SOURCES["perp_fi"]) from lack

    return gather(lambda: mean("ETH"), lambda: mean("BTC"))


def premium_without_mechanism(tables: Tables, period: str) -> Answer:
    """Standard deviation of price over spot at one moment on Synthetix, less Binance's.

    Not above zero if perps track spot as well without a premium mechanism as with one.

    Two venues' estimates, each over its own days, taken for independent. Shown: the venues that have the
    mechanism, by price over spot and by the premium that they print.
    """
    spread = "fraction of the index"

    def of(venue: str, quantity: str, base: str) -> Part:
        return _side(tables, venue, base, quantity, spread, period, None)

    def less(base: str) -> Part:
        without, other = of("synthetix", "price_gap_sd", base), of("binance", "price_gap_sd", base)
        estimate, se = without.estimate - other.estimate, math.hypot(without.se, other.se)
        reach = max((part.ci_high - part.estimate) / part.se for part in (without, other)) * se
        return replace(
            without,
            label=f"standard deviation of price over spot on Synthetix {base} less Binance's",
            estimate=estimate,
            se=se,
            ci_low=estimate - reach,
            ci_high=estimate + reach,
            expected=Beyond(0.0, above=False),
            hac_lags=None,
        )

    shown = [
        *((venue, "price_gap_sd") for venue in ("synthetix", "binance", "bitmex")),
        *((venue, "premium_sd") for venue in ("binance", "hyperliquid")),
    ]
    return gather(
        *(partial(less, base) for base in ("ETH", "BTC")),
        shown=[partial(of, venue, quantity, base) for base in ("ETH", "BTC") for venue, quantity in shown],
    )


def insiders_only(tables: Tables, period: str) -> Answer:
    """Not testable as put: no published number could contradict it. The rival explanations are shown instead.

    Clamp anchor: share of Binance payments exactly at the default. Leverage demand: whether CME rates rise
    with the prior month's return as funding does. No-arbitrage quanto: ETHUSD funding net of covariance.
    """
    return gather(
        shown=(
            lambda: row_part(
                tables,
                "out_regressions",
                "leverage demand: slope of CME rates on the prior month",
                "1",
                venue="cme",
                base="BTC",
                spec="h30_settle-calendar",
                term="prior",
                period=period,
            ),
            lambda: row_part(
                tables,
                "out_quanto",
                "no-arbitrage quanto: ETHUSD funding net of covariance",
                "fraction a year",
                symbol="ETHUSD",
                frequency="8h",
                quantity="net_funding",
                period=period,
            ),
            lambda: _default_share(tables, period),
        ),
        note="Not testable as put: no number could contradict it.",
    )


def _default_share(tables: Tables, period: str) -> Part:
    where = {"venue": "binance", "symbol": "BTCUSDT", "method": "funding", "period": period}
    row = rows(tables, "out_funding_averages", **where).iloc[0]
    return Part(
        "clamp anchor: share of Binance payments at the default",
        "share",
        float(row["share_default"]),
        n=int(row["n"]),
        window_start=row["window_start"],
        window_end=row["window_end"],
    )


CLAIMS = (
    Claim(
        52, "A", "Traders on GMX are mostly long", "mostly long", "share", "all", gmx_traders, ("out_sides",)
    ),
    Claim(
        53,
        "B",
        "Liquidity providers of perps are short on average",
        "short",
        "share",
        "all",
        liquidity_providers_short,
        ("out_sides",),
    ),
    Claim(
        54,
        "A",
        "dYdX volume and locked value fell 90 % when rewards ended",
        "-90 %",
        "share",
        "all",
        rewards_ended,
        ("out_sides",),
    ),
    Claim(
        55,
        "B",
        "perp.fi longs received funding in the rally of 2021",
        "longs received",
        "fraction a year",
        "2021",
        perp_fi_longs,
        ("out_funding_averages",),
        dated=True,
    ),
    Claim(
        56,
        "A",
        "Perps track spot without a premium mechanism (Synthetix)",
        "track spot",
        "fraction of the index",
        "all",
        premium_without_mechanism,
        ("out_sides",),
    ),
    Claim(
        57,
        "A",
        "Only insiders explain the funding rates",
        "insiders only",
        "1",
        B_WINDOW,
        insiders_only,
        ("out_regressions", "out_quanto", "out_funding_averages"),
    ),
)
