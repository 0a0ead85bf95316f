"""Estimates with their intervals, one row each: the form of figure 2 and of other comparisons of means."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from perp_pipeline.report.style import canvas, colour, house_style, place

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MINUS = "\N{MINUS SIGN}"
_ROW, _LEFT, _RIGHT = 27, 236, 492
_NUMBERS, _COUNTS = 500, 650
_CHARACTER = 8.0
_HEAD, _PANEL_HEAD, _FOOT = 62, 30, 74


@dataclass(frozen=True)
class IntervalRow:
    """One estimate, in the figure's unit.

    Attributes:
        low, high: ends of the 95 % interval; NaN where there is none.
        note: said after n, for example where the data begin later than the window.
    """

    label: str
    estimate: float
    low: float
    high: float
    n: int
    colour: str
    note: str = ""

    def numbers(self, digits: int = 1) -> str:
        """``14.2 [10.1, 18.3]``."""
        if math.isnan(self.low) or math.isnan(self.high):
            return number(self.estimate, digits)
        ends = f"[{number(self.low, digits)}, {number(self.high, digits)}]"
        return f"{number(self.estimate, digits)}  {ends}"


def number(value: float, digits: int = 1) -> str:
    """A number with a real minus sign; ``n/a`` for NaN."""
    if math.isnan(value):
        return "n/a"
    text = f"{value:,.{digits}f}"
    if not float(text.replace(",", "")):
        text = text.lstrip("-")
    return text.replace("-", MINUS)


def interval_figure(
    panels: Sequence[tuple[str, Sequence[IntervalRow]]],
    *,
    title: str,
    subtitle: str,
    unit: str,
    footer: str,
    column: str = "mean  [95 % interval]",
    digits: int = 1,
) -> Figure:
    """Points with 95 % intervals, the numbers beside them, one panel per heading, a shared x axis.

    Args:
        panels: heading and rows; an empty panel says that there are no data.
        unit: of the x axis.
        column: heading of the numbers, which have so many ``digits``.
    """
    panels = panels or [("", [])]
    heights = [_PANEL_HEAD + _ROW * max(1, len(rows)) for _, rows in panels]
    with house_style():
        figure = canvas(_HEAD + sum(heights) + _FOOT, title, subtitle, footer)
        every = [row for _, rows in panels for row in rows]
        limits = _limits(every)
        widest = max((len(row.numbers(digits)) for row in every), default=0)
        counts = max(_COUNTS, _NUMBERS + _CHARACTER * widest + 12)
        top = float(_HEAD)
        for place_in_figure, ((heading, rows), height) in enumerate(zip(panels, heights, strict=True)):
            axes = place(figure, _LEFT, top + _PANEL_HEAD, _RIGHT - _LEFT, height - _PANEL_HEAD)
            axes.set_label(heading)
            _draw(axes, heading, rows, limits, digits, counts, column if place_in_figure == 0 else "")
            if place_in_figure == len(panels) - 1:
                axes.set_xlabel(unit, fontsize=9, loc="left", labelpad=4)
            else:
                axes.tick_params(axis="x", labelbottom=False, length=0)
            top += height
    return figure


def _limits(rows: Sequence[IntervalRow]) -> tuple[float, float]:
    ends = [0.0]
    for row in rows:
        ends += [end for end in (row.estimate, row.low, row.high) if math.isfinite(end)]
    low, high = min(ends), max(ends)
    room = 0.04 * (high - low or 1.0)
    return low - room, high + room


def _draw(
    axes: Axes,
    heading: str,
    rows: Sequence[IntervalRow],
    limits: tuple[float, float],
    digits: int,
    counts_at: float,
    column: str,
) -> None:
    axes.set_xlim(*limits)
    axes.set_ylim(max(1, len(rows)) - 0.5, -0.5)
    axes.grid(axis="x", color=colour("grid"), linewidth=0.8)
    axes.axvline(0, color=colour("zero"), linewidth=1)
    blend = axes.get_yaxis_transform()
    left, numbers, counts = ((x - _LEFT) / (_RIGHT - _LEFT) for x in (12, _NUMBERS, counts_at))
    axes.text(left, -0.62, heading, transform=blend, fontweight="bold", va="bottom")
    if column:
        for x, text in ((numbers, column), (counts, "n")):
            axes.text(x, -0.62, text, transform=blend, va="bottom", fontsize=8.5, color=colour("muted"))
    axes.set_yticks([])
    if not rows:
        axes.text(0.5, 0, "no data in this window", transform=blend, ha="center", va="center")
    for y, row in enumerate(rows):
        if math.isfinite(row.low) and math.isfinite(row.high):
            axes.plot([row.low, row.high], [y, y], color=row.colour, linewidth=2.2, solid_capstyle="butt")
        axes.plot([row.estimate], [y], marker="o", markersize=7, color=row.colour, label=row.label)
        # SVG readers drop leading spaces, which indent a row below its heading.
        bare = row.label.lstrip(" ")
        indent = "\N{NO-BREAK SPACE}" * (len(row.label) - len(bare))
        axes.text(left, y, indent + bare, transform=blend, va="center")
        axes.text(numbers, y, row.numbers(digits), transform=blend, va="center", color=row.colour)
        said = f"{row.n:,}" + (f", {row.note}" if row.note else "")
        axes.text(counts, y, said, transform=blend, va="center", fontsize=8.5, color=colour("muted"))
