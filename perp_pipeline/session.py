"""A run's surroundings, opened once and closed at its end: lake, HTTP client, graph, clock."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from perp_pipeline.graph import pipeline
from perp_pipeline.lake import Lake
from perp_pipeline.lake.files import sweep_scratch
from perp_pipeline.runner import Context
from perp_pipeline.settings import Settings

if TYPE_CHECKING:
    import httpx

    from perp_pipeline.sources.pinned import PinnedArchive
    from perp_pipeline.sources.pools import Registry
    from perp_pipeline.sources.progress import Event
    from perp_pipeline.sources.universe import Universe

REAL = "real"


def utc_now() -> datetime:
    """The clock of a real run."""
    return datetime.now(UTC)


@contextmanager
def open_session(
    settings: Settings,
    *,
    transport: httpx.BaseTransport | None = None,
    market: str = REAL,
    clock: Callable[[], datetime] = utc_now,
    allow_lost_rows: bool = False,
    archives: tuple[PinnedArchive, ...] | None = None,
    universe: Universe | None = None,
    pools: Registry | None = None,
    progress: Callable[[Event], None] | None = None,
    sleep: Callable[[float], object] | None = None,
) -> Iterator[Context]:
    """Open what :func:`~perp_pipeline.runner.run_node` needs.

    Args:
        transport: answers instead of the network (the simulated market).
        market: whose data the lake will hold; a lake holds one market's only.
        archives, universe, pools: pinned archives, instruments and AMM pools in place of the declared lists
            (the simulated market's).
        progress: told of every download.
        sleep: how to wait between attempts, in place of the clock (tests do not).

    Raises:
        LakeError: the lake holds another market's data.
    """
    from perp_pipeline.sources.http import Http
    from perp_pipeline.sources.store import BodyStore

    lake = Lake.at(settings.lake)
    lake.claim_for(market)
    sweep_scratch(lake.root)
    http = Http(
        BodyStore(lake.root / "raw" / "_downloads"),
        gateway=settings.gateway,
        offline=settings.offline,
        transport=transport,
        now=clock,
        progress=progress,
        sleep=sleep,
    )
    try:
        yield Context(
            lake, http, settings, clock(), pipeline(settings, archives, universe, pools), allow_lost_rows
        )
    finally:
        http.close()
        sweep_scratch(lake.root)
