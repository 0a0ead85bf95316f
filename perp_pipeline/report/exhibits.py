"""Every exhibit of the report, in order: one entry per theme.

A theme is a module with ``FIGURES`` and ``TABLES``. An exhibit whose tables the lake lacks is left out, and
said so; a result table without an exhibit is printed as it is.
"""

from __future__ import annotations

from perp_pipeline.report import (
    amm,
    averages,
    fair,
    inside_windows,
    lags,
    lead_lag,
    precision,
    prediction,
    quanto,
    regressions,
    rules,
    volatility,
)
from perp_pipeline.report.exhibit import FigureExhibit, TableExhibit

THEMES = (
    averages,
    regressions,
    lead_lag,
    volatility,
    prediction,
    rules,
    inside_windows,
    precision,
    fair,
    quanto,
    amm,
    lags,
)

FIGURES: tuple[FigureExhibit, ...] = tuple(figure for theme in THEMES for figure in theme.FIGURES)
TABLES: tuple[TableExhibit, ...] = tuple(table for theme in THEMES for table in theme.TABLES)


def figures_of(claim_id: int) -> tuple[FigureExhibit, ...]:
    """The figures that answer a claim."""
    return tuple(figure for figure in FIGURES if claim_id in figure.claims)
