"""The code location on the simulated market."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import dagster as dg
import pandas as pd

from perp_pipeline.months import Span
from perp_pipeline.orchestration.build import build_definitions
from perp_pipeline.orchestration.resources import Pipeline
from perp_pipeline.runner import Context
from perp_pipeline.session import open_session
from perp_pipeline.simulation import open_market

MONTHS = Span.parse("2020-11", "2021-03")
NOW = datetime(2021, 3, 20, tzinfo=UTC)
FUNDING = ["raw/binance_funding", "raw/bitmex_funding", "core/funding_payments", "core/funding_8h"]

Spoil = Callable[[pd.DataFrame], pd.DataFrame]
SPOILED: dict[str, Spoil] = {}
"""What happens to a built table before its audit; set by tests through the ``spoil`` fixture."""


class SimulatedPipeline(Pipeline):
    """The pipeline resource with the simulated market as its network and a clock that stands still."""

    @contextmanager
    def session(self) -> Iterator[Context]:
        market = open_market(7, MONTHS, NOW)
        with open_session(
            self.settings(),
            transport=market.transport,
            market="simulated seed 7",
            clock=self.now,
            allow_lost_rows=self.allow_lost_rows,
            archives=market.archives,
            universe=market.universe,
            sleep=lambda seconds: None,
        ) as context:
            for table, change in SPOILED.items():
                node = context.nodes[table]
                assert node.step is not None
                build = node.step.build

                def spoiled(*, _build: Any = build, _change: Spoil = change, **frames: Any) -> pd.DataFrame:
                    made = _build(**frames)
                    return _change(getattr(made, "frame", made))

                context.nodes[table] = replace(node, step=replace(node.step, build=spoiled))
            yield context

    def now(self) -> datetime:
        return NOW


class Launch:
    """Materialises assets as the UI does: a run of the backfill job with a selection and months."""

    def __init__(self, lake: Path, instance: dg.DagsterInstance) -> None:
        self.instance = instance
        definitions = build_definitions({"pipeline": SimulatedPipeline(lake=str(lake))})
        self.job = definitions.resolve_job_def("backfill")

    def __call__(self, assets: list[str], first: str, last: str | None = None) -> dg.ExecuteInProcessResult:
        return self.job.execute_in_process(
            asset_selection=[dg.AssetKey(key.split("/")) for key in assets],
            tags={
                "dagster/asset_partition_range_start": first,
                "dagster/asset_partition_range_end": last or first,
            },
            instance=self.instance,
            raise_on_error=False,
        )
