"""Every figure of the project by name, and the one that goes with a table."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd

from perp_pipeline.contracts.model import Contract
from perp_pipeline.report.comparisons import averages_figure, spreads_figure
from perp_pipeline.report.partition import partition_figure
from perp_pipeline.report.series import best_period
from perp_pipeline.report.style import as_markdown_image, render
from perp_pipeline.report.timelines import differences_figure, monthly_figure

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = [
    "as_markdown_image",
    "averages_figure",
    "differences_figure",
    "monthly_figure",
    "partition_figure",
    "render",
    "spreads_figure",
    "table_figure",
]


def table_figure(contract: Contract, frame: pd.DataFrame, *, title: str = "") -> Figure | None:
    """The figure that goes with a table: its own for results, a time series for anything with a time column.

    Args:
        frame: rows of the table (the contract's columns).
        title: of a time series; the table's name by default.

    Returns:
        None where there is nothing to draw: no rows, no time, no number.
    """
    if frame.empty:
        return None
    if contract.name == "out_funding_averages":
        return averages_figure(frame, period=best_period(frame))
    if contract.name == "out_venue_spreads":
        return spreads_figure(frame, period=best_period(frame))
    if contract.name == "out_funding_monthly":
        return monthly_figure(frame, period="all")
    return partition_figure(contract, frame, title=title)
