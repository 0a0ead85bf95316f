"""Figures and the HTML report, from result tables alone."""

from perp_pipeline.report.context import ReportContext, SourceCount, TableCount
from perp_pipeline.report.figures import as_markdown_image, render, table_figure
from perp_pipeline.report.html import Page, ReportFiles, build_page, essay_figures, write_report

__all__ = [
    "Page",
    "ReportContext",
    "ReportFiles",
    "SourceCount",
    "TableCount",
    "as_markdown_image",
    "build_page",
    "essay_figures",
    "render",
    "table_figure",
    "write_report",
]
