"""Downloads ahead of their turn: venues together, a venue's tables in order, an end at any time."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pandas as pd
import pytest

from perp_pipeline.ahead import fetched_ahead
from perp_pipeline.contracts.model import Column, Contract
from perp_pipeline.graph import Node
from perp_pipeline.months import Span
from perp_pipeline.sources.base import Request
from perp_pipeline.sources.errors import IncompleteBody, Stopped
from perp_pipeline.sources.http import Http
from perp_pipeline.sources.store import BodyStore

NOW = datetime(2020, 6, 15, tzinfo=UTC)
SPAN = Span.parse("2020-01", "2020-03")


@dataclass
class Source:
    """A dataset that does something before it gives one row."""

    contract: Contract
    venue: str
    act: Callable[[Http], Any]

    def fetch(self, http: Http, span: Span, now: datetime) -> Iterator[pd.DataFrame]:
        self.act(http)
        yield pd.DataFrame({"name": [self.contract.name]})
        yield pd.DataFrame({"name": []})


def node(name: str, venue: str, act: Callable[[Http], Any] = lambda http: None, large: bool = False) -> Node:
    contract = Contract(name, "Doc.", "a name", ("name",), (Column("name", "string", "Name."),), large=large)
    return Node(contract, "raw", None, (Source(contract, venue, act),))


@pytest.fixture
def http(tmp_path: Path) -> Iterator[Http]:
    def limited(request: httpx.Request) -> httpx.Response:
        return httpx.Response(429, headers={"Retry-After": "600"})

    with Http(BodyStore(tmp_path), transport=httpx.MockTransport(limited)) as client:
        yield client


def test_venues_are_waited_for_together(http: Http) -> None:
    both = threading.Barrier(2, timeout=10)  # breaks unless the two venues are asked at the same time
    nodes = [node("raw_a", "a", lambda _: both.wait()), node("raw_b", "b", lambda _: both.wait())]
    with fetched_ahead(nodes, SPAN, http, NOW) as ahead:
        for name in ("raw_a", "raw_b"):
            (frame,) = ahead[name].result(timeout=10)
            assert frame["name"].tolist() == [name]


def test_a_venue_is_asked_for_one_table_after_the_other(http: Http) -> None:
    told: list[str] = []

    def slow(_: Http) -> None:
        told.append("first begins")
        time.sleep(0.05)
        told.append("first ends")

    nodes = [node("raw_first", "a", slow), node("raw_second", "a", lambda _: told.append("second"))]
    with fetched_ahead(nodes, SPAN, http, NOW) as ahead:
        ahead["raw_second"].result(timeout=10)
    assert told == ["first begins", "first ends", "second"]


def test_large_tables_and_their_venue_are_left_to_their_turn(http: Http) -> None:
    nodes = [node("raw_logs", "chain", large=True), node("raw_days", "chain"), node("raw_a", "a")]
    with fetched_ahead(nodes, SPAN, http, NOW) as ahead:
        assert list(ahead) == ["raw_a"]


def test_a_failure_waits_for_its_turn(http: Http) -> None:
    def fail(_: Http) -> None:
        raise IncompleteBody("3 rows are missing")

    nodes = [node("raw_a", "a", fail), node("raw_b", "a")]
    with fetched_ahead(nodes, SPAN, http, NOW) as ahead:
        assert len(ahead["raw_b"].result(timeout=10)) == 1
        with pytest.raises(IncompleteBody, match="3 rows"):
            ahead["raw_a"].result(timeout=10)


def test_an_interrupted_run_does_not_sit_out_the_pauses_of_its_downloads(http: Http) -> None:
    asked = threading.Event()

    def ask(client: Http) -> None:
        asked.set()
        client.fetch(Request("https://venue.example/rates"), final=True)

    nodes = [node("raw_a", "a", ask), node("raw_b", "a")]
    begun = time.monotonic()
    with pytest.raises(KeyboardInterrupt), fetched_ahead(nodes, SPAN, http, NOW) as ahead:
        assert asked.wait(10)
        raise KeyboardInterrupt
    assert time.monotonic() - begun < 10
    with pytest.raises(Stopped):
        ahead["raw_a"].result(timeout=0)
    assert ahead["raw_b"].cancelled()
