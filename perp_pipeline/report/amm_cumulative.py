"""The exhibit of fees, convexity and net of liquidity providers, added up over the days."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from perp_pipeline.report import cells
from perp_pipeline.report.amm_pools import pool_label
from perp_pipeline.report.exhibit import FigureExhibit, TableExhibit, Tables
from perp_pipeline.report.intervals import number
from perp_pipeline.report.style import WIDTH, canvas, colour, date_axis, house_style, moved_apart, place
from perp_pipeline.research.amm_profit import MIN_DAYS

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_CUMULATIVE = "out_amm_cumulative"
_SUMS = {
    "fees": ("fees", "green"),
    "convexity_flow": ("convexity, by flow", "vermillion"),
    "convexity_formula": ("convexity, by formula", "ochre"),
    "net": ("net", "blue"),
}
_HEAD, _TALL, _LEFT, _RIGHT = 62, 262, 62, 196
_LABEL = 27
"""Pixels of a label of two lines."""


def cumulative_figure(sums: pd.DataFrame, *, source: str = _CUMULATIVE) -> Figure:
    """Fees, convexity by both routes, and net of fees and flows, added up, each with its 95 % band.

    Args:
        sums: out_amm_cumulative (dollars).
    """
    pools = _pools(sums)
    with house_style():
        figure = canvas(
            _HEAD + _TALL * max(1, len(pools)) + 34,
            "Cumulative fees, convexity and net of liquidity providers",
            "Million dollars since the first day shown; net = fees less convexity by flow. Bands: 95 % "
            "interval of each day's sum.",
            f"Source: {source}. Bootstrap of blocks of the days so far, below {MIN_DAYS} Student's t. "
            f"Lines break at a week without days; runs of fewer than {MIN_DAYS} days are left out.",
        )
        if not pools:
            figure.text(0.5, 0.4, "no data in this window", ha="center")
        for index, (label, own) in enumerate(pools):
            top = _HEAD + _TALL * index + 26
            axes = place(figure, _LEFT, top, WIDTH - _LEFT - _RIGHT, _TALL - 62)
            _draw_pool(axes, label, own)
    return figure


def _pools(sums: pd.DataFrame) -> list[tuple[str, pd.DataFrame]]:
    """Each pool's rows by day, the pools with most days first."""
    found = [
        (pool_label(own.iloc[0].to_dict(), "pool_fee_bp"), own.sort_values("day"))
        for _, own in sums.groupby(["chain", "pool"], sort=True)
    ]
    return sorted(found, key=lambda item: -int(item[1]["n"].max()))


def _draw_pool(axes: Any, label: str, own: pd.DataFrame) -> None:
    from matplotlib import dates as library_of_dates

    library: Any = library_of_dates
    axes.set_label(label)
    axes.text(0, 1.03, label, transform=axes.transAxes, fontweight="bold", va="bottom")
    last = own.iloc[-1]
    told = f"{last['window_start']:%Y-%m-%d} to {last['day']:%Y-%m-%d}, n = {int(last['n']):,} days"
    axes.text(
        1, 1.03, told, transform=axes.transAxes, va="bottom", ha="right", fontsize=8, color=colour("muted")
    )
    axes.grid(axis="y", color=colour("grid"), linewidth=0.8)
    axes.axhline(0, color=colour("zero"), linewidth=1)
    ends = []
    for quantity, (name, tone) in _SUMS.items():
        mine = own[own["quantity"] == quantity]
        for _, run in mine.groupby("run", sort=True):
            x = library.date2num(run["day"].to_numpy())
            value, low, high = (run[c].to_numpy(dtype=float) / 1e6 for c in ("estimate", "ci_low", "ci_high"))
            axes.fill_between(
                x, low, high, color=colour(tone), alpha=0.16, linewidth=0, label=f"{name}, 95 %"
            )
            axes.plot(x, value, color=colour(tone), linewidth=1.8, label=name)
        end = mine[["estimate", "ci_low", "ci_high"]].to_numpy(dtype=float)[-1] / 1e6
        ends.append((name, colour(tone), end))
    axes.locator_params(axis="y", nbins=6)
    low, high = axes.get_ylim()
    digits = max(0, math.ceil(-math.log10((high - low) / 5)))
    _end_labels(axes, ends, digits)
    axes.yaxis.set_major_formatter(lambda value, _: f"{number(value, digits)} m")
    date_axis(axes)


def _end_labels(
    axes: Any, ends: list[tuple[str, str, np.ndarray[Any, np.dtype[np.float64]]]], digits: int
) -> None:
    """Each line's name, last value and interval right of the panel, moved apart where they would touch."""
    low, high = axes.get_ylim()
    gap = (high - low) * _LABEL / (_TALL - 62)
    ordered = sorted(ends, key=lambda item: item[2][0])
    spots = moved_apart([float(end[0]) for *_, end in ordered], gap)
    for y, (name, tone, end) in zip(spots, ordered, strict=True):
        value, *reach = (number(float(item), digits + 1) for item in end)
        said = f"{value}  [{', '.join(reach)}]" if np.isfinite(end).all() else value
        axes.text(
            1.015,
            y,
            f"{name}\n{said}",
            transform=axes.get_yaxis_transform(),
            va="center",
            fontsize=8.5,
            color=tone,
            fontweight="bold",
            linespacing=1.1,
        )


def _say_cumulative(tables: Tables) -> str:
    parts = []
    for label, own in _pools(tables[_CUMULATIVE]):
        last = own.groupby("quantity").tail(1).set_index("quantity")
        told = [
            f"{name} {cells.amount(row['estimate'], 'USD a day')} "
            f"({cells.interval(row['ci_low'], row['ci_high'], 'USD a day')})"
            for quantity, (name, _) in _SUMS.items()
            for row in [last.loc[quantity]]
        ]
        parts.append(f"{label}: " + ", ".join(told))
    return "; ".join(parts)


def _at_year_ends(tables: Tables) -> cells.TableView:
    """The sums at the last day of each calendar year."""
    printed = []
    for label, own in _pools(tables[_CUMULATIVE]):
        ends = own.groupby(["quantity", own["day"].dt.year]).tail(1).set_index(["day", "quantity"])
        for day in sorted(set(ends.index.get_level_values("day"))):
            rows = {quantity: ends.loc[(day, quantity)] for quantity in _SUMS}
            judged = [text for row in rows.values() for text in _millions(row)]
            printed.append([label, f"{day:%Y-%m-%d}", *judged, f"{int(rows['net']['n']):,}"])
    names = [
        heading for name, _ in _SUMS.values() for heading in (f"{name[0].upper()}{name[1:]}", "95 % interval")
    ]
    return cells.texts(["Pool", "To", *names, "Days"], printed, numeric_from=2)


def _millions(row: pd.Series) -> tuple[str, str]:
    value, error, low, high = (number(row[name] / 1e6, 2) for name in ("estimate", "se", "ci_low", "ci_high"))
    if not np.isfinite(row["se"]):
        return value, cells.MISSING
    return f"{value} ({error})", f"{low} to {high}"


FIGURES = (
    FigureExhibit(
        "amm-cumulative",
        "C",
        "Fees, convexity and net, added up",
        "Convexity by flow is what was lost against the price of the day's end; by formula it is "
        "liquidity times variance: an expectation, without the luck of single days. A band is the 95 % "
        "interval of the sum up to that day, from a bootstrap of blocks of the days until then: how far "
        "chance alone moves such a sum. It holds for each day by itself, not for the whole path at once, "
        "and the sums of one pool share their days: they are not independent.",
        (48, 49, 51),
        (_CUMULATIVE,),
        lambda tables, source: cumulative_figure(tables[_CUMULATIVE], source=source),
        _say_cumulative,
    ),
)

TABLES = (
    TableExhibit(
        "table-amm-cumulative",
        "Fees, convexity and net, added up to the ends of years",
        "Million dollars since each pool's first day, standard errors in brackets, from a bootstrap of "
        "blocks of the days so far.",
        (_CUMULATIVE,),
        _at_year_ends,
        folded=True,
        essay="C",
        claims=(48, 49, 51),
    ),
)
