"""Exhibit of what verdicts hang on: headline numbers with their intervals by Newey-West lags."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pandas as pd

from perp_pipeline.report import cells
from perp_pipeline.report.exhibit import FigureExhibit, TableExhibit, Tables
from perp_pipeline.report.grids import Line, Panel, grid_figure
from perp_pipeline.report.style import colour

if TYPE_CHECKING:
    from matplotlib.figure import Figure

HEADLINES = (1, 2, 6, 7, 9, 10, 12, 14, 15, 16)
"""Claims whose first judged numbers, means, correlations or slopes over days, are drawn in any case."""

CLAIMS = (*HEADLINES, 17, 18, 19, 20, 24, 28, 30, 32, 33, 36, 37, 38, 39, 51, 52, 53)
"""Claims of which a number is judged with a Newey-West error."""

_PERCENT = ("fraction", "share")
"""How units begin that are shown in per cent."""

_TONES = {"holds": "green", "weak": "ochre", "fails": "vermillion"}
_NOTHING = float("nan")
_SHARP = 0.1


def _chosen(parts: pd.DataFrame) -> list[list[dict[Any, Any]]]:
    """Numbers with variants by lags, each as its rows, itself first.

    The first judged number of each claim of HEADLINES, and all whose verdict hangs on the lags.
    """
    by_lags = (parts["variant"] == 0) | parts["by"].str.fullmatch(r"\d+ lags")
    found: list[list[dict[Any, Any]]] = []
    for claim, own in parts[by_lags & parts["verdict"].notna()].groupby("claim_id", sort=True):
        numbers = [
            group.sort_values("variant").to_dict("records")
            for _, group in own.groupby("part", sort=True)
            if len(group) > 1
        ]
        always = numbers[:1] if claim in HEADLINES else []
        rest = numbers[len(always) :]
        found += [*always, *(rows for rows in rest if len({row["verdict"] for row in rows}) > 1)]
    return found


def lags_figure(parts: pd.DataFrame, *, source: str = "out_claim_parts") -> Figure:
    """The interval of each number as it is judged, and with 30, 60, 120 and 250 lags; colours are verdicts.

    Args:
        parts: out_claim_parts.
    """
    panels = []
    for rows in _chosen(parts):
        factor = 100.0 if str(rows[0]["unit"]).startswith(_PERCENT) else 1.0
        ticks = ["as judged", *(row["by"] for row in rows[1:])]
        lines = []
        for verdict, tone in _TONES.items():
            here = [row["verdict"] == verdict for row in rows]
            values = {
                name: [
                    factor * row[name] if shown else _NOTHING for row, shown in zip(rows, here, strict=True)
                ]
                for name in ("estimate", "ci_low", "ci_high")
            }
            lines.append(Line(verdict, colour(tone), values["estimate"], values["ci_low"], values["ci_high"]))
        heading = f"Claim {rows[0]['claim_id']}"
        label = _short(rows[0]["label"]) + (", %" if factor > 1 else "")
        below = f"{label}\npublished: {rows[0]['published']}; n = {rows[0]['n']:,}"
        panels.append(Panel(heading, ticks, lines, below=below, from_zero=not _sharp(rows)))
    return grid_figure(
        panels,
        title="Do verdicts hang on the number of lags?",
        subtitle="95 % intervals as judged and with other Newey-West lags. Colour: the verdict of each.",
        footer=f"Source: {source}. n: days, payments or windows.",
        unit="",
        digits=0,
        tall=204,
        aligned=True,
    )


def _sharp(rows: list[dict[Any, Any]]) -> bool:
    """Intervals would be too small to see on an axis that reaches to zero."""
    widest = max(row["ci_high"] - row["ci_low"] for row in rows)
    return bool(widest < _SHARP * abs(rows[0]["estimate"]))


def _short(label: str) -> str:
    """A label of up to 56 characters; of a longer one, the words at its ends, which tell neighbours apart."""
    if len(label) <= 56:
        return label
    return f"{label[:28].rpartition(' ')[0]} … {label[-28:].partition(' ')[2]}"


def _say(tables: Tables) -> str:
    told = []
    for rows in _chosen(tables["out_claim_parts"]):
        unit = str(rows[0]["unit"])
        routes = []
        for row in rows:
            reach = cells.interval(row["ci_low"], row["ci_high"], unit)
            routes.append(f"{row['by'] or 'as judged'} {reach} ({row['verdict']})")
        told.append(f"Claim {rows[0]['claim_id']}, {rows[0]['label']}: {', '.join(routes)}")
    return "; ".join(told) or "no number has variants by lags"


FIGURES: tuple[FigureExhibit, ...] = (
    FigureExhibit(
        "intervals-by-lags",
        "B",
        "Intervals by lags",
        "Funding is persistent, so that intervals depend on how many lags an error allows for. Numbers are "
        "judged with the lags that each series' own persistence asks for; where another choice would change "
        "a verdict, the claim's reason says so.",
        CLAIMS,
        ("out_claim_parts",),
        lambda tables, source: lags_figure(tables["out_claim_parts"], source=source),
        _say,
        across=True,
    ),
)

TABLES: tuple[TableExhibit, ...] = ()
