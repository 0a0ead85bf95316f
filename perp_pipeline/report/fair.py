"""Exhibits of fair funding, of the mechanisms that could replace perpetuals, and of who is on which side."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import pandas as pd

from perp_pipeline.report import cells
from perp_pipeline.report.exhibit import FigureExhibit, TableExhibit, Tables
from perp_pipeline.report.intervals import IntervalRow, interval_figure, number
from perp_pipeline.report.series import BASES, venue_name
from perp_pipeline.report.style import colour, venue_colour
from perp_pipeline.research.words import key_words

if TYPE_CHECKING:
    from matplotlib.figure import Figure

RATES = {
    "dff": "Fed funds",
    "dtb3": "three-month bill",
    "usdc_lending": "USDC lending",
    "usdc_borrowing": "USDC borrowing",
    "lending": "USDC less the asset's lending",
    "cme": "CME curve",
    "delivery": "Binance dated futures",
}
_VENUES = ("binance", "bitmex")
_COSTS = {
    "long_cost_perp": "perpetual",
    "long_cost_delivery": "dated futures, rolled",
    "long_cost_gehr": "Gehr, CGSES",
    "long_cost_shiller": "Shiller",
    "lock_in": "dated futures, locked in",
    "realised": "perpetual, same days",
    "lock_in_less_realised": "locked in less paid",
}
_SPREADS = {
    "terminal_spread_delivery": "dated future, 07:00",
    "terminal_spread_delivery_abs": "   absolute, 00:00 to 07:00",
    "terminal_spread_perp": "perpetual, 07:00",
    "terminal_spread_perp_abs": "   absolute, 00:00 to 07:00",
    "terminal_spread_abs_perp_less_delivery": "   less the future's",
    "terminal_spread_perp_any_abs": "   absolute, any time",
    "terminal_spread_last_trade": "future's last trade, 08:00",
}
_TRACKING = {
    "price_gap_sd": "price over spot at one moment",
    "premium_sd": "average premium of a window, as printed",
}
_SHARES = {
    "share_default": ("exactly the default", "slate"),
    "share_above_default": ("above it", "vermillion"),
    "share_negative": ("longs are paid", "blue"),
}


def _row(found: pd.Series, label: str, tone: str, factor: float = 100.0) -> IntervalRow:
    return IntervalRow(
        label,
        factor * found["estimate"],
        factor * found["ci_low"],
        factor * found["ci_high"],
        int(found["n"]),
        tone,
        _years(found),
    )


def _years(found: pd.Series) -> str:
    first, last = found["window_start"].year, found["window_end"].year
    return str(first) if first == last else f"{first}–{last}"


def fair_figure(fair: pd.DataFrame, *, source: str = "out_fair_funding") -> Figure:
    """Fair rates, and what longs paid over each on the venues of the essays; whole lake.

    Args:
        fair: out_fair_funding (fractions a year).
    """
    rows = fair[fair["period"] == "all"].set_index(["base", "venue", "method"]).sort_index()
    panels: list[tuple[str, Sequence[IntervalRow]]] = []
    for base in BASES:
        own = []
        for rate, words in RATES.items():
            if (base, "all", f"fair_{rate}") in rows.index:
                own.append(_row(rows.loc[(base, "all", f"fair_{rate}")], f"fair by {words}", colour("ink")))
            for venue in _VENUES:
                key = (base, venue, f"excess_over_{rate}")
                if key in rows.index:
                    own.append(_row(rows.loc[key], f"   {venue_name(venue)} over it", venue_colour(venue)))
        if own:
            panels.append((base, own))
    return interval_figure(
        panels,
        title="Fair funding, and what longs paid over it",
        subtitle="Percent a year; 95 % interval. Fair: all days of the rate; over it: days that both have.",
        unit="percent a year",
        footer=f"Source: {source}. n: days. Only a rate that says so takes off the asset's own lending.",
    )


def mechanisms_figure(fair: pd.DataFrame, *, source: str = "out_fair_funding") -> Figure:
    """What a long pays a year over the holder of the asset under each mechanism, on one price path.

    Args:
        fair: out_fair_funding (fractions a year).
    """
    return _by_base(
        fair,
        _COSTS,
        100.0,
        title="The price of being long under each mechanism",
        subtitle="Percent a year over holding the asset, on the same price path; 95 % interval.",
        unit="percent a year",
        footer=f"Source: {source}. n: days, or deliveries for what is locked in.",
    )


def terminal_figure(fair: pd.DataFrame, *, source: str = "out_fair_funding") -> Figure:
    """Spread of dated futures and of perpetuals over spot just before delivery, in basis points.

    Args:
        fair: out_fair_funding (fractions of spot).
    """
    return _by_base(
        fair,
        _SPREADS,
        1e4,
        title="Where futures and perpetuals end: spread over spot before delivery",
        subtitle="Basis points of spot; 95 % interval (Student's t over deliveries; any time: Newey-West).",
        unit="basis points of spot",
        footer=f"Source: {source}. n: deliveries, or moments. Delivered is the average from 07:00 to 08:00.",
    )


def _by_base(
    fair: pd.DataFrame,
    names: dict[str, str],
    factor: float,
    *,
    title: str,
    subtitle: str,
    unit: str,
    footer: str,
) -> Figure:
    rows = fair[(fair["period"] == "all") & fair["base"].isin(BASES) & fair["method"].isin(list(names))]
    panels = []
    for keys, own in rows.groupby(["base", "venue"], sort=True):
        values = own.set_index("method")
        found = [
            _row(
                values.loc[name],
                label,
                colour("vermillion" if "perp" in name or name == "realised" else "slate"),
                factor,
            )
            for name, label in names.items()
            if name in values.index
        ]
        panels.append((f"{keys[0]}, {venue_name(str(keys[1]))}", found))
    return interval_figure(panels, title=title, subtitle=subtitle, unit=unit, footer=footer)


def sides_figure(sides: pd.DataFrame, *, source: str = "out_sides") -> Figure:
    """Shares of payments at the default, above it and below zero by venue; longs' share of open interest.

    Args:
        sides: out_sides (shares).
    """
    rows = sides[sides["period"] == "all"]
    panels: list[tuple[str, Sequence[IntervalRow]]] = []
    for base in BASES:
        found = []
        for venue, own in rows[rows["base"] == base].groupby("venue", sort=True):
            values = own.set_index("quantity")
            held = [name for name in _SHARES if name in values.index]
            for index, name in enumerate(held):
                words, tone = _SHARES[name]
                label = f"{venue_name(str(venue))}: {words}" if index == 0 else f"      {words}"
                found.append(_row(values.loc[name], label, colour(tone)))
        if found:
            panels.append((f"{base}: payments", found))
    longs = rows[rows["quantity"].isin(["share_long", "share_days_long"])]
    if len(longs):
        longs = longs.sort_values(["venue", "quantity"], ascending=[True, False])
        named = {"share_long": "longs' share", "share_days_long": "days mostly long"}
        panels.append(
            (
                "Open interest",
                [
                    _row(row, f"{venue_name(row['venue'])}: {named[row['quantity']]}", colour("purple"))
                    for _, row in longs.iterrows()
                ],
            )
        )
    return interval_figure(
        panels,
        title="Which side pays, and which side traders are on",
        subtitle="Percent of payments, open interest, days; whole lake; 95 % interval (Newey-West, fixed-b).",
        unit="percent",
        footer=f"Source: {source}. The default: exactly 0.01 % per 8 hours, pro rata. n: payments, or days.",
        column="%  [95 % interval]",
    )


def tracking_figure(sides: pd.DataFrame, *, source: str = "out_sides") -> Figure:
    """How far perpetuals stray from spot, by venue: price over spot at one moment, and the printed premium.

    Args:
        sides: out_sides (fractions).
    """
    rows = sides[(sides["period"] == "all") & sides["quantity"].isin(list(_TRACKING))]
    panels: list[tuple[str, Sequence[IntervalRow]]] = []
    for base in BASES:
        for quantity, words in _TRACKING.items():
            own = rows[(rows["base"] == base) & (rows["quantity"] == quantity)].sort_values("venue")
            found = [
                _row(row, f"{venue_name(row['venue'])} {row['symbol']}", venue_colour(row["venue"]), 1e4)
                for _, row in own.iterrows()
            ]
            if found:
                panels.append((f"{base}: {words}", found))
    return interval_figure(
        panels,
        title="How far perpetuals stray from spot",
        subtitle="Standard deviation in basis points, whole lake; 95 % interval (Newey-West, fixed-b).",
        unit="basis points of spot",
        footer=f"Source: {source}. n: moments, or windows. Price over spot holds what the hour's last trades "
        "differ in age.",
        column="sd  [95 % interval]",
    )


def _say_tracking(tables: Tables) -> str:
    rows = tables["out_sides"]
    return _told(rows.assign(method=rows["quantity"]), _TRACKING, 1e4, "bp")


def _say_fair(tables: Tables) -> str:
    names = {f"fair_{rate}": f"fair by {words}" for rate, words in RATES.items()}
    names |= {f"excess_over_{rate}": f"over {words}" for rate, words in RATES.items()}
    rows = tables["out_fair_funding"]
    return _told(rows[rows["venue"].isin([*_VENUES, "all"])], names, 100, "%")


def _say_mechanisms(tables: Tables) -> str:
    return _told(tables["out_fair_funding"], _COSTS, 100, "%")


def _say_terminal(tables: Tables) -> str:
    return _told(tables["out_fair_funding"], _SPREADS, 1e4, "bp")


def _told(rows: pd.DataFrame, names: dict[str, str], factor: float, unit: str) -> str:
    rows = rows[(rows["period"] == "all") & rows["base"].isin(BASES) & rows["method"].isin(list(names))]
    return "; ".join(
        f"{row['base']}{'' if row['venue'] == 'all' else ' ' + venue_name(row['venue'])}, "
        f"{names[row['method']].strip()}: {number(factor * row['estimate'])} {unit} "
        f"({number(factor * row['ci_low'])} to {number(factor * row['ci_high'])})"
        for row in rows.to_dict("records")
    )


def _say_sides(tables: Tables) -> str:
    rows = tables["out_sides"]
    shown = [*_SHARES, "share_long", "share_days_long"]
    rows = rows[(rows["period"] == "all") & rows["base"].isin([*BASES, "all"]) & rows["quantity"].isin(shown)]
    return "; ".join(
        f"{venue_name(row['venue'])} {row['base']}, {key_words(row['quantity'])}: "
        f"{number(100 * row['estimate'])} %"
        for row in rows.to_dict("records")
    )


def _fair_table(tables: Tables) -> cells.TableView:
    return _printed(tables["out_fair_funding"], "method", "Method", "fraction")


def _sides_table(tables: Tables) -> cells.TableView:
    return _printed(tables["out_sides"], "quantity", "Quantity", "fraction")


def _printed(rows: pd.DataFrame, key: str, heading: str, unit: str) -> cells.TableView:
    shown = rows[rows["base"].isin([*BASES, "all"])]
    shown = shown.assign(
        venue=shown["venue"].map(lambda venue: venue if venue == "all" else venue_name(venue)),
        interval=[
            cells.interval(low, high, unit)
            for low, high in zip(shown["ci_low"], shown["ci_high"], strict=True)
        ],
    )
    shown[key] = shown[key].map(key_words)
    headings = {
        "base": "Base",
        "venue": "Venue",
        key: heading,
        "period": "Period",
        "estimate": "Estimate",
        "interval": "95 % interval",
        "n": "n",
        "hac_lags": "Lags",
    }
    return cells.view(shown, headings, {"estimate": unit})


_FAIR, _SIDES = "out_fair_funding", "out_sides"

FIGURES: tuple[FigureExhibit, ...] = (
    FigureExhibit(
        "fair-funding",
        "A",
        "Fair funding and the excess over it",
        "A fair rate is the dollar's less the asset's own. Where the asset's lending rate is not taken off, "
        "the true excess is at least what is shown. A fair rate is the mean over all its days, an excess "
        "that over the days both rates have: the two do not add up to what was paid.",
        (8, 9, 11),
        (_FAIR,),
        lambda tables, source: fair_figure(tables[_FAIR], source=source),
        _say_fair,
    ),
    FigureExhibit(
        "mechanisms",
        "A",
        "The same price path under each mechanism",
        "Gehr's and Shiller's contracts with the three-month bill as the rate; dated futures as Binance "
        "traded them.",
        (41, 42, 43, 45),
        (_FAIR,),
        lambda tables, source: mechanisms_figure(tables[_FAIR], source=source),
        _say_mechanisms,
    ),
    FigureExhibit(
        "terminal-spreads",
        "C",
        "Terminal spreads",
        "A dated future ends at the average of spot from 07:00 to 08:00 UTC, a perpetual nowhere: both are "
        "shown over spot when that average begins, and in the hours before.",
        (45,),
        (_FAIR,),
        lambda tables, source: terminal_figure(tables[_FAIR], source=source),
        _say_terminal,
    ),
    FigureExhibit(
        "sides",
        "A",
        "Which side pays, and which side traders are on",
        "Payments at the default say nothing of the premium: the clamp maps a whole zone to it.",
        (4, 6, 52, 53),
        (_SIDES,),
        lambda tables, source: sides_figure(tables[_SIDES], source=source),
        _say_sides,
    ),
    FigureExhibit(
        "tracking",
        "A",
        "How far perpetuals stray from spot",
        "Venues with a premium mechanism, and without one where the lake has prices of any.",
        (56,),
        (_SIDES,),
        lambda tables, source: tracking_figure(tables[_SIDES], source=source),
        _say_tracking,
    ),
)

TABLES: tuple[TableExhibit, ...] = (
    TableExhibit(
        "table-fair",
        "Fair funding and mechanisms, every venue and period",
        "Percent a year; percent of spot for terminal spreads.",
        (_FAIR,),
        _fair_table,
        folded=True,
        essay="A",
        claims=(8, 9, 11, 45),
    ),
    TableExhibit(
        "table-sides",
        "Sides, every venue and period",
        "Percent of payments, open interest or days; percent of spot for standard deviations; changes.",
        (_SIDES,),
        _sides_table,
        folded=True,
        essay="A",
        claims=(52, 53, 54, 56),
    ),
)
