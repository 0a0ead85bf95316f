"""Exhibits of convexity: by flow and by formula, why they differ, and both added up over the days."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from perp_pipeline.report import cells
from perp_pipeline.report.amm_pools import HEADLINE_MARK, dates, judged, pool_label, profit_by_pool, years
from perp_pipeline.report.exhibit import FigureExhibit, TableExhibit, Tables
from perp_pipeline.report.intervals import IntervalRow, interval_figure, number
from perp_pipeline.report.style import WIDTH, canvas, colour, date_axis, house_style, moved_apart, place
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
_SUMS = {
    "fees_usd": ("fees", "green"),
    "convexity_flow_usd": ("convexity, from flows", "vermillion"),
    "convexity_formula_usd": ("convexity, by formula", "ochre"),
    "pnl_usd": ("net", "blue"),
}
LONGEST_HOLE = pd.Timedelta(days=7)
"""Days farther apart belong to different runs."""


def convexity_figure(profit: pd.DataFrame, *, source: str = _PROFIT) -> Figure:
    """Convexity by both routes with intervals, their difference, and what the days' trend explains of it.

    Args:
        profit: out_amm_profit_per_volume (basis points of volume).
    """
    panels = []
    for label, own in judged(profit_by_pool(profit)):
        rows = []
        for row in years(own[own["mark"] == HEADLINE_MARK]).to_dict("records"):
            if not math.isfinite(row["se"]):
                continue
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
        footer=f"Source: {source}. n: days with swaps. Periods of fewer than {MIN_DAYS} days are left out.",
        digits=1,
        column="bp  [95 % interval]",
    )


def runs(days: pd.DataFrame) -> list[pd.DataFrame]:
    """Runs of days without a hole of more than a week, those too short for an error left out.

    Args:
        days: rows of core_amm_pool_day of one pool, ascending.
    """
    number_of = (days["day"].diff() > LONGEST_HOLE).cumsum()
    return [run for _, run in days.groupby(number_of) if len(run) >= MIN_DAYS]


def cumulative_figure(pool_days: pd.DataFrame, *, source: str = "core_amm_pool_day") -> Figure:
    """Fees, convexity by both routes, and the net of fees and flows, added up over the days of each pool.

    Args:
        pool_days: core_amm_pool_day (dollars).
    """
    pools = []
    for _, own in pool_days.groupby(["chain", "pool"], sort=True):
        kept = runs(own.sort_values("day"))
        if kept:
            pools.append((pool_label(own.iloc[0].to_dict(), "fee_bp"), kept))
    pools.sort(key=lambda item: -sum(run["volume_usd"].sum() for run in item[1]))
    head, tall, left, right = 62, 240, 62, 212
    with house_style():
        figure = canvas(
            head + tall * max(1, len(pools)) + 34,
            "Cumulative fees, convexity and net of liquidity providers",
            "Million dollars since the first day shown; net = fees less convexity from flows.",
            f"Source: {source}. Lines break where the lake has no day for a week; runs of fewer than "
            f"{MIN_DAYS} days are left out.",
        )
        if not pools:
            figure.text(0.5, 0.4, "no data in this window", ha="center")
        for index, (label, kept) in enumerate(pools):
            axes = place(figure, left, head + tall * index + 26, WIDTH - left - right, tall - 62)
            _draw_sums(axes, label, kept, tall - 62)
    return figure


def _draw_sums(axes: Any, label: str, kept: list[pd.DataFrame], height: float) -> None:
    from matplotlib import dates as library_of_dates

    library: Any = library_of_dates
    axes.set_label(label)
    axes.text(0, 1.03, label, transform=axes.transAxes, fontweight="bold", va="bottom")
    first, last = kept[0]["day"].iloc[0], kept[-1]["day"].iloc[-1]
    told = f"{first:%Y-%m-%d} to {last:%Y-%m-%d}, n = {sum(map(len, kept)):,} days"
    axes.text(
        1, 1.03, told, transform=axes.transAxes, va="bottom", ha="right", fontsize=8, color=colour("muted")
    )
    axes.grid(axis="y", color=colour("grid"), linewidth=0.8)
    axes.axhline(0, color=colour("zero"), linewidth=1)
    ends, reach = {}, [0.0]
    for column, (name, tone) in _SUMS.items():
        total = 0.0
        for run in kept:
            sums = total + run[column].to_numpy(dtype=float).cumsum() / 1e6
            x = library.date2num(run["day"].to_numpy())
            axes.plot(x, sums, color=colour(tone), linewidth=1.8, label=name)
            total = float(sums[-1])
            reach += [float(sums.min()), float(sums.max())]
        ends[name] = (total, colour(tone))
    wide = max(reach) - min(reach) or 1.0
    digits = max(0, math.ceil(-math.log10(wide / 5)))
    _end_labels(axes, ends, height, digits + 1)
    axes.locator_params(axis="y", nbins=5)
    axes.yaxis.set_major_formatter(lambda value, _: f"{number(value, digits)} m")
    date_axis(axes)


def _end_labels(axes: Any, ends: dict[str, tuple[float, str]], height: float, digits: int) -> None:
    """Each line's name and last value right of the panel, moved apart where they would touch."""
    low, high = axes.get_ylim()
    gap = (high - low) * 15 / height
    ordered = sorted(ends.items(), key=lambda item: item[1][0])
    spots = moved_apart([value for _, (value, _) in ordered], gap)
    for y, (name, (value, tone)) in zip(spots, ordered, strict=True):
        axes.text(
            1.01,
            y,
            f"{name} {number(value, digits)}",
            transform=axes.get_yaxis_transform(),
            va="center",
            fontsize=8.5,
            color=tone,
            fontweight="bold",
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
            if not math.isfinite(row["se"]):
                continue
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
            if math.isfinite(row["se"]):
                told = [f"{words} {cells.amount(row[f'{n}_bp'], _BP)}" for n, (words, _) in _ROUTES.items()]
                ends = cells.interval(row["convexity_gap_ci_low"], row["convexity_gap_ci_high"], _BP)
                parts.append(f"{label}, {row['period']}: {', '.join(told)} (difference {ends})")
    return "; ".join(parts)


def _say_cumulative(tables: Tables) -> str:
    parts = []
    for _, own in tables["core_amm_pool_day"].groupby(["chain", "pool"], sort=True):
        kept = runs(own.sort_values("day"))
        if kept:
            told = [
                f"{name} {cells.amount(sum(run[column].sum() for run in kept), 'USD a day')}"
                for column, (name, _) in _SUMS.items()
            ]
            parts.append(f"{pool_label(own.iloc[0].to_dict(), 'fee_bp')}: " + ", ".join(told))
    return "; ".join(parts)


FIGURES = (
    FigureExhibit(
        "amm-cumulative",
        "C",
        "Fees, convexity and net, added up",
        "Convexity from flows is what was lost against the price of the day's end; by formula it is "
        "liquidity times variance: an expectation, without the luck of single days.",
        (48, 49, 51),
        ("core_amm_pool_day",),
        lambda tables, source: cumulative_figure(tables["core_amm_pool_day"], source=source),
        _say_cumulative,
    ),
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
