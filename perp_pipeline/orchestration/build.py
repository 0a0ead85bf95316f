"""Everything Dagster sees, put together by a function so that tests can swap the resources."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from functools import cache
from typing import Any

import dagster as dg

from perp_pipeline.graph import Node, pipeline
from perp_pipeline.orchestration.alerts import Alerts, alert_on_failed_check, alert_on_failed_run
from perp_pipeline.orchestration.assets import table_asset
from perp_pipeline.orchestration.jobs import backfill, nightly, nightly_refresh
from perp_pipeline.orchestration.resources import Pipeline
from perp_pipeline.settings import Settings


@cache
def nodes() -> dict[str, Node]:
    """The graph as declared. Which instruments and archives a run uses is settled when it starts."""
    return pipeline(Settings())


def chapter_assets(*chapters: str) -> list[dg.AssetsDefinition]:
    """Assets of the tables that belong to the chapters."""
    return [table_asset(node, nodes()) for node in nodes().values() if node.chapter in chapters]


def build_definitions(resources: Mapping[str, Any] | None = None) -> dg.Definitions:
    """The code location.

    Args:
        resources: in place of the defaults, by name.
    """
    with warnings.catch_warnings():
        # Single-run backfills and mappings to months that are not there yet are marked beta; both are tested.
        warnings.simplefilter("ignore", category=dg.BetaWarning)
        import assets

        tables = dg.load_assets_from_package_module(assets)
    chapter_backfills = [
        dg.define_asset_job(
            f"backfill_{chapter}",
            selection=dg.AssetSelection.tag("chapter", chapter).upstream(),
            description=f"The {chapter} tables with all that they need, for a range of months.",
        )
        for chapter in sorted({node.chapter for node in nodes().values()} - {"raw"})
    ]
    return dg.Definitions(
        assets=tables,
        jobs=[backfill, nightly, *chapter_backfills],
        schedules=[nightly_refresh],
        sensors=[alert_on_failed_run, alert_on_failed_check],
        resources={"pipeline": Pipeline(), "alerts": Alerts(), **(resources or {})},
        # Start-up dominates these steps: one process is several times faster than one per step.
        executor=dg.in_process_executor,
    )
