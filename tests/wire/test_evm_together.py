"""Days of a month that are asked for in one body: fewer requests, the same bodies as one by one."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import httpx
import pandas as pd
import pytest
from chain_wire import GENESIS, SWAP, USDC_WETH, FakeNode, client, one_swap, rows, sets, swap_log

from perp_pipeline.sources import evm_together
from perp_pipeline.sources.errors import TransientError
from perp_pipeline.sources.evm_events import SET_FEE_PROTOCOL
from perp_pipeline.sources.store import BodyStore

MINT = "0x7a53080ba414158be7ec69b987b5fb7d07dee101fe85488f0853ae16239d0bde"
DAYS, BLOCKS = 20, 7200
ALONE = 2
"""The first day's questions, one for each kind of events, are always put alone."""


def _busy(query: dict[str, Any]) -> dict[str, Any]:
    """One event in each range: as none is empty, none is asked for a second time."""
    if query["topics"][0][0] == SWAP:
        return one_swap(query)
    topics = [MINT, *["0x" + "0" * 64] * 3]
    return {"result": [swap_log(query, topics=topics, data="0x" + "0" * 64 * 4)]}


def _node(**options: Any) -> FakeNode:
    return FakeNode(**{"head": GENESIS + BLOCKS * DAYS + 100, "logs": _busy} | options)


def _read(folder: Path, node: FakeNode, **options: Any) -> tuple[pd.DataFrame, dict[str, str]]:
    """The month's days, and digests of what is kept of eth_getLogs by the question."""
    _, days = sets(USDC_WETH)
    http = client(folder, transport=node.transport, attempts=2, body_attempts=2, **options)
    frame = rows(days, http, "2024-01")
    entries = [entry for entry in BodyStore(folder).entries() if isinstance(entry.payload, dict)]
    return frame, {
        json.dumps(entry.payload): entry.sha256
        for entry in entries
        if entry.payload["method"] == "eth_getLogs"
        and entry.payload["params"][0]["topics"] != [[SET_FEE_PROTOCOL.topic0]]
    }


def _refused(message: str = "batch of too many calls") -> httpx.Response:
    return httpx.Response(200, json={"id": None, "error": {"code": -32600, "message": message}})


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> tuple[pd.DataFrame, dict[str, str]]:
    """What comes of a node that refuses every body of many ranges."""
    node = _node(batch=lambda calls: _refused() if calls[0]["method"] == "eth_getLogs" else None)
    found = _read(tmp_path_factory.mktemp("alone"), node)
    assert node.bodies == [1, 1, 38, 19, 9, 4, 2, *[1] * 38]
    return found


def _same(found: tuple[pd.DataFrame, dict[str, str]], expected: tuple[pd.DataFrame, dict[str, str]]) -> None:
    pd.testing.assert_frame_equal(found[0], expected[0])
    assert found[1] == expected[1]
    assert len(found[1]) >= 2 * DAYS


def test_a_month_takes_few_bodies(tmp_path: Path, alone: tuple[pd.DataFrame, dict[str, str]]) -> None:
    node = _node()
    _same(_read(tmp_path, node), alone)
    assert node.bodies == [1, 1, 2 * DAYS - ALONE]
    again = _node()
    _same(_read(tmp_path, again), alone)
    assert not again.bodies


def test_a_smaller_number_is_tried_and_remembered(
    tmp_path: Path, alone: tuple[pd.DataFrame, dict[str, str]]
) -> None:
    node = _node(batch=lambda calls: httpx.Response(413, text="too large") if len(calls) > 10 else None)
    _same(_read(tmp_path, node), alone)
    assert node.bodies == [1, 1, 10, 10, 10, 8]  # it refused 21 block times in one body before


@pytest.mark.parametrize(
    "refusal",
    [
        httpx.Response(400, text="too many"),
        _refused(),
        _refused("batch size too large"),
        httpx.Response(200, json={"id": None, "error": {"code": -32000, "message": "batch limit is 3"}}),
    ],
    ids=["HTTP 400", "invalid request", "too large", "server error"],
)
def test_a_node_of_three_calls_a_body_gives_all(refusal: httpx.Response, tmp_path: Path) -> None:
    """Of quiet days, so that halves are asked for as well. A further run asks for nothing new."""

    def quiet(query: dict[str, Any]) -> dict[str, Any]:
        return {"result": []}

    expected, _ = _read(tmp_path / "any", _node(logs=quiet))
    node = _node(logs=quiet, batch=lambda calls: refusal if len(calls) > 3 else None)
    found, _ = _read(tmp_path / "three", node)
    pd.testing.assert_frame_equal(found, expected)
    assert max(node.bodies) == 2  # block times, asked for before, had shown how many it takes
    again = _node(logs=quiet)
    pd.testing.assert_frame_equal(_read(tmp_path / "three", again)[0], expected)
    assert [call["method"] for call in again.asked] == [
        "eth_chainId",
        *["eth_getBlockByNumber"] * 2,  # the head, and whether it moves
        *["eth_call"] * (2 + DAYS),  # the pool's tokens, and its state before each day
    ]
    offline = _node(logs=quiet)
    pd.testing.assert_frame_equal(_read(tmp_path / "three", offline, offline=True)[0], expected)
    assert not offline.asked


def test_bodies_hold_a_bounded_number_of_logs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(evm_together, "FULL", 5)
    node = _node()
    _read(tmp_path, node)
    assert node.bodies == [1, 1, *[5] * 7, 3]


def test_a_range_too_large_does_not_cost_the_others(
    tmp_path: Path, alone: tuple[pd.DataFrame, dict[str, str]]
) -> None:
    large = GENESIS + 5 * BLOCKS

    def answer(query: dict[str, Any]) -> dict[str, Any]:
        first, last = int(query["fromBlock"], 16), int(query["toBlock"], 16)
        if first == large and last - first + 1 == BLOCKS:
            return {"error": {"code": -32005, "message": "query returned more than 10000 results"}}
        return _busy(query)

    node = _node(logs=answer)
    days, kept = _read(tmp_path, node)
    halves = days[days["first_block"] == large]
    assert halves["n_rows"].tolist() == [2, 2]  # an event in each half
    assert node.bodies[:3] == [1, 1, 38]
    assert sum(node.bodies[3:]) == 6  # alone and in halves, of both kinds
    assert len(kept) == 2 * DAYS + 4
    assert {key: digest for key, digest in kept.items() if key in alone[1] and hex(large) not in key} == {
        key: digest for key, digest in alone[1].items() if hex(large) not in key
    }


def test_a_span_that_the_node_refuses_is_asked_for_in_steps_together(tmp_path: Path) -> None:
    def answer(query: dict[str, Any]) -> dict[str, Any]:
        if int(query["toBlock"], 16) - int(query["fromBlock"], 16) + 1 > 2400:
            return {"error": {"code": -32005, "message": "exceed maximum block range: 2400"}}
        return _busy(query)

    node = _node(logs=answer)
    days, _ = _read(tmp_path, node)
    assert (days["n_rows"] == 3).all()
    # the first day's refusal, its three parts, those of the other kind, then all the rest
    assert node.bodies == [1, 3, 3, 50, 50, 14]


def test_what_fails_for_the_moment_is_asked_again_the_rest_is_kept(
    tmp_path: Path, alone: tuple[pd.DataFrame, dict[str, str]]
) -> None:
    left = [1]

    def busy_once(query: dict[str, Any]) -> dict[str, Any]:
        if query["fromBlock"] == hex(GENESIS + 3 * BLOCKS) and left[0]:
            left[0] -= 1
            return {"error": {"code": -32005, "message": "rate limit, try again"}}
        return _busy(query)

    node = _node(logs=busy_once)
    _same(_read(tmp_path, node), alone)
    assert node.bodies == [1, 1, 38, 1]


def test_bodies_that_never_arrive_whole_are_given_up(
    tmp_path: Path, alone: tuple[pd.DataFrame, dict[str, str]]
) -> None:
    def cut_off(calls: list[dict[str, Any]]) -> httpx.Response | None:
        return httpx.Response(200, text="[{") if calls[0]["method"] == "eth_getLogs" else None

    node = _node(batch=cut_off)
    _same(_read(tmp_path, node), alone)
    assert node.bodies == [1, 1, 38, 38, *[1] * 38]


def test_only_what_is_lacking_is_asked_for(
    tmp_path: Path, alone: tuple[pd.DataFrame, dict[str, str]]
) -> None:
    _read(tmp_path, _node())
    store = BodyStore(tmp_path)
    lost = {hex(GENESIS + day * BLOCKS) for day in (4, 5, 9)}
    for entry in list(store.entries()):
        if isinstance(entry.payload, dict) and entry.payload["method"] == "eth_getLogs":
            first = entry.payload["params"][0]["fromBlock"]
            if first in lost:
                store.forget(entry.request)
    node = _node()
    _same(_read(tmp_path, node), alone)
    assert node.bodies == [6]


def test_what_a_node_does_not_hold_takes_few_bodies_too(tmp_path: Path) -> None:
    pruned = {"error": {"code": 4444, "message": "pruned history unavailable"}}
    node = _node(logs=lambda query: pruned)
    days, _ = _read(tmp_path, node)
    assert days["reason"].str.contains("4444: pruned history unavailable").all()
    assert node.bodies == [1, 1, 38]
    again = _node(logs=lambda query: pruned)
    pd.testing.assert_frame_equal(_read(tmp_path, again)[0], days)
    assert not again.bodies


def test_a_node_that_answers_ten_calls_of_a_body_gets_fewer(
    tmp_path: Path, alone: tuple[pd.DataFrame, dict[str, str]]
) -> None:
    """Block times as well; the ten that it answered are not asked for again."""
    node = _node()

    def ten(calls: list[dict[str, Any]]) -> httpx.Response | None:
        if len(calls) <= 10:
            return None
        limit = {"error": {"code": 429, "message": "compute units per second exceeded"}}
        answers = [limit if n >= 10 else node._answer(call) for n, call in enumerate(calls)]
        return httpx.Response(200, json=[{"jsonrpc": "2.0", "id": n, **a} for n, a in enumerate(answers, 1)])

    node.batch = ten
    _same(_read(tmp_path, node), alone)
    assert node.bodies == [1, 1, 10, 10, 10, 8]  # learned from block times


@pytest.mark.parametrize("message", ["Exceeded the quota usage", "exceeded the RPS limit", "server error"])
def test_a_limit_is_not_taken_for_a_gap(message: str, tmp_path: Path) -> None:
    """A month in which a node stops answering is an error, not days that it does not hold."""
    late = GENESIS + 10 * BLOCKS

    def tired(query: dict[str, Any]) -> dict[str, Any]:
        if int(query["fromBlock"], 16) >= late:
            return {"error": {"code": -32001, "message": message}}
        return _busy(query)

    with pytest.raises(TransientError, match=message):
        _read(tmp_path, _node(logs=tired))
    days, _ = _read(tmp_path, _node())
    assert days["served"].all()


@pytest.mark.parametrize("body", ["null", "5", "true", "[null]", '[{"id": [1]}, {"id": {}}]'])
def test_answers_that_are_none_are_errors_of_the_source(body: str, tmp_path: Path) -> None:
    def odd(calls: list[dict[str, Any]]) -> httpx.Response | None:
        return httpx.Response(200, text=body) if calls[0]["method"] == "eth_getLogs" else None

    days, _ = _read(tmp_path, _node(batch=odd))
    assert days["served"].all()  # asked for one by one


def test_an_answer_that_came_twice_is_not_taken(tmp_path: Path) -> None:
    node = _node()

    def twice(calls: list[dict[str, Any]]) -> httpx.Response | None:
        if calls[0]["method"] != "eth_getLogs":
            return None
        answers = [{"jsonrpc": "2.0", "id": call["id"], **_busy(call["params"][0])} for call in calls]
        return httpx.Response(200, json=[*answers, answers[0] | {"result": []}])

    node.batch = twice
    days, _ = _read(tmp_path, node)
    assert (days["n_rows"] == 1).all()


@pytest.mark.parametrize("indent", [None, 2])
def test_what_is_kept_does_not_depend_on_company_whatever_the_form(
    indent: int | None, tmp_path: Path
) -> None:
    """Answers stand in the body as the node writes them; only the number is that of the question alone."""
    node = _node()

    def formed(calls: list[dict[str, Any]]) -> httpx.Response:
        answers = [{"jsonrpc": "2.0", "id": call["id"], **node._answer(call)} for call in calls]
        return httpx.Response(200, text=json.dumps(answers, indent=indent))

    node.batch = lambda calls: formed(calls) if len(calls) <= 8 else _refused()
    few = _read(tmp_path / "few", node)
    node.batch = formed
    many = _read(tmp_path / "many", node)
    assert few[1] == many[1]


def test_a_node_that_takes_no_lists(tmp_path: Path, alone: tuple[pd.DataFrame, dict[str, str]]) -> None:
    node = _node(batch=lambda calls: httpx.Response(400, text="cannot unmarshal array"))
    found = _read(tmp_path, node)
    assert node.bodies == [1] * 2 * DAYS  # block times, asked for before, had shown it
    _same(found, alone)


def test_a_damaged_answer_costs_one_question(
    tmp_path: Path, alone: tuple[pd.DataFrame, dict[str, str]]
) -> None:
    """Stored answers are read together; one that cannot be read is asked for by itself."""
    _read(tmp_path, _node())
    store = BodyStore(tmp_path)
    entries = [e for e in store.entries() if isinstance(e.payload, dict) and SWAP in json.dumps(e.payload)]
    (tmp_path / entries[7].file).write_bytes(b"torn")
    again = _node()
    _same(_read(tmp_path, again), alone)
    assert again.bodies == [1]
    offline = _node()
    _same(_read(tmp_path, offline, offline=True), alone)
    assert not offline.asked
