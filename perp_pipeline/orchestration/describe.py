"""Metadata of a table: schema from its contract, figures and previews from what was published."""

from __future__ import annotations

from typing import Any

import dagster as dg

from perp_pipeline.contracts.model import Column, Contract
from perp_pipeline.lake import Lake
from perp_pipeline.months import Span
from perp_pipeline.report import as_markdown_image, table_figure
from perp_pipeline.runner import StepReport

PREVIEW_ROWS = 8


def column_schema(contract: Contract) -> dg.TableSchema:
    """Dagster's column schema from the contract."""
    return dg.TableSchema(
        columns=[
            dg.TableColumn(
                column.name,
                type=column.kind,
                description=_describe(column),
                constraints=dg.TableColumnConstraints(
                    nullable=column.nullable, unique=contract.key == (column.name,), other=_bounds(column)
                ),
            )
            for column in contract.columns
        ]
    )


def materialization_metadata(
    contract: Contract, report: StepReport, lake: Lake, span: Span | None
) -> dict[str, Any]:
    """Row count, key range, partitions, kept-out rows, preview and plot of what was just published."""
    metadata: dict[str, Any] = {
        "dagster/row_count": report.rows,
        "partitions_written": len(report.written),
        "partitions_unchanged": len(report.unchanged),
        "rows_kept_out": len(report.dropped),
        "warnings": len(report.warnings),
    }
    if report.note:
        metadata["note"] = report.note
    if report.first is not None:
        metadata["first"] = str(report.first)
        metadata["last"] = str(report.last)
    if len(report.dropped):
        metadata["first_rows_kept_out"] = dg.MetadataValue.md(_markdown(report.dropped.head(PREVIEW_ROWS)))
    if not report.rows or not lake.partitions(contract, span):
        return metadata
    frame = lake.frame(contract, span)
    metadata["preview"] = dg.MetadataValue.md(_markdown(frame.tail(PREVIEW_ROWS)))
    figure = table_figure(contract, frame)
    if figure is not None:
        metadata["plot"] = dg.MetadataValue.md(as_markdown_image(figure))
    return metadata


def _describe(column: Column) -> str:
    return f"{column.doc} [{column.unit}]" if column.unit else column.doc


def _bounds(column: Column) -> list[str]:
    bounds = []
    if column.low is not None:
        bounds.append(f">= {column.low:g}")
    if column.high is not None:
        bounds.append(f"<= {column.high:g}")
    if column.values:
        bounds.append(f"one of {', '.join(column.values)}")
    return bounds


def _markdown(frame: Any) -> str:
    lines = ["| " + " | ".join(map(str, frame.columns)) + " |", "|" + " --- |" * len(frame.columns)]
    for row in frame.itertuples(index=False):
        lines.append("| " + " | ".join(str(value).replace("|", r"\|") for value in row) + " |")
    return "\n".join(lines)
