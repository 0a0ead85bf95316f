"""Metadata of a table: schema from its contract, figures and previews from what was published."""

from __future__ import annotations

from typing import Any

import dagster as dg
import pandas as pd
import pyarrow.parquet as pq

from perp_pipeline.contracts.model import Column, Contract
from perp_pipeline.lake import Lake
from perp_pipeline.months import Span
from perp_pipeline.report import as_markdown_image, is_simulated, table_figure
from perp_pipeline.runner import StepReport

PREVIEW_ROWS = 8
SHOWN_CHARACTERS = 1000
"""Dagster hides longer Markdown behind a link."""
LONGEST_CELL = 40


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
    """Row count, time range, files, kept-out rows, preview and plot of what was just published.

    Of a table by month these are the run's months together; each month's own row count is
    :func:`rows_by_month`.
    """
    metadata: dict[str, Any] = {
        "rows" if contract.time else "dagster/row_count": report.rows,
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
    if contract.large:
        newest = max(key.month for key in lake.partitions(contract, span) if key.month is not None)
        span = Span(newest, newest)
    frame = lake.frame(contract, span)
    metadata["preview"] = dg.MetadataValue.md(_preview(contract, frame))
    figure = table_figure(contract, frame, simulated=is_simulated(lake))
    if figure is not None:
        metadata["plot"] = dg.MetadataValue.md(as_markdown_image(figure))
    return metadata


def rows_by_month(contract: Contract, span: Span, lake: Lake) -> dict[str, int]:
    """Rows that the lake holds of each month; 0 for a month without any."""
    rows = dict.fromkeys(map(str, span), 0)
    for key, path in lake.partitions(contract, span).items():
        with path.open("rb") as file:
            rows[str(key.month)] += pq.read_metadata(file).num_rows
    return rows


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


def _preview(contract: Contract, frame: pd.DataFrame) -> str:
    """The newest rows (the first ones of a table without time), as many as fit into sight."""
    rows = frame.head(PREVIEW_ROWS)
    if contract.time:
        rows = frame.sort_values(contract.time, kind="stable").tail(PREVIEW_ROWS)
    while len(rows) > 3 and len(_markdown(rows)) >= SHOWN_CHARACTERS:
        rows = rows.tail(-1) if contract.time else rows.head(-1)
    return _markdown(rows)


def _markdown(frame: pd.DataFrame) -> str:
    lines = ["|".join(map(str, frame.columns)), "|".join(["-"] * len(frame.columns))]
    lines += ["|".join(_cell(value) for value in row) for row in frame.itertuples(index=False)]
    return "\n".join(f"|{line}|" for line in lines)


def _cell(value: object) -> str:
    if pd.isna(value):
        return ""
    if isinstance(value, pd.Timestamp):
        return str(value.strftime("%Y-%m-%d" if value.tzinfo is None else "%Y-%m-%d %H:%M:%S")).removesuffix(
            ":00"
        )
    text = f"{value:.6g}" if isinstance(value, float) else str(value)
    return (text if len(text) <= LONGEST_CELL else text[: LONGEST_CELL - 1] + "…").replace("|", r"\|")
