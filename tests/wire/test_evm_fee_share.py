"""The protocol's share of fees that was switched on before the days that are read."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from dataclasses import replace
from datetime import date, timedelta
from math import isqrt
from pathlib import Path
from typing import Any

import httpx
import pandas as pd
import pytest
from chain_wire import GENESIS, RPC, SWAP, WBTC_WETH, FakeNode, client, function_of, rows, sets, word

from perp_pipeline import contracts
from perp_pipeline.amm import build
from perp_pipeline.contracts import amm_checks
from perp_pipeline.sources import ethereum
from perp_pipeline.sources.errors import SourceError
from perp_pipeline.sources.evm_events import SET_FEE_PROTOCOL, V2
from perp_pipeline.sources.pools import load_registry

USDC_WETH = "ethereum:0x88e6a0c2ddd26feeb64f039a2c41296fcb3f5640"
PAIR = "ethereum:0xb4e16d0168e52d35cacd2c6185b44281ec28c9dc"
BLOCKS = 7200
DAYS = 45
SWITCHED = GENESIS + 10 * BLOCKS + 3600
"""Noon of 11 January 2024."""
HEAD = GENESIS + BLOCKS * DAYS + 100
Filter = dict[str, Any]
Run = Callable[..., tuple[pd.DataFrame, pd.DataFrame]]


def _in(query: Filter, block: int) -> bool:
    return int(query["fromBlock"], 16) <= block <= int(query["toBlock"], 16)


def _log(query: Filter, block: int, topics: list[str], values: tuple[int, ...], index: int) -> Filter:
    return {
        "address": query["address"],
        "topics": topics,
        "data": "0x" + "".join(format(value % 2**256, "064x") for value in values),
        "blockNumber": hex(block),
        "transactionHash": "0x" + format(block, "064x"),
        "transactionIndex": "0x0",
        "logIndex": hex(index),
    }


def _switches(*found: tuple[int, tuple[int, int, int, int]]) -> Callable[[Filter], Filter]:
    """SetFeeProtocol events: block, and old and new denominators."""
    topics = [SET_FEE_PROTOCOL.topic0]

    def answer(query: Filter) -> Filter:
        return {"result": [_log(query, block, topics, set_, 7) for block, set_ in found if _in(query, block)]}

    return answer


ON = _switches((SWITCHED, (0, 0, 4, 5)))


def _swaps(query: Filter) -> Filter:
    """A swap at each noon, and the switch among the liquidity events."""
    if query["topics"][0][0] != SWAP:
        return ON(query)
    topics = [SWAP, "0x" + "0" * 64, "0x" + "0" * 64]
    first, last = int(query["fromBlock"], 16), int(query["toBlock"], 16)
    noons = range(GENESIS + 3600 + (first - GENESIS - 3600 + BLOCKS - 1) // BLOCKS * BLOCKS, last + 1, BLOCKS)
    root, tick = 2**96 * 10**4, 184_216
    return {
        "result": [_log(query, block, topics, (10**9, -(10**17), root, 10**20, tick), 9) for block in noons]
    }


def _state(to: str, data: str, tag: str) -> str:
    """slot0 of a node that keeps old state."""
    if function_of(data) != "slot0()":
        raise KeyError
    share = 4 + (5 << 4) if tag == "latest" or int(tag, 16) >= SWITCHED else 0
    return "0x" + "".join(format(value, "064x") for value in (2**96, 0, 0, 1, 1, share, 1))


def _reading(folder: Path, fake: FakeNode, label: str = USDC_WETH) -> Run:
    """Raw days and minutes of a span; what is asked is kept in one store."""

    def run(first: str, last: str | None = None, **options: Any) -> tuple[pd.DataFrame, pd.DataFrame]:
        http = client(folder, transport=fake.transport, **options)
        logs, days = sets(label)
        asked = rows(days, http, first, last)
        return asked, _minutes(rows(logs, http, first, last), asked)

    return run


def _minutes(raw: pd.DataFrame, days: pd.DataFrame) -> pd.DataFrame:
    empty = contracts.get("raw_amm_minutes").schema.empty_table().to_pandas(date_as_object=False)
    return build.core_amm_minutes(
        core_amm_swaps=build.core_amm_swaps(raw_eth_logs=raw, raw_amm_days=days),
        raw_amm_minutes=empty,
        core_amm_fee_protocol=build.core_amm_fee_protocol(raw_eth_logs=raw, raw_amm_days=days),
        raw_amm_days=days,
    )


def _of(frame: pd.DataFrame, name: str, month: str) -> pd.DataFrame:
    return frame[frame[name].dt.strftime("%Y-%m") == month].reset_index(drop=True)


@pytest.mark.parametrize(("call", "source"), [(None, "events"), (_state, "contract")])
def test_the_share_is_the_same_wherever_the_run_starts(tmp_path: Path, call: Any, source: str) -> None:
    fake = FakeNode(head=HEAD, logs=_swaps, switches=ON, call=call)
    late_days, late = _reading(tmp_path / "late", fake)("2024-02")
    days, whole = _reading(tmp_path / "whole", fake)("2024-01", "2024-02")
    pd.testing.assert_frame_equal(late, _of(whole, "minute", "2024-02"))
    pd.testing.assert_frame_equal(late_days, _of(days, "day", "2024-02"))
    assert set(days["fee_protocol_source"]) == {source}
    share = whole["protocol_fee0"] / whole["fee0"]
    assert share.round(12).tolist() == [0.0] * 10 + [0.25] * (DAYS - 10)  # from the switch, not from its day
    begun = days.drop_duplicates("day").set_index("day")[["fee_protocol0", "fee_protocol1"]]
    assert begun.loc["2024-01-11"].tolist() == [0, 0]
    assert begun.loc["2024-01-12"].tolist() == [4, 5]
    assert amm_checks.SHARE_KNOWN.passes(days).all()


@pytest.mark.parametrize("call", [None, _state])
def test_runs_in_any_order_and_offline_say_the_same(tmp_path: Path, call: Any) -> None:
    fake = FakeNode(head=HEAD, logs=_swaps, switches=ON, call=call)
    run = _reading(tmp_path / "any", fake)
    _, late = run("2024-02")
    _, early = run("2024-01")
    _, whole = _reading(tmp_path / "whole", fake)("2024-01", "2024-02")
    pd.testing.assert_frame_equal(pd.concat([early, late], ignore_index=True), whole)
    nobody = FakeNode(head=HEAD, logs=_swaps)
    for first, last, expected in (
        ("2024-02", "2024-02", late),
        ("2024-01", "2024-01", early),
        ("2024-01", "2024-02", whole),
    ):
        _, again = _reading(tmp_path / "any", nobody)(first, last, offline=True)
        pd.testing.assert_frame_equal(again, expected)
    assert not nobody.asked


def test_a_node_that_does_not_know_is_warned_of(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    def refused(query: Filter) -> Filter:
        return {"error": {"code": -32000, "message": "history has been pruned for this block"}}

    fake = FakeNode(head=HEAD, logs=_swaps, switches=refused)
    run = _reading(tmp_path, fake)
    days, whole = run("2024-01", "2024-02")
    said = [r.getMessage() for r in caplog.records if "protocol's share" in r.getMessage()]
    assert len(said) == 1
    assert said[0].startswith(
        f"{USDC_WETH}: the protocol's share of the fees is not known from 2024-01-01 on"
    )
    assert "taken as 0" in said[0]
    assert "pruned" in said[0]
    assert set(days["fee_protocol_source"]) == {"declared"}
    assert not amm_checks.SHARE_KNOWN.passes(days).any()
    assert amm_checks.SHARE_KNOWN.severity.name == "WARN"
    # what is in the logs of the run still counts
    assert (whole["protocol_fee0"] > 0).sum() == DAYS - 10
    _, offline = run("2024-01", "2024-02", offline=True)
    pd.testing.assert_frame_equal(offline, whole)


@pytest.mark.parametrize("label", [USDC_WETH, PAIR])
def test_a_store_from_before_the_questions_is_rebuilt_with_a_warning(
    tmp_path: Path, label: str, caplog: pytest.LogCaptureFixture
) -> None:
    fake = FakeNode(head=HEAD, logs=_swaps if label == USDC_WETH else _pair_swaps, switches=ON)
    rows(sets(label)[0], client(tmp_path, transport=fake.transport), "2024-02")  # the logs alone
    days, built = _reading(tmp_path, FakeNode(), label)("2024-02", offline=True)
    assert set(days["fee_protocol_source"]) == {"declared"}
    assert (built["protocol_fee0"] == 0).all()
    (said,) = [r.getMessage() for r in caplog.records if "protocol's share" in r.getMessage()]
    assert "offline, and no stored body" in said


def test_a_declared_share_stands_where_no_node_tells(tmp_path: Path) -> None:
    registry = load_registry()
    fake = FakeNode(
        head=HEAD, logs=_swaps, switches=lambda query: {"error": {"code": 4444, "message": "pruned"}}
    )
    http = client(tmp_path, transport=fake.transport)
    pool = replace(registry.pools[USDC_WETH], fee_protocol0=8, fee_protocol1=10)
    logs, days = ethereum.datasets((pool,), registry, RPC)
    asked = rows(days, http, "2024-02")
    built = _minutes(rows(logs, http, "2024-02"), asked)
    assert (built["protocol_fee0"] / built["fee0"]).round(12).eq(0.125).all()


def test_a_node_that_contradicts_itself_is_an_error(tmp_path: Path) -> None:
    lost = _switches((SWITCHED, (0, 0, 4, 5)), (SWITCHED + 50, (6, 6, 0, 0)))
    fake = FakeNode(head=HEAD, logs=_swaps, switches=lost)
    with pytest.raises(
        SourceError, match=r"was set to \(4, 5\).*calls \(6, 6\) old: the node leaves logs out"
    ):
        _reading(tmp_path, fake)("2024-02")


def test_switches_that_halves_show_and_the_whole_does_not_are_found(tmp_path: Path) -> None:
    asked = set()

    def forgetful(query: Filter) -> Filter:
        key = (query["fromBlock"], query["toBlock"])
        if _in(query, SWITCHED) and not asked:
            asked.add(key)
            return {"result": []}
        return ON(query)

    fake = FakeNode(head=HEAD, logs=_swaps, switches=forgetful)
    _, late = _reading(tmp_path, fake)("2024-02")
    assert (late["protocol_fee0"] / late["fee0"]).round(12).eq(0.25).all()


def test_a_node_of_few_blocks_at_a_time_is_asked_in_parts(tmp_path: Path) -> None:
    def narrow(answer: Callable[[Filter], Filter]) -> Callable[[Filter], Filter]:
        def limited(query: Filter) -> Filter:
            if int(query["toBlock"], 16) - int(query["fromBlock"], 16) >= 10_000:
                return {"error": {"code": -32005, "message": "block range too large, max: 10000"}}
            return answer(query)

        return limited

    fake = FakeNode(head=HEAD, logs=narrow(_swaps), switches=narrow(ON))
    days, late = _reading(tmp_path, fake)("2024-02")
    assert set(days["fee_protocol_source"]) == {"events"}
    assert (late["protocol_fee0"] / late["fee0"]).round(12).eq(0.25).all()


# v2

FACTORY, TREASURY = "fa" * 20, "fe" * 20
SYNC = next(event.topic0 for event in V2 if event.name == "sync")
V2_SWAP = next(event.topic0 for event in V2 if event.name == "swap")


def _pair_swaps(query: Filter) -> Filter:
    """A swap at each noon, with the reserves after it."""
    if V2_SWAP not in query["topics"][0]:
        return {"result": []}
    found = []
    for log in _swaps({**query, "topics": [[SWAP]]})["result"]:
        block = int(log["blockNumber"], 16)
        found.append(_log(query, block, [SYNC], (10**15, 10**23), 8))
        found.append(_log(query, block, [V2_SWAP, *log["topics"][1:]], (10**9, 0, 0, 99 * 10**15), 9))
    return {"result": found}


def _factory(has_old_state: bool) -> Callable[[str, str, str], str]:
    def call(to: str, data: str, tag: str) -> str:
        name = function_of(data)
        if name == "factory()":
            return word(FACTORY)
        if name != "feeTo()" or to != "0x" + FACTORY or not (has_old_state or tag == "latest"):
            raise KeyError
        return word(TREASURY if tag == "latest" or int(tag, 16) >= SWITCHED else 0)

    return call


def test_a_pair_gives_a_sixth_while_its_factory_names_a_recipient(tmp_path: Path) -> None:
    fake = FakeNode(head=HEAD, logs=_pair_swaps, call=_factory(True))
    days, whole = _reading(tmp_path / "whole", fake, PAIR)("2024-01", "2024-02")
    _, late = _reading(tmp_path / "late", fake, PAIR)("2024-02")
    pd.testing.assert_frame_equal(late, _of(whole, "minute", "2024-02"))
    assert set(days["fee_protocol_source"]) == {"contract"}
    share = (whole["protocol_fee0"] / whole["fee0"]).round(12).tolist()
    # the day of the switch counts by its beginning
    assert share == [0.0] * 11 + [round(1 / 6, 12)] * (DAYS - 11)
    assert whole["fee0"].to_numpy() == pytest.approx(1000.0 * 0.003)


def test_a_pair_at_a_node_without_old_state_is_warned_of(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    at_head: list[str] = []

    def call(to: str, data: str, tag: str) -> str:
        if tag == "latest":
            at_head.append(function_of(data))
        return _factory(False)(to, data, tag)

    fake = FakeNode(head=HEAD, logs=_pair_swaps, call=call)
    days, whole = _reading(tmp_path, fake, PAIR)("2024-01", "2024-02")
    assert at_head.count("feeTo()") == 1, "once for all months"
    assert set(days["fee_protocol_source"]) == {"declared"}
    assert (whole["protocol_fee0"] == 0).all()
    (said,) = [r.getMessage() for r in caplog.records if "protocol's share" in r.getMessage()]
    assert said.startswith(f"{PAIR}: ")
    assert "at its head feeTo() of the pair's factory is set" in said


def test_a_sixth_is_what_liquidity_tokens_for_the_protocol_are_worth() -> None:
    """UniswapV2Pair._mintFee in integers: fees of ten thousand swaps, then a mint."""
    x, y, supply = 10**15, 10**23, 10**19
    before, paid = isqrt(x * y), 0.0
    for place in range(10_000):
        came, held_in, held_out = (10**9, x, y) if place % 2 else (10**17, y, x)
        went = came * 997 * held_out // (held_in * 1000 + came * 997)
        x, y = (x + came, y - went) if place % 2 else (x - went, y + came)
        paid += 0.003 * came * (1.0 if place % 2 else x / y)
    root = isqrt(x * y)
    minted = supply * (root - before) // (root * 5 + before)
    worth = 2 * x * minted / (supply + minted)
    assert worth == pytest.approx(paid / 6, rel=1e-3)


# a switch among real swaps


def test_a_switch_before_the_window_of_real_swaps(replay: Any, tmp_path: Path) -> None:
    """SetFeeProtocol(0, 0 -> 4, 4) in block 12,450,000 of WBTC-WETH; the recording has its swaps alone."""
    switches = _switches((12_450_000, (0, 0, 4, 4)))

    def respond(request: httpx.Request) -> httpx.Response:
        asked = json.loads(request.content)
        calls = asked if isinstance(asked, list) else [asked]
        if calls[0]["method"] == "eth_getLogs" and calls[0]["params"][0]["topics"][0][0] != SWAP:
            found = [{"jsonrpc": "2.0", "id": c["id"], **switches(c["params"][0])} for c in calls]
            return httpx.Response(200, json=found if isinstance(asked, list) else found[0])
        answer = httpx.post(f"{replay.url}/eth-rpc.local/", content=request.content, timeout=60)
        return httpx.Response(answer.status_code, content=answer.content)

    found = []
    for first, last in (("2021-05", "2021-06"), ("2021-06", "2021-06")):
        http = client(tmp_path / first, transport=httpx.MockTransport(respond))
        registry = load_registry()
        # the last week of May and the first of June are enough
        windows = ((date(2021, 5, 15), date(2021, 5, 17)), (date(2021, 6, 1), date(2021, 6, 4)))
        pool = replace(registry.pools[WBTC_WETH], windows=windows)
        logs, days = ethereum.datasets((pool,), registry, RPC)
        asked = rows(days, http, first, last)
        found.append(_minutes(rows(logs, http, first, last), asked))
    june = _of(found[0], "minute", "2021-06")
    pd.testing.assert_frame_equal(june, found[1])
    assert june["protocol_fee0"].sum() == pytest.approx(june["fee0"].sum() / 4, rel=1e-12)
    assert june["minute"].min().date() - timedelta(days=1) == date(2021, 5, 31)


@pytest.fixture(autouse=True)
def _warnings(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING)
