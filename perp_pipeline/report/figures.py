"""Every figure of the project by name, and the one that goes with a table."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd

from perp_pipeline.contracts.model import Contract
from perp_pipeline.report.comparisons import averages_figure, spreads_figure
from perp_pipeline.report.exhibit import source_line
from perp_pipeline.report.exhibits import FIGURES
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


def table_figure(
    contract: Contract, frame: pd.DataFrame, *, title: str = "", simulated: bool = False
) -> Figure | None:
    """The figure that goes with a table: the report's first of it, or a time series if it has a time column.

    Args:
        frame: rows of the table (the contract's columns).
        title: of a time series; the table's name by default.
        simulated: the rows come from the simulated market; a figure of results says so.

    Returns:
        None where there is nothing to draw: no rows, no time, no number.
    """
    if frame.empty:
        return None
    source = source_line((contract.name,), simulated)
    if contract.name == "out_funding_averages":
        return averages_figure(frame, period=best_period(frame), source=source)
    if contract.name == "out_venue_spreads":
        return spreads_figure(frame, period=best_period(frame), source=source)
    if contract.name == "out_funding_monthly":
        return monthly_figure(frame, period="all", source=source)
    for exhibit in FIGURES:
        if exhibit.needs == (contract.name,):
            return exhibit.draw({contract.name: frame}, source)
    return partition_figure(contract, frame, title=title)
