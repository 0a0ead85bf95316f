"""Jobs and the nightly schedule."""

from __future__ import annotations

import dagster as dg

from perp_pipeline.months import Month
from perp_pipeline.orchestration.partitions import refresh_span

EVERYTHING = dg.AssetSelection.all()

backfill = dg.define_asset_job(
    "backfill",
    selection=EVERYTHING,
    description="Everything, for a range of months: one run for all of them.",
)

nightly = dg.define_asset_job(
    "nightly",
    selection=EVERYTHING,
    description="The open month and the one before it, then every result and the report.",
)


@dg.schedule(
    job=nightly,
    cron_schedule="30 1 * * *",
    execution_timezone="UTC",
    default_status=dg.DefaultScheduleStatus.RUNNING,
    description="Every night at 01:30 UTC, after the 00:00 payments and the archives of the day before.",
)
def nightly_refresh(context: dg.ScheduleEvaluationContext) -> dg.RunRequest:
    """One run over the open month and a trailing month."""
    span = refresh_span(Month.of(context.scheduled_execution_time))
    return dg.RunRequest(
        run_key=context.scheduled_execution_time.strftime("%Y-%m-%d"),
        tags={
            "dagster/asset_partition_range_start": str(span.first),
            "dagster/asset_partition_range_end": str(span.last),
        },
    )
