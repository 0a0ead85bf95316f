"""A small plot of one partition of any time-partitioned table, chosen from its contract."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from perp_pipeline.contracts.model import Contract
from perp_pipeline.report.intervals import MINUS
from perp_pipeline.report.style import WIDTH, canvas, colour, date_axis, house_style, place

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

PREFERRED = (
    "rate_annual",
    "estimate",
    "settle",
    "close",
    "f1_close",
    "rate",
    "premium_mean",
    "percent",
    "price_end",
    "ret_8h",
)
"""Columns worth drawing, best first; a table with none of them shows its first decimal column."""

_TONES = ("blue", "vermillion", "green", "purple", "ochre", "slate")
_POINTS = 700
_HEIGHT, _LEFT, _RIGHT = 280, 70, 130


def drawn_column(contract: Contract) -> str | None:
    """The column that a plot of the table shows: the first of :data:`PREFERRED`, else a decimal one."""
    decimals = [
        column.name
        for column in contract.columns
        if column.kind == "float64" and column.name not in contract.key
    ]
    named = {column.name for column in contract.columns}
    return next((name for name in PREFERRED if name in named), decimals[0] if decimals else None)


def partition_figure(contract: Contract, frame: pd.DataFrame, *, title: str = "") -> Figure | None:
    """Time series of one column of a table, one line per combination of its text keys.

    The six combinations with most rows have a colour and a name, the others are grey. A line of more than
    700 points is drawn by the lowest and highest value of each stretch.

    Args:
        frame: rows of the table; ``contract.time`` is the x axis.

    Returns:
        None where the contract has no time column or no number, or no row has both.
    """
    column = drawn_column(contract)
    if contract.time is None or column is None or column not in frame:
        return None
    rows = frame[np.isfinite(frame[column].astype("float64"))]
    if rows.empty:
        return None
    times = rows[contract.time]
    times = times.dt.tz_localize(None) if times.dt.tz is not None else times
    unit = contract.column(column).unit
    scale, unit = (100.0, "percent a year") if unit == "fraction a year" else (1.0, unit)
    names = _line_names(contract, rows)
    sizes = names.value_counts(sort=False).sort_index()
    order = [str(name) for name in sizes.sort_values(ascending=False, kind="stable").index]
    with house_style():
        figure = canvas(
            _HEIGHT,
            title or f"{contract.name}: {column}",
            f"{column}{f', {unit}' if unit else ''}; {times.min():%Y-%m-%d} to {times.max():%Y-%m-%d} UTC; "
            f"n = {len(rows):,} rows",
            f"Source: {contract.name}.",
        )
        axes = place(figure, _LEFT, 60, WIDTH - _LEFT - _RIGHT, _HEIGHT - 60 - 52)
        axes.grid(axis="y", color=colour("grid"), linewidth=0.8)
        for rank, name in reversed(list(enumerate(order))):
            chosen = names == name
            x, y = _thinned(times[chosen], scale * rows.loc[chosen, column].astype("float64"))
            tone = colour(_TONES[rank]) if rank < len(_TONES) else colour("grid")
            axes.plot(
                x,
                y,
                color=tone,
                linewidth=1.1,
                marker="o" if len(x) < 40 else "",
                markersize=3,
                label=name or contract.name,
            )
            if rank < len(_TONES) and name:
                _key(axes, rank, _short(name), tone)
        if len(order) > len(_TONES):
            _key(axes, len(_TONES), f"and {len(order) - len(_TONES)} more", colour("muted"))
        low, high = axes.get_ylim()
        if low <= 0 <= high:
            axes.axhline(0, color=colour("zero"), linewidth=1, zorder=1)
        date_axis(axes)
        axes.yaxis.set_major_formatter(lambda value, _: f"{value:,.6g}".replace("-", MINUS))
    return figure


def _line_names(contract: Contract, rows: pd.DataFrame) -> pd.Series:
    """The line that each row belongs to: its text keys that vary, joined; empty where none does."""
    keys = [
        name
        for name in dict.fromkeys((*contract.partition_by, *contract.key))
        if contract.column(name).kind == "string" and rows[name].nunique() > 1
    ]
    if not keys:
        return pd.Series("", index=rows.index)
    return rows[keys].astype("str").agg(" ".join, axis=1)


def _key(axes: Axes, rank: int, text: str, tone: str) -> None:
    axes.text(1.015, 0.97 - 0.13 * rank, text, transform=axes.transAxes, color=tone, va="top", fontsize=8.5)


def _short(name: str, most: int = 18) -> str:
    return name if len(name) <= most else name[: most - 1] + "…"


def _thinned(times: pd.Series, values: pd.Series) -> tuple[npt.NDArray[Any], npt.NDArray[Any]]:
    """At most about :data:`_POINTS` points that keep every peak, in time order."""
    order = np.argsort(times.to_numpy(), kind="stable")
    x, y = times.to_numpy()[order], values.to_numpy()[order]
    if len(x) <= _POINTS:
        return x, y
    edges = np.linspace(0, len(x), _POINTS // 2 + 1).astype(int)
    keep = np.unique(
        [
            place
            for start, end in pairwise(edges)
            for place in (start + int(np.argmin(y[start:end])), start + int(np.argmax(y[start:end])))
        ]
    )
    return x[keep], y[keep]
