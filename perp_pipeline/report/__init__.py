"""Figures and the HTML report, from result tables alone."""

from perp_pipeline.report.context import ReportContext, SourceCount, TableCount, is_simulated
from perp_pipeline.report.figures import as_markdown_image, render, table_figure
from perp_pipeline.report.html import Report, ReportFiles, build_report, essay_figures, write_report

__all__ = [
    "Report",
    "ReportContext",
    "ReportFiles",
    "SourceCount",
    "TableCount",
    "as_markdown_image",
    "build_report",
    "essay_figures",
    "is_simulated",
    "render",
    "table_figure",
    "write_report",
]
