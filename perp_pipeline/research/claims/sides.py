"""Claims 52-57: who is on which side."""

from __future__ import annotations

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

SOURCES = {
    "gmx_arbitrum": "open interest of GMX by side (raw_gmx_open_interest), which only a gateway has",
    "gmx_avalanche": "open interest of GMX by side (raw_gmx_open_interest), which only a gateway has",
    "dydx": "daily volume and locked value of dYdX around the end of its rewards; no source has them",
    "perp_fi": "funding of perp.fi in 2021 (v1, closed); no source has it",
    "synthetix": "Synthetix's perpetual and index prices (its subgraph needs a key); no source has them",
}
"""What is missing where a venue has no row."""


def _side(
    tables: Tables,
    venue: str,
    base: str,
    quantity: str,
    unit: str,
    period: str,
    expected: Expected | None,
) -> Part:
    try:
        rows(tables, "out_sides", venue=venue)
    except MissingData as lack:
        if venue not in SOURCES:
            raise
        raise MissingData(f"{SOURCES[venue]} ({lack})") from lack
    return row_part(
        tables,
        "out_sides",
        f"{quantity} on {venue} {base}",
        unit,
        expected,
        venue=venue,
        base=base,
        quantity=quantity,
        period=period,
    )


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
    """Fall of dYdX volume and locked value from the year before rewards ended to the year after."""
    return gather(
        lambda: _side(tables, "dydx", "all", "volume_change", "share", period, value(-0.90)),
        lambda: _side(tables, "dydx", "all", "locked_value_change", "share", period, value(-0.90)),
    )


def perp_fi_longs(tables: Tables, period: str) -> Answer:
    """Mean funding of perp.fi in the rally of 2021: below zero if longs received it."""
    return gather(
        lambda: _side(tables, "perp_fi", "ETH", "funding", "fraction a year", period, NEGATIVE),
        lambda: _side(tables, "perp_fi", "BTC", "funding", "fraction a year", period, NEGATIVE),
    )


def premium_without_mechanism(tables: Tables, period: str) -> Answer:
    """Standard deviation of the premium on Synthetix less Binance's: below zero if perps track alone."""
    return gather(
        lambda: _side(
            tables,
            "synthetix",
            "ETH",
            "premium_sd_less_binance",
            "fraction",
            period,
            Beyond(0.0, above=False),
        ),
        lambda: _side(tables, "binance", "ETH", "premium_sd", "fraction", period, None),
    )


def insiders_only(tables: Tables, period: str) -> Answer:
    """Not testable as put: no published number could contradict it. The rival explanations are shown instead.

    Clamp anchor: share of Binance payments exactly at the default. Leverage demand: whether CME rates rise
    with the prior month's return as funding does. No-arbitrage quanto: ETHUSD funding net of covariance.
    """
    return gather(
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
        ("out_sides",),
    ),
    Claim(
        56,
        "A",
        "Perps track spot without a premium mechanism (Synthetix)",
        "track spot",
        "fraction",
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
