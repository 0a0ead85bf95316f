"""What the wire tests of the funding venues share: downloads from the replay server into a fresh store."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path

import pandas as pd

from perp_pipeline.months import Span
from perp_pipeline.sources.base import Dataset
from perp_pipeline.sources.http import Http
from perp_pipeline.sources.store import BodyStore
from perp_pipeline.sources.universe import Universe, load_universe

NOW = datetime(2026, 11, 22, tzinfo=UTC)


def http_at(url: str | None, store: Path, *, offline: bool = False, now: datetime = NOW) -> Http:
    """A client of the replay server that does not really wait, and whose clock stands still."""
    return Http(
        BodyStore(store),
        gateway=url,
        offline=offline,
        now=lambda: now,
        sleep=lambda _: None,
        read_timeout=5.0,
    )


def only(venue: str, *symbols: str) -> Universe:
    """The universe cut down to some symbols of one venue."""
    universe = load_universe()
    return Universe(
        tuple(i for i in universe.instruments if (i.venue == venue and i.symbol in symbols)),
        tuple(b for b in universe.bars if (b.venue == venue and b.symbol in symbols)),
        universe.announced_ahead,
    )


def download(dataset: Dataset, http: Http, first: str, last: str, now: datetime = NOW) -> pd.DataFrame:
    """All rows of a dataset for a span of months."""
    frames = list(dataset.fetch(http, Span.parse(first, last), now))
    return pd.concat(frames, ignore_index=True) if frames else pd.DataFrame()


def stored(http: Http, kinds: Iterable[str]) -> list[str]:
    """Addresses of the final bodies in the store that contain one of the texts."""
    return [e.request.full_url for e in http.store.entries() if e.final and any(k in e.url for k in kinds)]
