"""Exhibit of the daily volatility of spot prices, month by month (claim 17)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd

from perp_pipeline.report.exhibit import FigureExhibit, TableExhibit, Tables
from perp_pipeline.report.intervals import number
from perp_pipeline.report.series import BASES, months_of, period_words
from perp_pipeline.report.style import WIDTH, canvas, colour, date_axis, house_style, place
from perp_pipeline.research.periods import slice_period
from perp_pipeline.research.volatility import mean_volatility, monthly_volatility

if TYPE_CHECKING:
    from matplotlib.figure import Figure

PERIOD = "2019-01..2024-05"
PUBLISHED = 0.04
"""Claim 17: daily volatility of about 4 %."""

_TONES = {"ETH": "purple", "BTC": "vermillion"}
_LEFT, _TOP, _HIGH, _FOOT, _RIGHT = 62, 66, 250, 52, 150


def _monthly(core_returns_8h: pd.DataFrame) -> dict[str, pd.DataFrame]:
    found = {
        base: monthly_volatility(
            slice_period(core_returns_8h[core_returns_8h["base"] == base], "window_end", PERIOD)
        )
        for base in reversed(BASES)
    }
    return {base: rows for base, rows in found.items() if len(rows)}


def volatility_figure(core_returns_8h: pd.DataFrame, *, source: str = "core_returns_8h") -> Figure:
    """Standard deviation of daily log returns by calendar month, ETH and BTC, beside the published 4 %.

    Args:
        core_returns_8h: the table.
    """
    series = _monthly(core_returns_8h)
    months = max((len(rows) for rows in series.values()), default=0)
    with house_style():
        figure = canvas(
            _TOP + _HIGH + _FOOT,
            f"Daily volatility of spot prices, {period_words(PERIOD)}",
            "Standard deviation of daily log returns within each calendar month; bands and brackets: 95 %.",
            f"Source: {source}. n: up to {months} months. Dashed: the published 4 %. Intervals: Newey-West.",
        )
        axes = place(figure, _LEFT, _TOP, WIDTH - _LEFT - _RIGHT, _HIGH)
        axes.set_label("volatility")
        axes.grid(axis="y", color=colour("grid"), linewidth=0.8)
        axes.axhline(100 * PUBLISHED, color=colour("ink"), linewidth=1.2, linestyle=(0, (5, 3)))
        for index, (base, rows) in enumerate(series.items()):
            tone = colour(_TONES[base])
            days = months_of(rows["month"])
            low, high = (100 * rows[end] for end in ("ci_low", "ci_high"))
            axes.fill_between(
                days.to_numpy(), low, high, color=tone, alpha=0.16, linewidth=0, label=f"{base}, 95 %"
            )
            axes.plot(days.to_numpy(), 100 * rows["volatility"], color=tone, linewidth=1.8, label=base)
            axes.text(
                1.02,
                0.95 - 0.2 * index,
                f"{base}: mean {_mean(rows)}",
                transform=axes.transAxes,
                color=tone,
                va="top",
                fontweight="bold",
                fontsize=9,
            )
        if series:
            date_axis(axes)
        else:
            axes.text(0.5, 0.5, "no data in this window", transform=axes.transAxes, ha="center")
        axes.set_ylim(bottom=0)
        axes.yaxis.set_major_formatter(lambda value, _: f"{number(value, 0)} %")
    return figure


def _mean(rows: pd.DataFrame, between: str = "\n") -> str:
    """``4.16 % [2.84, 5.48]``."""
    mean = mean_volatility(rows)
    said = f"{number(100 * mean.estimate, 2)} %"
    if pd.isna(mean.se):
        return said
    return f"{said}{between}[{number(100 * mean.ci_low, 2)}, {number(100 * mean.ci_high, 2)}]"


def _say(tables: Tables) -> str:
    told = [
        f"{base}: mean of {len(rows)} months {_mean(rows, ' ')} a day, "
        f"lowest {number(100 * rows['volatility'].min(), 1)} %, "
        f"highest {number(100 * rows['volatility'].max(), 1)} % "
        f"({rows.loc[rows['volatility'].idxmax(), 'month']})"
        for base, rows in _monthly(tables["core_returns_8h"]).items()
    ]
    return "; ".join(told) or "no data in this window"


FIGURES: tuple[FigureExhibit, ...] = (
    FigureExhibit(
        "daily-volatility",
        "A",
        "Daily volatility by month",
        "The claim is about an average; months differ by a factor of five and more.",
        (17,),
        ("core_returns_8h",),
        lambda tables, source: volatility_figure(tables["core_returns_8h"], source=source),
        _say,
    ),
)

TABLES: tuple[TableExhibit, ...] = ()
