"""Small multiples: the same estimates for several contracts, one panel each, with their 95 % intervals."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from perp_pipeline.report.intervals import number
from perp_pipeline.report.style import WIDTH, canvas, colour, house_style, place

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_HEAD, _KEY, _LEFT, _RIGHT, _FOOT = 60, 20, 62, 14, 44
_PANEL_HEAD, _PANEL_FOOT = 24, 42
_CHARACTER = 7.0
_BELOW = 13
"""Pixels of a line below a heading."""


@dataclass(frozen=True)
class Line:
    """Estimates along the x axis of a panel, in the figure's unit; NaN where there is none.

    Attributes:
        lows, highs: ends of the 95 % intervals; empty for none.
    """

    label: str
    colour: str
    estimates: Sequence[float]
    lows: Sequence[float] = ()
    highs: Sequence[float] = ()


@dataclass(frozen=True)
class Panel:
    """One panel.

    Attributes:
        ticks: texts below the x axis, one per place; empty texts are left out. Two lines are allowed.
        lines: each with as many estimates as there are ticks.
        note: right of the heading, such as n.
        below: lines of their own below the heading.
        from_zero: the y axis reaches to zero.
    """

    heading: str
    ticks: Sequence[str]
    lines: Sequence[Line]
    note: str = ""
    below: str = ""
    from_zero: bool = True


def grid_figure(
    panels: Sequence[Panel],
    *,
    title: str,
    subtitle: str,
    footer: str,
    unit: str,
    x_title: str = "",
    columns: int = 2,
    tall: int = 210,
    band: bool = False,
    same_scale: bool = False,
    digits: int = 0,
    mark: int | None = None,
    aligned: bool = False,
) -> Figure:
    """Panels in rows, each with an axis of its own and the zero line.

    Args:
        panels: in reading order; where there are none the figure says so.
        unit: of the y axes, said at their top tick.
        tall: pixels of a panel with its heading and its ticks.
        band: intervals as a band about a line; else as bars through points.
        same_scale: all panels reach as far; else each its own way.
        digits: decimals of the y ticks; more where a panel's scale needs them.
        aligned: lines stand on the ticks rather than side by side; for lines that share no tick.
        mark: place on the x axis at which a vertical line stands.
    """
    rows = max(1, math.ceil(len(panels) / columns))
    keys = _keys(panels)
    below = max((_lines(panel.below) for panel in panels), default=0)
    head = _PANEL_HEAD + _BELOW * below
    top = _HEAD + (_KEY if len(keys) > 1 else 0)
    gap = _LEFT
    width = (WIDTH - _LEFT - _RIGHT - gap * (columns - 1)) / columns
    with house_style():
        figure = canvas(top + tall * rows + _FOOT, title, subtitle, footer)
        if len(keys) > 1:
            _write_keys(figure, keys)
        if not panels:
            figure.text(0.5, 0.4, "no data in this window", ha="center")
        reaches = [_reach([panel]) for panel in panels]
        if same_scale:
            reaches = [_reach(panels)] * len(panels)
        for index, (panel, reach) in enumerate(zip(panels, reaches, strict=True)):
            row, column = divmod(index, columns)
            left = _LEFT + column * (width + gap)
            axes = place(figure, left, top + row * tall + head, width, tall - head - _PANEL_FOOT)
            axes.set_ylim(*reach)
            _draw(axes, panel, band, aligned)
            if mark is not None:
                axes.axvline(mark, color=colour("zero"), linewidth=1, linestyle=(0, (4, 2)))
            axes.locator_params(axis="y", nbins=6, steps=[1, 2, 4, 5, 10])
            axes.yaxis.set_major_formatter(_ticks(reach, unit, digits))
            if index + columns >= len(panels) and x_title:
                axes.set_xlabel(x_title, fontsize=9, loc="left", labelpad=3)
    return figure


def _ticks(reach: tuple[float, float], unit: str, digits: int) -> Callable[[float, float], str]:
    decimals = max(digits, math.ceil(-math.log10((reach[1] - reach[0]) / 5)))
    return lambda value, _: f"{number(value, decimals)} {unit}".rstrip()


def _lines(text: str) -> int:
    return text.count("\n") + 1 if text else 0


def _keys(panels: Sequence[Panel]) -> dict[str, str]:
    return {line.label: line.colour for panel in panels for line in panel.lines}


def _write_keys(figure: Figure, keys: dict[str, str]) -> None:
    tall = figure.get_figheight() * figure.dpi
    left = 12.0
    for label, tone in keys.items():
        figure.text(
            left / WIDTH, 1 - 54 / tall, f"● {label}", va="top", fontsize=9, color=tone, fontweight="bold"
        )
        left += _CHARACTER * 1.16 * (len(label) + 5)


def _reach(panels: Sequence[Panel], room: float = 0.07) -> tuple[float, float]:
    values = [0.0] if not panels or any(panel.from_zero for panel in panels) else []
    for panel in panels:
        for line in panel.lines:
            values += [
                value
                for part in (line.estimates, line.lows, line.highs)
                for value in part
                if np.isfinite(value)
            ]
    low, high = min(values), max(values)
    pad = room * (high - low or 1.0)
    return low - pad, high + pad


def _draw(axes: Axes, panel: Panel, band: bool, aligned: bool) -> None:
    axes.set_label(panel.heading)
    top = 1.04 + _BELOW * _lines(panel.below) / axes.bbox.height
    axes.text(0, top, panel.heading, transform=axes.transAxes, fontweight="bold", va="bottom")
    if panel.below:
        muted = colour("muted")
        axes.text(0, 1.04, panel.below, transform=axes.transAxes, va="bottom", fontsize=8, color=muted)
    axes.text(
        1,
        1.04,
        panel.note,
        transform=axes.transAxes,
        va="bottom",
        ha="right",
        fontsize=8,
        color=colour("muted"),
    )
    axes.grid(axis="y", color=colour("grid"), linewidth=0.8)
    axes.axhline(0, color=colour("zero"), linewidth=1)
    places = np.arange(len(panel.ticks), dtype=float)
    step = 0.0 if band or aligned else min(0.22, 0.6 / max(1, len(panel.lines)))
    for index, line in enumerate(panel.lines):
        x = places + step * (index - (len(panel.lines) - 1) / 2)
        y = np.asarray(line.estimates, dtype=float)
        if len(line.lows):
            lows, highs = np.asarray(line.lows, dtype=float), np.asarray(line.highs, dtype=float)
            if band:
                axes.fill_between(x, lows, highs, color=line.colour, alpha=0.2, linewidth=0)
            else:
                axes.vlines(x, lows, highs, color=line.colour, linewidth=2)
        style = {"linewidth": 1.6} if band else {"linestyle": "", "marker": "o", "markersize": 5}
        axes.plot(x, y, color=line.colour, label=line.label, **style)
    shown = [place for place, text in enumerate(panel.ticks) if text]
    axes.set_xticks(shown, [panel.ticks[place] for place in shown], fontsize=8.5)
    axes.set_xlim(-0.6, len(panel.ticks) - 0.4)
