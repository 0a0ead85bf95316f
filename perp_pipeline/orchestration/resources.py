"""What assets need from outside: a lake and a way to the venues."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime

import dagster as dg

from perp_pipeline.runner import Context
from perp_pipeline.session import open_session, utc_now
from perp_pipeline.settings import Settings


class Pipeline(dg.ConfigurableResource[None]):
    """Settings of the pipeline as Dagster configuration.

    A field left out is taken from the environment when a run starts (PERP_LAKE, PERP_GATEWAY,
    PERP_ARCHIVES, PERP_UNIVERSE, ETH_RPC_URL), so that UI, schedule and command
    line share a lake.
    """

    lake: str | None = None
    gateway: str | None = None
    offline: bool | None = None
    allow_lost_rows: bool = False

    def settings(self) -> Settings:
        """The settings of a run that starts now."""
        return Settings.from_environment(lake=self.lake, gateway=self.gateway, offline=self.offline)

    @contextmanager
    def session(self) -> Iterator[Context]:
        """Open the lake and the HTTP client."""
        with open_session(self.settings(), allow_lost_rows=self.allow_lost_rows) as context:
            yield context

    def now(self) -> datetime:
        """The clock of a run."""
        return utc_now()
