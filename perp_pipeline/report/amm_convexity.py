"""Exhibits of convexity: by flow and by formula, and why they differ."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from perp_pipeline.report import cells
from perp_pipeline.report.amm_pools import HEADLINE_MARK, dates, judged, profit_by_pool, years
from perp_pipeline.report.exhibit import FigureExhibit, TableExhibit, Tables
from perp_pipeline.report.intervals import IntervalRow, interval_figure, number
from perp_pipeline.report.style import colour
from perp_pipeline.research.amm_profit import MIN_DAYS
from perp_pipeline.research.periods import slice_period

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_BP = "bp of volume"
_PROFIT = "out_amm_profit_per_volume"
_ROUTES = {
    "convexity_flow": ("by flow", "vermillion"),
    "convexity_formula": ("by formula", "ochre"),
    "convexity_gap": ("flow less formula", "ink"),
    "convexity_trend": ("of it the days' trend", "muted"),
}


def convexity_figure(profit: pd.DataFrame, *, source: str = _PROFIT) -> Figure:
    """Convexity by both routes with intervals, their difference, and what the days' trend explains of it.

    Args:
        profit: out_amm_profit_per_volume (basis points of volume).
    """
    panels = []
    for label, own in judged(profit_by_pool(profit)):
        rows = []
        for row in years(own[own["mark"] == HEADLINE_MARK]).to_dict("records"):
            for place_of, (name, (words, tone)) in enumerate(_ROUTES.items()):
                heading = f"{row['period']}, {words}" if not place_of else f"    {words}"
                ends = (row[f"{name}_ci_low"], row[f"{name}_ci_high"])
                rows.append(IntervalRow(heading, row[f"{name}_bp"], *ends, int(row["n"]), colour(tone)))
        panels.append((label, rows))
    return interval_figure(
        panels,
        title="Convexity of liquidity providers, by flow and by formula",
        subtitle="Basis points of volume; 95 % interval (bootstrap of day blocks, the same for all rows of a "
        "period).",
        unit="basis points of volume",
        footer=f"Source: {source}. n: days with swaps; below {MIN_DAYS} by Student's t. Single days are "
        "left out.",
        digits=1,
        column="bp  [95 % interval]",
    )


def _reading(row: dict[Any, Any]) -> str:
    """Whether the routes differ by more than chance."""
    if row["convexity_gap_ci_low"] > 0:
        return "flow costs more"
    return "flow costs less" if row["convexity_gap_ci_high"] < 0 else "within its noise"


def _largest(days: pd.DataFrame) -> str:
    """The days that the difference comes from most, in million dollars."""
    gap = (days["convexity_flow_usd"] - days["convexity_formula_usd"]).to_numpy(dtype=float) / 1e6
    order = np.argsort(-np.abs(gap))[:3]
    return ", ".join(f"{days['day'].iloc[n]:%Y-%m-%d} {number(float(gap[n]), 2)}" for n in order)


def _differences(tables: Tables) -> cells.TableView:
    pool_days = tables["core_amm_pool_day"]
    printed = []
    for label, own in judged(profit_by_pool(tables[_PROFIT])):
        chain, pool = own[["chain", "pool"]].iloc[0]
        mine = pool_days[(pool_days["chain"] == chain) & (pool_days["pool"] == pool)]
        for row in years(own[own["mark"] == HEADLINE_MARK]).to_dict("records"):
            days = slice_period(mine, "day", str(row["period"]))
            printed.append(
                [
                    label,
                    dates(row),
                    _reading(row),
                    _largest(days),
                    *(
                        f"{number(row[f'{name}_bp'])} ({number(row[f'{name}_se'])})"
                        for name in ("convexity_flow", "convexity_formula", "convexity_gap")
                    ),
                    cells.interval(row["convexity_gap_ci_low"], row["convexity_gap_ci_high"], _BP),
                    f"{number(row['convexity_trend_bp'])} ({number(row['convexity_trend_se'])})",
                    f"{int(row['n']):,}",
                ]
            )
    headings = [
        *("Pool", "Period", "Flow against formula", "Largest days, m$", "Flow, bp", "Formula, bp"),
        *("Difference, bp", "95 % interval", "Of it trend, bp", "Days"),
    ]
    return cells.texts(headings, printed, numeric_from=4)


def _say_convexity(tables: Tables) -> str:
    parts = []
    for label, own in judged(profit_by_pool(tables[_PROFIT])):
        for row in years(own[own["mark"] == HEADLINE_MARK]).to_dict("records"):
            told = [f"{words} {cells.amount(row[f'{n}_bp'], _BP)}" for n, (words, _) in _ROUTES.items()]
            ends = cells.interval(row["convexity_gap_ci_low"], row["convexity_gap_ci_high"], _BP)
            parts.append(f"{label}, {row['period']}: {', '.join(told)} (difference {ends})")
    return "; ".join(parts)


FIGURES = (
    FigureExhibit(
        "amm-convexity",
        "C",
        "Convexity by flow and by formula",
        "By flow: fees less profit at the price of the day's end. By formula: L √p r² / 4, with the "
        "liquidity in force and the market's hourly returns. Both expect the same where returns are "
        "uncorrelated. On a day that trends, flow shows the square of the whole day's return and the "
        "formula only the squares of its hours; on a day that comes back it is the other way round. What "
        "that adds is shown as the days' trend. The rest is what traders who know nothing pay back within "
        "the day, the pool's lag behind the market, and liquidity that comes and goes within the hour.",
        (48, 49),
        (_PROFIT,),
        lambda tables, source: convexity_figure(tables[_PROFIT], source=source),
        _say_convexity,
    ),
)

TABLES = (
    TableExhibit(
        "table-amm-convexity",
        "Where flow and formula differ",
        "Basis points of volume, standard errors in brackets, from the same bootstrap of day blocks. A "
        "difference whose interval spans zero is within its noise. The trend is the part that comes from "
        "days whose squared return differs from their variance. The largest days are flow less formula.",
        (_PROFIT, "core_amm_pool_day"),
        _differences,
        essay="C",
        claims=(48, 49),
    ),
)
