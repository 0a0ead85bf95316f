"""Exhibits of funding beside the returns before and after it: correlogram, deciles, the three-day returns."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd

from perp_pipeline.report import cells
from perp_pipeline.report.exhibit import FigureExhibit, TableExhibit, Tables
from perp_pipeline.report.grids import Line, Panel, grid_figure
from perp_pipeline.report.intervals import IntervalRow, interval_figure, number
from perp_pipeline.report.series import BASES, best_period, leading, period_words, venue_name
from perp_pipeline.report.style import colour, venue_colour

if TYPE_CHECKING:
    from matplotlib.figure import Figure

COMPANION_PERIOD = "2019-01..2024-05"
LAGS = range(-30, 31)
_LINKS = {
    "past3d": "before",
    "contemporaneous": "during",
    "future3d": "after",
}


_RETURNS = {
    "past3d": "3 days before",
    "contemporaneous": "the interval itself",
    "future3d": "3 days after",
    "past3d_minus_contemporaneous": "before less during",
    "past3d_minus_future3d": "before less after",
}


def _own(lead_lag: pd.DataFrame, kind: str, period: str, venue: str, symbol: str) -> pd.DataFrame:
    rows = lead_lag[
        (lead_lag["kind"] == kind)
        & (lead_lag["period"] == period)
        & (lead_lag["venue"] == venue)
        & (lead_lag["symbol"] == symbol)
    ]
    return rows.set_index("lag").sort_index()


def correlogram_figure(lead_lag: pd.DataFrame, *, source: str = "out_lead_lag") -> Figure:
    """Correlation of the day's announced funding with the return of the day ``lag`` days later, -30 to +30.

    Args:
        lead_lag: out_lead_lag.
    """
    period = best_period(lead_lag, COMPANION_PERIOD)
    panels = []
    rows = lead_lag[lead_lag["kind"] == "xcorr_daily"]
    ticks = [str(lag).replace("-", "−") if lag % 10 == 0 else "" for lag in LAGS]
    for venue, _, symbol in leading(rows):
        own = _own(rows, "xcorr_daily", period, venue, symbol)
        if own.empty:
            continue
        whole = own.reindex(LAGS)
        tone = venue_colour(venue)
        line = Line(
            "correlation",
            tone,
            whole["estimate"].tolist(),
            whole["ci_low"].tolist(),
            whole["ci_high"].tolist(),
        )
        note = f"n = {int(own['n'].max()):,} days at most"
        panels.append(Panel(f"{venue_name(venue)} {symbol}", ticks, [line], note))
    return grid_figure(
        panels,
        title=f"Funding and the returns around it, {period_words(period)}",
        subtitle="Correlation of a day's announced rate with one day's return; bands: 95 % (Newey-West).",
        footer=f"Source: {source}. Left of the dashed line the return came first.",
        unit="",
        x_title="days by which the return follows the rate",
        digits=1,
        same_scale=True,
        band=True,
        mark=LAGS.index(0),
        tall=215,
    )


def deciles_figure(lead_lag: pd.DataFrame, *, source: str = "out_lead_lag") -> Figure:
    """Mean rate by decile of the past return, and mean returns before and after by decile of the rate.

    Args:
        lead_lag: out_lead_lag.
    """
    period = best_period(lead_lag, COMPANION_PERIOD)
    ticks = [str(place) for place in range(1, 11)]
    columns = (
        ("decile", "rate a year"),
        ("decile_future3d", "next 3 days"),
    )
    panels = []
    for venue, _, symbol in leading(lead_lag[lead_lag["kind"] == "decile"]):
        for kind, words in columns:
            own = _own(lead_lag, kind, period, venue, symbol).reindex(range(1, 11))
            line = Line(
                "mean",
                colour("purple" if kind == "decile" else "ochre"),
                (100 * own["estimate"]).tolist(),
                (100 * own["ci_low"]).tolist(),
                (100 * own["ci_high"]).tolist(),
            )
            n = own["n"].sum()
            panels.append(Panel(f"{venue_name(venue)} {symbol}: {words}", ticks, [line], f"n = {int(n):,}"))
    return grid_figure(
        panels,
        title=f"Funding by past return, and returns by funding, {period_words(period)}",
        subtitle="Left: rate by decile of the past 3 days' return. Right: return of the next "
        "3 days by decile of the rate.",
        footer=f"Source: {source}. 1: lowest. Equal rates share a decile, so that some are empty. "
        "95 % intervals (Newey-West).",
        unit="%",
        x_title="decile",
        digits=0,
        tall=190,
    )


def links_figure(lead_lag: pd.DataFrame, *, source: str = "out_lead_lag") -> Figure:
    """Correlation of each announced rate with the return before, during and after, by contract.

    Args:
        lead_lag: out_lead_lag.
    """
    period = best_period(lead_lag, COMPANION_PERIOD)
    rows = lead_lag[lead_lag["period"] == period]
    venues = tuple(sorted(rows["venue"].unique()))
    panels = []
    for base in reversed(BASES):
        chosen = [(venue, symbol) for venue, owner, symbol in leading(rows, venues) if owner == base]
        found = []
        for venue, symbol in chosen:
            for kind, words in _LINKS.items():
                own = _own(lead_lag, kind, period, venue, symbol)
                if len(own):
                    row = own.iloc[0]
                    found.append(
                        IntervalRow(
                            f"{venue_name(venue)} {symbol}: {words}"
                            if kind == "past3d"
                            else f"      {words}",
                            row["estimate"],
                            row["ci_low"],
                            row["ci_high"],
                            int(row["n"]),
                            colour("purple" if kind == "past3d" else "slate"),
                        )
                    )
        panels.append((base, found))
    return interval_figure(
        panels,
        title=f"Funding and the returns before, during and after, {period_words(period)}",
        subtitle="Correlation of each announced rate with the return of the 3 days before, of its interval, "
        "of the 3 days after.",
        unit="correlation",
        footer=f"Source: {source}. n: announced rates. 95 % intervals: Newey-West, fixed-b.",
        column="corr.  [95 %]",
        digits=2,
    )


def _say_correlogram(tables: Tables) -> str:
    lead_lag = tables["out_lead_lag"]
    period = best_period(lead_lag, COMPANION_PERIOD)
    parts = []
    for venue, _, symbol in leading(lead_lag[lead_lag["kind"] == "xcorr_daily"]):
        own = _own(lead_lag, "xcorr_daily", period, venue, symbol)["estimate"]
        before, after = own[own.index < 0], own[own.index > 0]
        if len(before) and len(after):
            parts.append(
                f"{venue_name(venue)} {symbol}: mean over the 30 days before {number(before.mean(), 3)}, "
                f"largest {number(before.max(), 3)} at {number(float(before.idxmax()), 0)} days; mean over "
                f"the 30 days after {number(after.mean(), 3)}"
            )
    return "; ".join(parts)


def _say_deciles(tables: Tables) -> str:
    lead_lag = tables["out_lead_lag"]
    period = best_period(lead_lag, COMPANION_PERIOD)
    parts = []
    for venue, _, symbol in leading(lead_lag[lead_lag["kind"] == "decile"]):
        own = _own(lead_lag, "decile", period, venue, symbol)["estimate"]
        if len(own):
            told = ", ".join(number(100 * value) for value in own)
            parts.append(f"{venue_name(venue)} {symbol}, mean rate by decile in percent a year: {told}")
    return "; ".join(parts)


def _say_links(tables: Tables) -> str:
    lead_lag = tables["out_lead_lag"]
    period = best_period(lead_lag, COMPANION_PERIOD)
    rows = lead_lag[(lead_lag["period"] == period) & lead_lag["kind"].isin(list(_LINKS))]
    return "; ".join(
        f"{venue_name(row['venue'])} {row['symbol']}, {_LINKS[row['kind']]}: {number(row['estimate'], 2)} "
        f"({number(row['ci_low'], 2)} to {number(row['ci_high'], 2)})"
        for row in rows.to_dict("records")
    )


def _links(tables: Tables) -> cells.TableView:
    rows = tables["out_lead_lag"]
    rows = rows[rows["kind"].isin(list(_RETURNS))]
    shown = rows.assign(
        venue=rows["venue"].map(venue_name),
        kind=rows["kind"].map(_RETURNS),
        interval=[
            f"{number(low, 3)} to {number(high, 3)}"
            for low, high in zip(rows["ci_low"], rows["ci_high"], strict=True)
        ],
    )
    headings = {
        "venue": "Venue",
        "symbol": "Contract",
        "period": "Period",
        "kind": "Return",
        "estimate": "Correlation",
        "interval": "95 % interval",
        "n": "Rates",
        "hac_lags": "Lags",
    }
    return cells.view(shown, headings)


FIGURES: tuple[FigureExhibit, ...] = (
    FigureExhibit(
        "correlogram",
        "A",
        "Funding and the returns before and after",
        "Rates are dated by when they became known. To the left of the dashed line the return came first.",
        (14,),
        ("out_lead_lag",),
        lambda tables, source: correlogram_figure(tables["out_lead_lag"], source=source),
        _say_correlogram,
        headline=True,
    ),
    FigureExhibit(
        "deciles",
        "A",
        "Funding by past return, returns by funding",
        "The cross-tabulation of the claim. Left: the rate by what the price did before. Right: what the "
        "price did after, by the rate.",
        (14, 15),
        ("out_lead_lag",),
        lambda tables, source: deciles_figure(tables["out_lead_lag"], source=source),
        _say_deciles,
    ),
    FigureExhibit(
        "three-days",
        "C",
        "The return before, during and after a rate",
        "The three returns of the post: P(t)/P(t−3d)−1, P(t+1)/P(t)−1 and P(t+1+3d)/P(t+1)−1, t when the "
        "rate was announced.",
        (15,),
        ("out_lead_lag",),
        lambda tables, source: links_figure(tables["out_lead_lag"], source=source),
        _say_links,
    ),
)

TABLES: tuple[TableExhibit, ...] = (
    TableExhibit(
        "table-lead-lag",
        "Funding and three-day returns, every contract and period",
        "Correlation of each announced rate with the return; the last rows of a contract are differences.",
        ("out_lead_lag",),
        _links,
        folded=True,
    ),
)
