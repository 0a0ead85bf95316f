"""Block times and day borders on chains of every pace; how deep a block must lie."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pandas as pd
import pytest
from chain_wire import (
    GENESIS,
    NOW,
    SWAP,
    USDC_WETH,
    FakeNode,
    client,
    every_12_seconds,
    node,
    rows,
    sets,
    swap_log,
)

from perp_pipeline.months import Month, Span
from perp_pipeline.sources import ethereum
from perp_pipeline.sources.errors import NotServed, PermanentError
from perp_pipeline.sources.evm_blocks import BlockClock
from perp_pipeline.sources.evm_logs import LogFilter, log_table
from perp_pipeline.sources.pools import Pool, load_registry

CHAINS = load_registry().chains


def test_block_borders_are_exact(replay: Any, tmp_path: Path) -> None:
    clock = BlockClock(client(tmp_path, replay.url), CHAINS["ethereum"], node())
    moments = [datetime(2022, 9, day, tzinfo=UTC) for day in range(10, 20)]
    borders = clock.first_blocks(moments, NOW)
    times = clock.times([block for border in borders for block in (border - 1, border)])
    for border, moment in zip(borders, moments, strict=True):
        assert times[border - 1] < moment.timestamp() <= times[border]
    with pytest.raises(NotServed, match="has not reached"):
        clock.first_blocks([datetime(2025, 6, 10, tzinfo=UTC)], NOW)


def _seconds(moment: datetime) -> int:
    return int(moment.timestamp())


MARCH = datetime(2024, 3, 1, tzinfo=UTC)


def _even(spacing: float, first: int) -> Callable[[int], int]:
    """A block each ``spacing`` seconds; whole seconds are written, so that fast blocks share them."""
    return lambda block: _seconds(MARCH) + math.floor((block - first) * spacing)


def _wavy(spacing: float, first: int) -> Callable[[int], int]:
    """Slow and fast hours in turn."""
    return lambda block: (
        _seconds(MARCH) + int((block - first) * spacing + 900 * spacing * math.sin((block - first) / 1000))
    )


def _halting(spacing: float, first: int) -> Callable[[int], int]:
    """A stop of two hours over each midnight, and what was missed within a second after it."""

    def time(block: int) -> int:
        plain = (block - first) * spacing
        day, rest = divmod(plain, 86400)
        return _seconds(MARCH) + int(86400 * day + (3600 if rest < 3600 else min(rest, 82800)))

    return time


def _guessed(chain: str, moment: datetime) -> int:
    """A block that the declared anchors put days away from the moment."""
    return CHAINS[chain].guess(moment + timedelta(days=3))


@pytest.mark.parametrize("pace", [_even, _wavy, _halting])
@pytest.mark.parametrize("chain", CHAINS)
def test_borders_are_exact_at_every_pace(
    tmp_path: Path, chain: str, pace: Callable[[float, int], Callable[[int], int]]
) -> None:
    first = _guessed(chain, MARCH)
    spacing = CHAINS[chain].block_seconds
    times = pace(spacing, first)
    fake = FakeNode(CHAINS[chain].chain_id, times, first + int(40 * 86400 / spacing))
    clock = BlockClock(client(tmp_path, transport=fake.transport), CHAINS[chain], node(chain))
    moments = [MARCH + timedelta(days=day) for day in range(1, 32)]
    borders = clock.first_blocks(moments, NOW)
    for border, moment in zip(borders, moments, strict=True):
        assert times(border - 1) < _seconds(moment) <= times(border)
    assert fake.count("eth_getBlockByNumber") < 31 * 40


def test_many_blocks_of_one_second_lie_on_their_side_of_midnight(tmp_path: Path) -> None:
    """Four blocks a second: those before and those after midnight share a second each."""
    times = _even(0.25, 180_000_000)
    border = 180_000_000 + 4 * 86400

    def logs(query: dict[str, Any]) -> dict[str, Any]:
        first, last = int(query["fromBlock"], 16), int(query["toBlock"], 16)
        near = [block for block in range(border - 8, border + 8) if first <= block <= last]
        found = [swap_log(query, block - first) for block in near if query["topics"][0][0] == SWAP]
        return {"result": found}

    fake = FakeNode(42161, times, border + 8 * 86400, logs)
    http = client(tmp_path, transport=fake.transport)
    raw, asked = (rows(dataset, http, "2024-03") for dataset in _arbitrum())
    assert raw["block_number"].tolist() == list(range(border - 8, border + 8))
    assert raw["time"].dt.day.tolist() == [1] * 8 + [2] * 8
    swaps = asked[asked["kind"] == "swaps"]
    assert swaps["first_block"].tolist() == [180_000_000, border, border + 4 * 86400]
    assert swaps["n_rows"].tolist() == [8, 8, 0]


@pytest.mark.parametrize("chain", CHAINS)
def test_every_chain_has_its_own_depth(tmp_path: Path, chain: str) -> None:
    first, declared = _guessed(chain, MARCH), CHAINS[chain]
    head = first + 100_000
    times = _even(declared.block_seconds, first)
    fake = FakeNode(declared.chain_id, times, head)
    clock = BlockClock(client(tmp_path, transport=fake.transport), declared, node(chain))
    found = clock.head(datetime.fromtimestamp(times(head) + 30, UTC))
    assert (found.number, found.stopped) == (head - declared.confirmations, False)
    # the end of a recording stays: it will not reorganise
    again = BlockClock(client(tmp_path / "old", transport=fake.transport), declared, node(chain))
    assert again.head(NOW)[::2] == (head, True)


@pytest.mark.parametrize("chain", CHAINS)
@pytest.mark.parametrize("hours", [1, 2, 24, 7 * 24 - 1])
def test_a_node_that_stands_still_keeps_its_depth(
    chain: str, hours: int, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    first, declared = _guessed(chain, MARCH), CHAINS[chain]
    fake = FakeNode(declared.chain_id, _even(declared.block_seconds, first), first + 100_000)
    clock = BlockClock(client(tmp_path, transport=fake.transport), declared, node(chain))
    now = datetime.fromtimestamp(fake.times(fake.head) + 3600 * hours, UTC)
    assert clock.head(now)[::2] == (fake.head - declared.confirmations, False)
    assert f"{chain}: the node's newest block is {hours} hours old" in caplog.text


def test_a_node_that_catches_up_keeps_its_depth(tmp_path: Path) -> None:
    """Its head is a month old, but it is another when asked again; the stored answers say so too."""
    fake, heads = FakeNode(), iter(range(GENESIS + 50_000, GENESIS + 60_000, 100))
    fake.head = GENESIS + 60_000

    def respond(request: httpx.Request) -> httpx.Response:
        asked = json.loads(request.content)
        if isinstance(asked, dict) and asked["params"][0] == "latest":
            number = next(heads)
            block = {"number": hex(number), "timestamp": hex(fake.times(number))}
            return httpx.Response(200, json={"jsonrpc": "2.0", "id": 1, "result": block})
        return fake.transport.handle_request(request)

    for offline in (False, True):
        http = client(tmp_path, transport=httpx.MockTransport(respond), offline=offline)
        clock = BlockClock(http, CHAINS["ethereum"], node())
        assert clock.head(NOW)[::2] == (GENESIS + 50_000 - CHAINS["ethereum"].confirmations, False)


def test_a_day_is_over_when_a_final_block_is_of_the_next(tmp_path: Path) -> None:
    """A next block may come in the same second: only one that is there counts."""
    chain = CHAINS["arbitrum"]
    times = _even(0.25, 180_000_000)
    border = 180_000_000 + 4 * 86400
    for head, days in ((border - 1, 0), (border, 1)):
        fake = FakeNode(42161, times, head + chain.confirmations, lambda _: {"result": []})
        http = client(tmp_path / str(head), transport=fake.transport)
        now = datetime.fromtimestamp(times(fake.head) + 2, UTC)
        frames = list(_arbitrum()[1].fetch(http, Span.parse("2024-03", "2024-03"), now))
        assert sum(len(frame) for frame in frames) == 2 * days


def test_another_chains_node_is_refused_and_nothing_of_it_is_kept(tmp_path: Path) -> None:
    http = client(tmp_path, transport=FakeNode(1).transport)
    for dataset in _arbitrum():
        with pytest.raises(PermanentError, match="ARBITRUM_RPC_URL leads to chain 1; arbitrum is 42161"):
            rows(dataset, http, "2024-03")
    assert {entry.payload["method"] for entry in http.store.entries()} == {"eth_chainId"}


def _arbitrum() -> tuple[Any, Any]:
    pool = Pool("arbitrum", "0x" + "ab" * 20, "uniswap_v3", "WETH", "USDC", 18, 6, 500, 10)
    return ethereum.datasets((pool,), load_registry(), {"arbitrum": "https://arb.local/"})


def test_only_blocks_under_the_confirmation_depth_are_taken(tmp_path: Path) -> None:
    http = client(tmp_path, transport=FakeNode(logs=lambda _: {"result": []}).transport)
    now = datetime(2024, 1, 4, 0, 0, 30, tzinfo=UTC)  # the head is 30 s old
    _, days = sets(USDC_WETH)
    frame = pd.concat(days.fetch(http, Span.parse("2024-01", "2024-01"), now))
    assert sorted(set(frame["day"].dt.day)) == [1, 2]  # the third ended less than 64 blocks ago


def test_times_come_from_the_log_where_the_node_sends_them(tmp_path: Path) -> None:
    def answer(query: dict[str, Any]) -> dict[str, Any]:
        stamp = hex(every_12_seconds(int(query["fromBlock"], 16) + 5))
        return {"result": [swap_log(query, blockTimestamp=stamp)] if query["topics"][0][0] == SWAP else []}

    http = client(tmp_path, transport=FakeNode(logs=answer).transport)
    frame = rows(sets(USDC_WETH)[0], http, "2024-01")
    assert frame["time_exact"].all()
    assert frame["time"].iloc[0] == pd.Timestamp("2024-01-01 00:01", tz="UTC")


@pytest.mark.parametrize("wrong", [0, 12 * 7200, -12 * 7200])
def test_a_time_outside_the_day_of_its_block_is_not_believed(
    wrong: int, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Some nodes send zero; another day's time would move a swap's flow to that day."""

    def answer(query: dict[str, Any]) -> dict[str, Any]:
        true = every_12_seconds(int(query["fromBlock"], 16) + 5)
        stamp = hex(true + wrong if wrong else 0)
        return {"result": [swap_log(query, blockTimestamp=stamp)] if query["topics"][0][0] == SWAP else []}

    http = client(tmp_path, transport=FakeNode(logs=answer).transport)
    frame = rows(sets(USDC_WETH)[0], http, "2024-01")
    assert not frame["time_exact"].any()
    assert frame["time"].dt.day.tolist() == [1, 2, 3]
    assert "dates 3 logs outside the day of their block" in caplog.text


def test_months_before_the_protocol_are_said_to_be_so(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    http = client(tmp_path, transport=FakeNode().transport)
    for dataset in sets(USDC_WETH):
        assert not list(dataset.fetch(http, Span.parse("2019-01", "2019-03"), NOW))
    said = [text for text in caplog.messages if "2021-05-04" in text]
    assert said == [
        f"{USDC_WETH}: uniswap_v3 began on ethereum on 2021-05-04; "
        "months before it, here 2019-01, have no rows"
    ]


def test_months_and_filters() -> None:
    asked = LogFilter("0x" + "ab" * 20, (), 16, 255)
    assert (asked.params()["fromBlock"], asked.params()["toBlock"]) == ("0x10", "0xff")
    assert log_table([]).num_rows == 0
    assert Month(2024, 1).start == datetime(2024, 1, 1, tzinfo=UTC)
