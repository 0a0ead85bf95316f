"""The one partition definition: calendar months in UTC, the open month included."""

from __future__ import annotations

import dagster as dg

from perp_pipeline.months import FIRST_MONTH, Month, Span
from perp_pipeline.steps import Input

MONTHS = dg.MonthlyPartitionsDefinition(
    start_date=str(FIRST_MONTH), fmt="%Y-%m", timezone="UTC", end_offset=1
)


def span_of(partition_keys: list[str]) -> Span:
    """Months of a run's partition range."""
    return Span.parse(min(partition_keys), max(partition_keys))


def refresh_span(now: Month) -> Span:
    """What the nightly refreshes: the open month, and the one before it for late corrections."""
    return Span(now - 1, now)


def mapping(item: Input, upstream_by_month: bool, downstream_by_month: bool) -> dg.PartitionMapping | None:
    """Which upstream months a month needs; None leaves Dagster's default."""
    if not (upstream_by_month and downstream_by_month):
        return None
    if item.whole:
        return dg.AllPartitionMapping()
    if not (item.before or item.after):
        return None
    return dg.TimeWindowPartitionMapping(
        start_offset=-item.before, end_offset=item.after, allow_nonexistent_upstream_partitions=True
    )
