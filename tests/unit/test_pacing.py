"""Requests of one host keep its pace; hosts do not wait for each other."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from http_venue import GOOD, Clock, Venue

from perp_pipeline.sources.base import Request
from perp_pipeline.sources.http import Http
from perp_pipeline.sources.pacing import PACES, POLITE, Pace, Pacer


class Ticks:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.mark.parametrize("pace", [Pace(30, 60), Pace(1, 2), Pace(100, 5), POLITE, *PACES.values()])
def test_no_window_ever_holds_more_than_the_pace(pace: Pace) -> None:
    ticks = Ticks()
    pacer = Pacer({"venue.example": pace}, clock=ticks)
    sent = []
    for _ in range(3 * pace.count):
        ticks.now += pacer.reserve("venue.example", "/")
        sent.append(ticks.now)
    for first, moment in enumerate(sent):
        assert sum(moment <= other < moment + pace.seconds - 1e-6 for other in sent[first:]) <= pace.count
    assert sent[-1] - sent[0] <= 3 * pace.seconds * 1.5 + pace.seconds, "and it is not much slower either"


def test_hosts_do_not_wait_for_each_other_and_paths_may_have_a_limit_of_their_own() -> None:
    paces = {"a.example": Pace(1, 10), "a.example/slow": Pace(1, 100)}
    pacer = Pacer(paces, clock=Ticks())
    assert pacer.reserve("a.example", "/x") == 0
    assert pacer.reserve("a.example", "/slow/1") == 0
    assert pacer.reserve("b.example", "/x") == 0
    assert pacer.reserve("a.example", "/y") == 10
    assert pacer.reserve("a.example", "/slow/2") == 100


def test_a_hold_stops_every_request_to_the_host() -> None:
    ticks = Ticks()
    pacer = Pacer(None, clock=ticks)
    pacer.hold("a.example", 30)
    assert pacer.reserve("a.example", "/") == 30
    assert pacer.reserve("b.example", "/") == 0
    ticks.now += 30
    assert pacer.reserve("a.example", "/") == 0


def test_only_the_venues_own_hosts_are_paced_unless_asked(
    open_http: Callable[..., Http], clock: Clock
) -> None:
    requests = [Request("https://slow.example/", params={"n": n}) for n in range(4)]
    http = open_http(Venue(GOOD))
    for request in requests:
        http.fetch(request, final=False)
    assert clock.slept == []
    http = open_http(Venue(GOOD), paced=True, paces={"slow.example": Pace(1, 60)})
    for request in requests:
        http.fetch(request, final=False)
    assert clock.slept == pytest.approx([60, 120, 180], abs=1)
