"""What tests of the HTTP layer share."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from http_venue import NOW, Clock

from perp_pipeline.sources.http import Http
from perp_pipeline.sources.store import BodyStore


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def open_http(tmp_path: Path, clock: Clock) -> Iterator[Callable[..., Http]]:
    opened: list[Http] = []

    def make(transport: httpx.BaseTransport | None = None, **settings: Any) -> Http:
        store = BodyStore(tmp_path / "store")
        http = Http(store, transport=transport, sleep=clock.sleep, now=lambda: NOW, **settings)
        opened.append(http)
        return http

    yield make
    for http in opened:
        http.close()
