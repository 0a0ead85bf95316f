"""Exhibit of the rules: what a premium pays by the venues' clamp, and by the rules that the essays state."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from perp_pipeline.report.exhibit import FigureExhibit, TableExhibit, Tables
from perp_pipeline.report.intervals import number
from perp_pipeline.report.style import WIDTH, canvas, colour, house_style, place
from perp_pipeline.theory.funding_map import BINANCE, PAYMENTS_A_YEAR, annual_from_8h, annual_from_daily

if TYPE_CHECKING:
    from matplotlib.figure import Figure

CLAIMS = (21, 22, 23)
"""Claims that say what a premium is worth a year: each takes it for a rate a day."""

_REACH = 0.0013
_LEFT, _TOP, _HIGH, _FOOT = 62, 86, 330, 66


def _printed(parts: pd.DataFrame) -> list[tuple[int, float, str]]:
    """Claim, its premium, and the rate a year that its text prints for it."""
    own = parts[(parts["part"] == 1) & (parts["variant"] == 0)].set_index("claim_id")
    return [
        (
            claim,
            float(own.loc[claim, "estimate"]) / 365.0,
            str(own.loc[claim, "published"]).replace(".00", "").removesuffix(" a year"),
        )
        for claim in CLAIMS
        if claim in own.index
    ]


def map_figure(parts: pd.DataFrame, *, source: str = "out_claim_parts") -> Figure:
    """Rate a year by the average premium of a window, by three rules, with the numbers that the essays print.

    Args:
        parts: out_claim_parts.
    """
    premium = np.linspace(-_REACH, _REACH, 481)
    low, high = BINANCE.flat_zone
    lines = (
        ("the venues' rule: Binance, BitMEX", 100 * BINANCE.annual(premium), "vermillion", "-", 2.4),
        ("per day: premium × 365", 100 * 365 * premium, "slate", (0, (5, 2)), 1.8),
        ("per 8 hours: premium × 1095", 100 * PAYMENTS_A_YEAR * premium, "ochre", (0, (1, 1.5)), 1.8),
    )
    with house_style():
        figure = canvas(
            _TOP + _HIGH + _FOOT,
            "What a premium pays",
            "Funding in percent a year, by a window's average premium. Shaded: the flat zone, which pays the "
            "default.",
            f"Source: {source}, and the rules. n: none. Circles: what the essays print, claims 21 to 23.",
        )
        axes = place(figure, _LEFT, _TOP, WIDTH - _LEFT - 24, _HIGH)
        axes.set_label("map")
        axes.axvspan(100 * low, 100 * high, color=colour("grid"), alpha=0.5, linewidth=0)
        axes.axhline(0, color=colour("zero"), linewidth=1)
        axes.axvline(0, color=colour("zero"), linewidth=1)
        axes.grid(axis="y", color=colour("grid"), linewidth=0.8)
        for label, rate, tone, dashes, wide in lines:
            axes.plot(100 * premium, rate, color=colour(tone), linewidth=wide, linestyle=dashes, label=label)
        for claim, at, printed in _printed(parts):
            spot = (100 * at, 100 * annual_from_daily(at))
            axes.plot([spot[0]], [spot[1]], "o", color=colour("ink"), label=f"claim {claim}")
            axes.annotate(
                f"claim {claim}: {printed}",
                spot,
                xytext=(8, -12),
                textcoords="offset points",
                fontsize=8.5,
            )
        axes.set_xlim(-100 * _REACH, 100 * _REACH)
        axes.set_ylim(-100, 100)
        axes.xaxis.set_major_formatter(lambda value, _: f"{number(value, 2)} %")
        axes.yaxis.set_major_formatter(lambda value, _: f"{number(value, 0)} %")
        axes.set_xlabel("average premium of the window", fontsize=9, loc="left", labelpad=4)
        left = 12.0
        for label, _, tone, _, _ in lines:
            figure.text(
                left / WIDTH,
                1 - 56 / (_TOP + _HIGH + _FOOT),
                f"● {label}",
                va="top",
                fontsize=9,
                color=colour(tone),
                fontweight="bold",
            )
            left += 7.9 * (len(label) + 4)
    return figure


def _say_map(tables: Tables) -> str:
    told = []
    for claim, at, printed in _printed(tables["out_claim_parts"]):
        rules = (float(BINANCE.annual(at)), annual_from_daily(at), annual_from_8h(at))
        venue, daily, hours = (number(100 * paid, 1) for paid in rules)
        told.append(
            f"a premium of {number(100 * at, 4).rstrip('0')} % pays {venue} % a year by the venues' rule, "
            f"{daily} % taken for a rate a day, {hours} % taken for a rate per 8 hours; claim {claim} says "
            f"{printed}"
        )
    low, high = BINANCE.flat_zone
    zone = f"every premium from {number(100 * low, 2)} % to {number(100 * high, 2)} % pays the default"
    return "; ".join([*told, zone])


FIGURES: tuple[FigureExhibit, ...] = (
    FigureExhibit(
        "premium-map",
        "A",
        "What a premium pays",
        "The essays take a premium for a rate a day. Binance and BitMEX pay the premium itself each 8 hours, "
        "less 0.05 %, and the default of 0.01 % anywhere inside the flat zone.",
        (3, 20, 21, 22, 23, 25, 26, 27),
        ("out_claims", "out_claim_parts"),
        lambda tables, source: map_figure(tables["out_claim_parts"], source=source),
        _say_map,
    ),
)

TABLES: tuple[TableExhibit, ...] = ()
