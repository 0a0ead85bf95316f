"""Days on which nothing happened: believed only where two questions, put differently, agree."""

from __future__ import annotations

import logging
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from chain_wire import (
    DAY,
    GENESIS,
    NOW,
    RPC,
    SWAP,
    USDC_WETH,
    USDC_WETH_30,
    FakeNode,
    client,
    one_swap,
    rows,
    sets,
    swap_log,
)

from perp_pipeline.months import Span
from perp_pipeline.sources import ethereum
from perp_pipeline.sources.errors import NotServed, TransientError
from perp_pipeline.sources.pools import load_registry

Answer = Callable[[dict[str, Any]], dict[str, Any]]
DAYS, BLOCKS = 3, 7200
"""Days that a :class:`FakeNode` holds, and blocks of one."""


def _read(folder: Path, answer: Answer, **options: Any) -> tuple[pd.DataFrame, FakeNode]:
    """The days that a run finds in a lake with a node, and the node."""
    fake, registry = FakeNode(logs=answer), load_registry()
    http = client(folder, transport=fake.transport, attempts=2, body_attempts=2, **options)
    _, days = ethereum.datasets(registry.select((USDC_WETH,)), registry, RPC)
    return rows(days, http, "2024-01"), fake


def _swaps_on(*days: int) -> Answer:
    """A pool with a swap at the middle of some days (0 is the first), as wide as it is asked for."""

    def answer(query: dict[str, Any]) -> dict[str, Any]:
        first, last = int(query["fromBlock"], 16), int(query["toBlock"], 16)
        blocks = [GENESIS + day * BLOCKS + 3000 for day in days]
        found = [swap_log(query, block - first) for block in blocks if first <= block <= last]
        return {"result": found if query["topics"][0][0] == SWAP else []}

    return answer


def _first_time(wrong: Answer, right: Answer, count: int = 1) -> Answer:
    """Wrong for the first questions that the right answer has swaps for."""
    left = [count]

    def answer(query: dict[str, Any]) -> dict[str, Any]:
        good = right(query)
        if good["result"] and left[0]:
            left[0] -= 1
            return wrong(query)
        return good

    return answer


def _nothing(query: dict[str, Any]) -> dict[str, Any]:
    return {"result": []}


def test_a_quiet_month_costs_one_question_more(tmp_path: Path) -> None:
    days, fake = _read(tmp_path, _swaps_on(1))
    assert days.groupby("kind")["n_rows"].sum().to_dict() == {"swaps": 1, "liquidity": 0}
    assert days["served"].all()
    # three days of both kinds, the last two in one body; two days of swaps and three of liquidity in halves
    assert fake.count("eth_getLogs") == 2 * DAYS + 2 * 5
    bodies = [call["id"] for call in fake.asked if call["method"] == "eth_getLogs"]
    assert bodies == [1, 1, *range(1, 5), *range(1, 11)]
    again, nobody = _read(tmp_path, _nothing)
    pd.testing.assert_frame_equal(again, days)
    assert not nobody.count("eth_getLogs")
    offline, _ = _read(tmp_path, _nothing, offline=True)
    pd.testing.assert_frame_equal(offline, days)


def test_a_day_that_is_once_answered_with_nothing_is_not_lost(tmp_path: Path) -> None:
    days, _ = _read(tmp_path / "faulty", _first_time(_nothing, _swaps_on(0, 1, 2)))
    assert days["n_rows"].sum() == 3
    clean, _ = _read(tmp_path / "clean", _swaps_on(0, 1, 2))
    pd.testing.assert_frame_equal(days, clean)
    offline, _ = _read(tmp_path / "faulty", _nothing, offline=True)
    pd.testing.assert_frame_equal(offline, clean)


def test_a_node_that_contradicts_itself_is_an_error_and_nothing_of_it_is_kept(tmp_path: Path) -> None:
    right = _swaps_on(0, 1, 2)

    def answer(query: dict[str, Any]) -> dict[str, Any]:
        whole = int(query["toBlock"], 16) - int(query["fromBlock"], 16) + 1 == BLOCKS
        return _nothing(query) if whole else right(query)

    with pytest.raises(TransientError, match=r"raw_eth_logs swaps 2024-01-01: .* leaves logs out"):
        _read(tmp_path, answer)
    days, _ = _read(tmp_path, right)
    assert days["n_rows"].sum() == 3


def test_halves_that_are_refused_are_no_agreement(tmp_path: Path) -> None:
    def answer(query: dict[str, Any]) -> dict[str, Any]:
        if int(query["toBlock"], 16) - int(query["fromBlock"], 16) + 1 == BLOCKS:
            return _nothing(query)
        return {"error": {"code": -32005, "message": "query returned more than 10000 results"}}

    with pytest.raises(TransientError, match="leaves logs out"):
        _read(tmp_path, answer)


def test_a_part_of_a_split_day_is_not_lost(tmp_path: Path) -> None:
    def limited(right: Answer) -> Answer:
        def answer(query: dict[str, Any]) -> dict[str, Any]:
            if int(query["toBlock"], 16) - int(query["fromBlock"], 16) + 1 > 1000:
                return {"error": {"code": -32005, "message": "block range too large, max: 1000"}}
            return right(query)

        return answer

    every = one_swap
    clean, _ = _read(tmp_path / "clean", limited(every))
    faulty, _ = _read(tmp_path / "faulty", limited(_first_time(_nothing, every)))
    pd.testing.assert_frame_equal(faulty, clean)
    assert clean.query("kind == 'swaps'")["n_rows"].tolist() == [8] * DAYS


def test_a_span_that_was_refused_is_not_tried_again_in_the_month(tmp_path: Path) -> None:
    refused: list[int] = []

    def answer(query: dict[str, Any]) -> dict[str, Any]:
        span = int(query["toBlock"], 16) - int(query["fromBlock"], 16) + 1
        if span > 1000:
            refused.append(span)
            return {"error": {"code": -32005, "message": "exceed maximum block range: 1000"}}
        return one_swap(query)

    days, _ = _read(tmp_path, answer)
    assert refused == [BLOCKS]
    assert days["served"].all()
    again, nobody = _read(tmp_path, _nothing, offline=True)
    pd.testing.assert_frame_equal(again, days)
    assert not nobody.asked
    whole, other = _read(tmp_path, one_swap)  # a node without that limit goes on from what there is
    pd.testing.assert_frame_equal(whole, days)
    assert not other.count("eth_getLogs")


def test_a_day_without_swaps_between_busy_ones_is_worth_a_word(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    def answer(query: dict[str, Any]) -> dict[str, Any]:
        first, last = int(query["fromBlock"], 16), int(query["toBlock"], 16)
        quiet = range(GENESIS + BLOCKS, GENESIS + 2 * BLOCKS)
        blocks = [block for block in range(first, last + 1) if block not in quiet and block % 60 == 0]
        found = [swap_log(query, block - first) for block in blocks]
        return {"result": found if query["topics"][0][0] == SWAP else []}

    days, _ = _read(tmp_path, answer)
    assert days.query("kind == 'swaps'")["n_rows"].tolist() == [120, 0, 120]
    said = [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING]
    assert any("2024-01-02: no swap, asked for in two ways, between days of 120 and 120" in m for m in said)


def test_a_refused_day_after_a_served_one_is_worth_a_word(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    def answer(query: dict[str, Any]) -> dict[str, Any]:
        if int(query["toBlock"], 16) >= GENESIS + BLOCKS:
            return {"error": {"code": 4444, "message": "pruned history unavailable"}}
        return one_swap(query)

    days, _ = _read(tmp_path, answer)
    assert days.query("kind == 'swaps'")["served"].tolist() == [True, False, False]
    assert caplog.text.count("the node holds the day before, not this one") == 1
    assert "2024-01-02" in caplog.text


def test_a_day_within_which_the_record_ends_is_said_to_be_no_pool_day(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    ends = GENESIS + BLOCKS + 2100

    def answer(query: dict[str, Any]) -> dict[str, Any]:
        first, last = int(query["fromBlock"], 16), int(query["toBlock"], 16)
        if last > ends:
            return {"error": {"code": 4444, "message": "pruned history unavailable"}}
        found = [swap_log(query, block - first) for block in range(first, last + 1) if block % 60 == 0]
        return {"result": found if query["topics"][0][0] == SWAP else []}

    days, _ = _read(tmp_path, answer)
    swaps = days.query("kind == 'swaps'")
    assert swaps["served"].tolist() == [True, False, False]
    assert swaps["last_block"].tolist()[1] == ends
    held = swaps["n_rows"].tolist()[1]
    said = (
        f"2024-01-02: the node's record ends within this day, at block {ends} after {held} swaps: no pool-day"
    )
    assert caplog.text.count(said) == 1
    assert "holds the day before, not this one" not in caplog.text


def test_a_pool_without_any_swap_is_an_error_where_it_was_asked_for(tmp_path: Path) -> None:
    fake, registry = FakeNode(logs=_nothing), load_registry()
    http = client(tmp_path, transport=fake.transport)
    _, days = ethereum.datasets(registry.select((USDC_WETH,)), registry, RPC, required=frozenset({USDC_WETH}))
    with pytest.raises(NotServed, match="answers for 3 days, and none has a swap"):
        list(days.fetch(http, Span.parse("2024-01", "2024-01"), NOW))
    found, _ = _read(tmp_path, one_swap)  # nothing of it is held against another node
    assert found["n_rows"].sum() == DAYS


def test_nothing_is_asked_about_days_before_the_protocol(tmp_path: Path) -> None:
    fake, registry = FakeNode(logs=_nothing), load_registry()
    http = client(tmp_path, transport=fake.transport)
    logs, days = ethereum.datasets(registry.select((USDC_WETH,)), registry, RPC)
    for dataset in (logs, days):
        assert not list(dataset.fetch(http, Span.parse("2017-01", "2021-04"), NOW))
    assert {call["method"] for call in fake.asked} == {"eth_chainId", "eth_getBlockByNumber"}
    assert fake.count("eth_getBlockByNumber") == 2  # the head, and whether it moves


def test_the_first_day_of_a_pool() -> None:
    registry = load_registry()
    known, other = registry.select((USDC_WETH, "ethereum:0x" + "ab" * 20))
    assert known.created == date(2021, 5, 4)
    assert other.created is None  # which protocol it is of is not known yet
    assert registry.with_tracks(other).created == date(2021, 5, 4)
    pair = registry.with_tracks(replace(other, protocol="uniswap_v2"))
    assert (pair.asks_for(date(2020, 5, 3)), pair.asks_for(date(2020, 5, 4))) == (False, True)


@pytest.mark.parametrize("first", [1, 2])
def test_a_real_day_answered_with_nothing(replay: Any, tmp_path: Path, first: int) -> None:
    window = {"window": DAY}
    clean = rows(sets(USDC_WETH_30, **window)[0], client(tmp_path / "clean", replay.url), "2024-01")
    assert len(clean) == 304
    replay.faults([{"match": "eth-rpc", "body": "eth_getLogs", "kind": "empty_list", "first": first}])
    http = client(tmp_path / "faulty", replay.url, attempts=2, body_attempts=2)
    with suppress(TransientError):
        pd.testing.assert_frame_equal(rows(sets(USDC_WETH_30, **window)[0], http, "2024-01"), clean)
    replay.faults([])
    pd.testing.assert_frame_equal(rows(sets(USDC_WETH_30, **window)[0], http, "2024-01"), clean)
