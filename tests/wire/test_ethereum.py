"""On-chain logs through JSON-RPC: the replay server's real pools, provider limits, faults, resumption."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import Any

import httpx
import pandas as pd
import pytest

from perp_pipeline.amm import build
from perp_pipeline.lake.tables import to_arrow, to_frame
from perp_pipeline.months import Month, Span
from perp_pipeline.sources import ethereum
from perp_pipeline.sources.amm import amm_datasets
from perp_pipeline.sources.errors import NotInStore, NotServed, PermanentError, SourceError, TransientError
from perp_pipeline.sources.evm_blocks import BlockClock
from perp_pipeline.sources.evm_logs import LogFilter, log_table
from perp_pipeline.sources.evm_pool_facts import complete
from perp_pipeline.sources.evm_rpc import RangeNotHeld, RangeTooLarge, refusal, result_of
from perp_pipeline.sources.http import Http
from perp_pipeline.sources.pools import Pool, load_registry, read_registry
from perp_pipeline.sources.store import BodyStore

NODE = {"ethereum": "https://eth-rpc.local/"}
NOW = datetime(2025, 7, 1, tzinfo=UTC)
USDC_WETH = "ethereum:0x88e6a0c2ddd26feeb64f039a2c41296fcb3f5640"
USDC_WETH_30 = "ethereum:0x8ad599c3a0ff1de082011efddc58f1908eb6e6d8"
WBTC_WETH = "ethereum:0xcbcdf9626bc03e24f779434178a73a0b4bad62ed"
DAY = (date(2024, 1, 5), date(2024, 1, 5))


def _http(tmp_path: Path, url: str | None = None, **options: Any) -> Http:
    return Http(BodyStore(tmp_path), gateway=url, sleep=lambda _: None, now=lambda: NOW, **options)


def _sets(label: str, *, window: tuple[date, date] | None = None) -> tuple[Any, Any]:
    registry = load_registry()
    pool = registry.select((label,))[0]
    return ethereum.datasets((replace(pool, windows=(window,)) if window else pool,), registry, NODE)


def _rows(dataset: Any, http: Http, first: str, last: str | None = None) -> pd.DataFrame:
    frames = list(dataset.fetch(http, Span.parse(first, last or first), NOW))
    frame = pd.concat(frames, ignore_index=True)
    return to_frame(to_arrow(dataset.contract, frame))


def test_a_real_day_decodes_to_what_plain_integers_give(replay: Any, tmp_path: Path) -> None:
    http = _http(tmp_path, replay.url)
    logs, days = _sets(USDC_WETH, window=DAY)
    raw, asked = _rows(logs, http, "2024-01"), _rows(days, http, "2024-01")
    assert asked["served"].tolist() == [True, True]
    assert asked["n_rows"].sum() == len(raw) == 6234
    assert asked["first_block"].tolist() == [18937382] * 2  # the block before is of the day before
    assert raw["time"].dt.floor("D").unique().tolist() == [pd.Timestamp("2024-01-05", tz="UTC")]
    swaps = build.core_amm_swaps(raw_eth_logs=raw, raw_amm_days=asked)
    liquidity = build.core_amm_liquidity(raw_eth_logs=raw, raw_amm_days=asked)
    assert len(swaps) + len(liquidity) == len(raw)
    own = raw[raw["topic0"].str.startswith("0xc42079f9")]
    words = [[int(data[2 + 64 * n : 66 + 64 * n], 16) for n in range(5)] for data in own["data"]]
    signed = [[w - 2**256 if w >= 2**255 else w for w in row] for row in words]
    assert swaps["amount0"].tolist() == [str(row[0]) for row in signed]
    assert swaps["amount1"].tolist() == [str(row[1]) for row in signed]
    assert swaps["sqrt_price_x96"].tolist() == [str(row[2]) for row in signed]
    assert swaps["tick"].tolist() == [row[4] for row in signed]
    # the pool-day by a second route: exact integers, one price, two multiplications
    net0, net1 = sum(row[0] for row in signed), sum(row[1] for row in signed)
    usd = 1 / (Fraction(signed[-1][2]) ** 2 / 2**192 / 10**12)
    day = _pool_day(swaps, asked)
    assert day["pnl_usd"] == pytest.approx(
        float(Fraction(net0, 10**6) + Fraction(net1, 10**18) * usd), abs=1e-3
    )
    fees = Fraction(5, 10**4) * (
        Fraction(sum(max(row[0], 0) for row in signed), 10**6)
        + Fraction(sum(max(row[1], 0) for row in signed), 10**18) * usd
    )
    assert day["fees_usd"] == pytest.approx(float(fees), rel=1e-12)
    assert all(check.passes(swaps).all() for check in logs_contract().checks if check.severity == "error")


def logs_contract() -> Any:
    from perp_pipeline import contracts

    return contracts.get("core_amm_swaps")


def _pool_day(swaps: pd.DataFrame, days: pd.DataFrame) -> pd.Series:
    minutes = build.core_amm_minutes(
        core_amm_swaps=swaps,
        raw_amm_minutes=pd.DataFrame(),
        core_amm_fee_protocol=pd.DataFrame(columns=["chain", "pool"]),
        raw_amm_days=days,
    )
    built = build.core_amm_pool_day(
        core_amm_minutes=minutes,
        raw_amm_snapshots=pd.DataFrame(),
        raw_amm_days=days,
        core_spot_1h=pd.DataFrame(),
    )
    return built.frame.iloc[0]


def test_all_swaps_to_the_last_block_that_the_node_holds(replay: Any, tmp_path: Path) -> None:
    http = _http(tmp_path, replay.url)
    logs, days = _sets(WBTC_WETH)
    asked = _rows(days, http, "2023-04").query("kind == 'swaps'").set_index("day")
    assert asked["served"].sum() == 6
    edge = asked.loc[pd.Timestamp("2023-04-07")]
    assert (edge["served"], edge["n_rows"], edge["last_block"]) == (False, 100, 17_000_000)
    assert "in blocks 0-17000000 only" in edge["reason"]
    assert len(_rows(logs, http, "2023-04")) == asked["n_rows"].sum() == 1755


def test_a_second_run_asks_only_for_what_can_have_changed(replay: Any, tmp_path: Path) -> None:
    logs, _ = _sets(USDC_WETH, window=DAY)
    first = _rows(logs, _http(tmp_path, replay.url), "2024-01")
    replay.reset()
    again = _http(tmp_path, replay.url)
    pd.testing.assert_frame_equal(_rows(_sets(USDC_WETH, window=DAY)[0], again, "2024-01"), first)
    assert again.counters.requests == 2  # chain and head
    offline = _http(tmp_path, replay.url, offline=True)
    pd.testing.assert_frame_equal(_rows(_sets(USDC_WETH, window=DAY)[0], offline, "2024-01"), first)
    with pytest.raises(NotInStore):
        _rows(_sets(USDC_WETH_30, window=DAY)[0], offline, "2024-01")


def test_what_is_asked_for_a_month_does_not_depend_on_the_span(replay: Any, tmp_path: Path) -> None:
    window = (date(2021, 5, 30), date(2021, 6, 2))
    both = _rows(_sets(WBTC_WETH, window=window)[0], _http(tmp_path, replay.url), "2021-05", "2021-06")
    june = _rows(_sets(WBTC_WETH, window=window)[0], _http(tmp_path, offline=True), "2021-06")
    pd.testing.assert_frame_equal(
        june, both[both["time"] >= pd.Timestamp("2021-06-01", tz="UTC")].reset_index(drop=True)
    )


def test_a_pool_of_which_nothing_is_held(replay: Any, tmp_path: Path) -> None:
    label = "ethereum:0x11b815efb8f581194ae79006d24e0d814b7697f6"
    http = _http(tmp_path, replay.url)
    logs, days, *_ = amm_datasets((label,), {"ETH_RPC_URL": NODE["ethereum"]})
    with pytest.raises(NotServed, match=r"holds none of these days.*this replay holds no logs"):
        list(logs.fetch(http, Span.parse("2024-01", "2024-01"), NOW))
    asked = _rows(days, http, "2024-01")
    assert len(asked) == 62
    assert not asked["served"].any()
    # a pool that was not asked for by name is only recorded
    assert not list(_sets(label)[0].fetch(http, Span.parse("2024-01", "2024-01"), NOW))


@pytest.mark.parametrize(
    "fault",
    [
        "reset",
        "truncate",
        "short_json",
        "html_200",
        "status_429",
        "status_503",
        "duplicate_rows",
        "nan_values",
    ],
)
def test_passing_faults_leave_no_trace(replay: Any, tmp_path: Path, fault: str) -> None:
    clean = _rows(_sets(USDC_WETH_30, window=DAY)[0], _http(tmp_path / "clean", replay.url), "2024-01")
    replay.faults([{"match": "eth-rpc", "body": "eth_getLogs", "kind": fault, "first": 2, "retry_after": 0}])
    http = _http(tmp_path / "faulty", replay.url)
    pd.testing.assert_frame_equal(_rows(_sets(USDC_WETH_30, window=DAY)[0], http, "2024-01"), clean)
    assert http.counters.retries >= 2


@pytest.mark.parametrize(
    "fault", ["drop_rows", "reorder_rows", "wrong_symbol", "duplicate_rows", "future_rows"]
)
def test_lasting_faults_are_errors_and_nothing_is_kept(replay: Any, tmp_path: Path, fault: str) -> None:
    replay.faults([{"match": "eth-rpc", "body": "eth_getLogs", "kind": fault}])
    http = _http(tmp_path, replay.url, attempts=2, body_attempts=2)
    with pytest.raises(TransientError, match="raw_eth_logs swaps 2024-01-05"):
        _rows(_sets(USDC_WETH, window=DAY)[0], http, "2024-01")
    replay.faults([])
    assert len(_rows(_sets(USDC_WETH, window=DAY)[0], http, "2024-01")) == 6234


def test_block_borders_are_exact(replay: Any, tmp_path: Path) -> None:
    clock = BlockClock(_http(tmp_path, replay.url), load_registry().chains["ethereum"], NODE["ethereum"])
    moments = [datetime(2022, 9, day, tzinfo=UTC) for day in range(10, 20)]
    borders = clock.first_blocks(moments, NOW)
    times = clock.times([block for border in borders for block in (border - 1, border)])
    for border, moment in zip(borders, moments, strict=True):
        assert times[border - 1] < moment.timestamp() <= times[border]
    with pytest.raises(NotServed, match="has not reached"):
        clock.first_blocks([datetime(2025, 6, 10, tzinfo=UTC)], NOW)


# a node with limits of its own


def _node(answer: Callable[[dict[str, Any]], dict[str, Any]]) -> httpx.MockTransport:
    """A node on a chain with a block every 12 s from 2024-01-01; ``answer`` speaks for eth_getLogs."""
    genesis, start = 18_900_000, int(datetime(2024, 1, 1, tzinfo=UTC).timestamp())
    head = genesis + 7200 * 3

    def one(call: dict[str, Any]) -> dict[str, Any]:
        method, params = call["method"], call["params"]
        frame = {"jsonrpc": "2.0", "id": call["id"]}
        if method == "eth_chainId":
            return frame | {"result": "0x1"}
        if method == "eth_getBlockByNumber":
            number = head if params[0] == "latest" else int(params[0], 16)
            return frame | {
                "result": {"number": hex(number), "timestamp": hex(start + 12 * (number - genesis))}
            }
        if method != "eth_getLogs":
            return frame | {"error": {"code": -32601, "message": f"the method {method} does not exist"}}
        return frame | answer(params[0])

    def respond(request: httpx.Request) -> httpx.Response:
        calls = json.loads(request.content)
        body = [one(call) for call in calls][::-1] if isinstance(calls, list) else one(calls)
        return httpx.Response(200, json=body)

    return httpx.MockTransport(respond)


def _two_days(
    tmp_path: Path, answer: Callable[[dict[str, Any]], dict[str, Any]]
) -> tuple[pd.DataFrame, Http]:
    http = _http(tmp_path, transport=_node(answer), attempts=2)
    _, days = _sets(USDC_WETH)
    return _rows(days, http, "2024-01"), http


@pytest.mark.parametrize(
    "message",
    [
        "query returned more than 10000 results",
        "Log response size exceeded",
        "eth_getLogs block range too large",
        "limit exceeded",
        "Response is too big",
        "eth_getLogs is limited to a 1,000 range",
        "exceed maximum block range: 1000",
        "eth_getLogs block range too large, range: 7200, max: 1000",
        "You can make eth_getLogs requests with up to a 1000 block range.",
    ],
)
def test_limits_split_the_range_and_lose_nothing(tmp_path: Path, message: str) -> None:
    answered: list[tuple[int, int]] = []

    def answer(query: dict[str, Any]) -> dict[str, Any]:
        first, last = int(query["fromBlock"], 16), int(query["toBlock"], 16)
        if last - first + 1 > 1000:
            return {"error": {"code": -32005, "message": message}}
        answered.append((first, last))
        return {"result": []}

    days, _ = _two_days(tmp_path, answer)
    assert days["served"].all()
    swaps = days[days["kind"] == "swaps"]
    asked = sorted(set(answered))
    assert asked[0][0] == swaps["first_block"].min()
    assert asked[-1][1] == swaps["last_block"].max()
    assert all(b[0] == a[1] + 1 for a, b in pairwise(asked))
    seen = len(answered)
    refused = []
    second, _ = _two_days(tmp_path, lambda query: refused.append(query) or {"result": []})  # type: ignore[func-returns-value]
    pd.testing.assert_frame_equal(second, days)
    assert len(answered) == seen
    assert not refused  # refusals are kept as well


def test_a_single_block_that_is_refused_is_an_error(tmp_path: Path) -> None:
    def answer(query: dict[str, Any]) -> dict[str, Any]:
        return {"error": {"code": -32005, "message": "query returned more than 10000 results"}}

    with pytest.raises(RangeTooLarge, match="single block"):
        _two_days(tmp_path, answer)


def test_recorded_provider_errors(shared: Path) -> None:
    for entry in json.loads((shared / "wire" / "uniswap" / "rpc_getlogs_errors.json").read_text()):
        text = entry["match"] if "match" in entry else entry["error"]["message"]
        assert refusal(text) is not None
        with pytest.raises(RangeTooLarge):
            result_of({"error": {"code": -32005, "message": text}})


@pytest.mark.parametrize(
    ("code", "message", "error"),
    [
        (-32005, "daily request count exceeded, request rate limited", TransientError),
        (429, "Your app has exceeded its compute units per second capacity", TransientError),
        (-32000, "header not found", TransientError),
        (-32603, "internal error", TransientError),
        (-32000, "missing trie node", RangeNotHeld),
        (4444, "pruned history unavailable", RangeNotHeld),
        (-32601, "the method eth_foo does not exist", PermanentError),
    ],
)
def test_what_errors_mean(code: int, message: str, error: type[SourceError]) -> None:
    with pytest.raises(error):
        result_of({"error": {"code": code, "message": message}})


def test_another_chains_node_is_refused(tmp_path: Path) -> None:
    registry = load_registry()
    clock = BlockClock(
        _http(tmp_path, transport=_node(lambda _: {"result": []})), registry.chains["base"], NODE["ethereum"]
    )
    with pytest.raises(PermanentError, match="BASE_RPC_URL leads to chain 1"):
        clock.head(NOW)


def test_only_blocks_under_the_confirmation_depth_are_taken(tmp_path: Path) -> None:
    http = _http(tmp_path, transport=_node(lambda _: {"result": []}))
    now = datetime(2024, 1, 4, 0, 0, 30, tzinfo=UTC)  # the head is 30 s old
    _, days = _sets(USDC_WETH)
    frame = pd.concat(days.fetch(http, Span.parse("2024-01", "2024-01"), now))
    assert sorted(set(frame["day"].dt.day)) == [1, 2]  # the third ended less than 64 blocks ago


def test_times_come_from_the_log_where_the_node_sends_them(tmp_path: Path) -> None:
    def answer(query: dict[str, Any]) -> dict[str, Any]:
        first = int(query["fromBlock"], 16)
        topic = query["topics"][0][0]
        if not topic.startswith("0xc42079f9"):
            return {"result": []}
        data = "".join(format(v % 2**256, "064x") for v in (5, -5, 2**96, 7, 0))
        log = {
            "address": query["address"],
            "topics": [topic, "0x" + "0" * 64, "0x" + "0" * 64],
            "data": "0x" + data,
            "blockNumber": hex(first + 5),
            "transactionHash": "0x" + "1" * 64,
            "transactionIndex": "0x0",
            "logIndex": "0x0",
            "blockTimestamp": hex(
                int(datetime(2024, 1, 1, tzinfo=UTC).timestamp()) + 12 * (first + 5 - 18_900_000)
            ),
        }
        return {"result": [log]}

    http = _http(tmp_path, transport=_node(answer))
    logs, _ = _sets(USDC_WETH)
    frame = _rows(logs, http, "2024-01")
    assert frame["time_exact"].all()
    assert frame["time"].iloc[0] == pd.Timestamp("2024-01-01 00:01", tz="UTC")


def test_facts_of_an_undeclared_pool_come_from_its_contracts(tmp_path: Path) -> None:
    words = {"0x0dfe1681": "aa" * 20, "0xd21220a7": "bb" * 20}
    pool = Pool("ethereum", "0x" + "cc" * 20, "uniswap_v3")

    def respond(request: httpx.Request) -> httpx.Response:
        answers = []
        for call in json.loads(request.content):
            to, data = call["params"][0]["to"], call["params"][0]["data"]
            result = {
                "0xddca3f43": format(500, "064x"),
                "0xd0c93a7c": format(10, "064x"),
                "0x313ce567": format(6 if to.startswith("0xaa") else 18, "064x"),
                "0x95d89b41": (format(32, "064x") + format(4, "064x") + b"USDC".hex().ljust(64, "0"))
                if to.startswith("0xaa")
                else b"WETH".hex().ljust(64, "0"),
            } | {key: value.rjust(64, "0") for key, value in words.items()}
            answers.append({"jsonrpc": "2.0", "id": call["id"], "result": "0x" + result[data]})
        return httpx.Response(200, json=answers)

    found = complete(_http(tmp_path, transport=httpx.MockTransport(respond)), NODE["ethereum"], pool)
    assert (found.token0, found.token1, found.decimals0, found.decimals1) == ("USDC", "WETH", 6, 18)
    assert (found.protocol, found.fee_pips, found.tick_spacing) == ("uniswap_v3", 500, 10)


def test_balances_close_the_books(tmp_path: Path) -> None:
    """A pool that takes in 5 and pays out 3 a day, on a node that keeps the state of old blocks."""
    start = 18_900_000

    def respond(request: httpx.Request) -> httpx.Response:
        calls = json.loads(request.content)
        batch = calls if isinstance(calls, list) else [calls]
        if batch[0]["method"] != "eth_call":
            return _node(answer).handle_request(request)
        answers = []
        for call in batch:
            query, tag = call["params"]
            token = {"0x0dfe1681": "aa" * 20, "0xd21220a7": "bb" * 20}.get(query["data"])
            days = 0 if tag == "latest" else (int(tag, 16) - start + 1) // 7200
            held = 100 + 5 * days if query["to"] == "0x" + "aa" * 20 else 100 - 3 * days
            result = token.rjust(64, "0") if token else format(held, "064x")
            answers.append({"jsonrpc": "2.0", "id": call["id"], "result": "0x" + result})
        return httpx.Response(200, json=answers)

    def answer(query: dict[str, Any]) -> dict[str, Any]:
        topic, first = query["topics"][0][0], int(query["fromBlock"], 16)
        if not topic.startswith("0xc42079f9"):
            return {"result": []}
        data = "".join(format(v % 2**256, "064x") for v in (5, -3, 2**96, 7, 0))
        log = {
            "address": query["address"],
            "topics": [topic, "0x" + "0" * 64, "0x" + "0" * 64],
            "data": "0x" + data,
            "blockNumber": hex(first + 5),
            "transactionHash": "0x" + "1" * 64,
            "transactionIndex": "0x0",
            "logIndex": "0x0",
        }
        return {"result": [log]}

    http = _http(tmp_path, transport=httpx.MockTransport(respond))
    logs, days = _sets(USDC_WETH)
    asked = _rows(days, http, "2024-01")
    assert asked.query("kind == 'swaps'")["balance0"].tolist() == ["105", "110", "115"]
    raw = _rows(logs, http, "2024-01")
    flows = build.core_amm_flows(
        core_amm_swaps=build.core_amm_swaps(raw_eth_logs=raw, raw_amm_days=asked),
        core_amm_liquidity=build.core_amm_liquidity(raw_eth_logs=raw, raw_amm_days=asked),
        raw_amm_days=asked,
    )
    assert flows["gap0"].tolist()[1:] == ["0", "0"]
    assert flows["gap1"].tolist()[1:] == ["0", "0"]


def test_a_node_without_eth_call_says_so(replay: Any, tmp_path: Path) -> None:
    pool = Pool("ethereum", "0x" + "cc" * 20, "uniswap_v3")
    with pytest.raises(PermanentError, match="eth_call does not exist"):
        complete(_http(tmp_path, replay.url), NODE["ethereum"], pool)


def test_a_missing_node_names_the_setting(tmp_path: Path) -> None:
    logs, *_ = amm_datasets(("base:0x" + "ab" * 20,), NODE)
    with pytest.raises(PermanentError, match="set BASE_RPC_URL"):
        list(logs.fetch(_http(tmp_path), Span.parse("2024-01", "2024-01"), NOW))


def test_a_users_registry_adds_pools() -> None:
    text = """
    [[pool]]
    chain = "base"
    address = "0xABABABABABABABABABABABABABABABABABABABAB"
    protocol = "uniswap_v3"
    windows = [["2024-01-01", "2024-01-31"]]
    """
    pool = read_registry(text, origin="mine.toml").pools["base:0x" + "ab" * 20]
    assert pool.asks_for(date(2024, 1, 31))
    assert not pool.asks_for(date(2024, 2, 1))
    assert not pool.is_declared
    with pytest.raises(ValueError, match="mine"):
        read_registry(text.replace("uniswap_v3", "curve"), origin="mine.toml")
    with pytest.raises(ValueError, match="chain is not one of"):
        load_registry().select(("dogechain:0x" + "ab" * 20,))


def test_minute_files_and_snapshots(replay: Any, tmp_path: Path) -> None:
    _, _, minutes, snapshots, days = amm_datasets((), {})
    http = _http(tmp_path, replay.url)
    june = _rows(minutes, http, "2025-06")
    assert len(june) == 14 * 1440 - 1
    held = _rows(snapshots, http, "2020-05", "2022-01")
    assert len(held) == 4068
    assert not list(snapshots.fetch(http, Span.parse("2025-06", "2025-06"), NOW))
    asked = _rows(days, http, "2025-06")
    assert asked["kind"].unique().tolist() == ["minutes"]
    assert asked["n_rows"].sum() == len(june)


def test_minutes_agree_with_the_logs_of_the_same_day(replay: Any, tmp_path: Path) -> None:
    http = _http(tmp_path, replay.url)
    logs, days = _sets(USDC_WETH, window=(date(2025, 6, 1), date(2025, 6, 1)))
    asked = _rows(days, http, "2025-06")
    own = _pool_day(
        build.core_amm_swaps(raw_eth_logs=_rows(logs, http, "2025-06"), raw_amm_days=asked), asked
    )
    files = _rows(amm_datasets((), {})[2], http, "2025-06")
    minutes = build.core_amm_minutes(
        core_amm_swaps=pd.DataFrame(),
        raw_amm_minutes=files[files["minute"] < pd.Timestamp("2025-06-02", tz="UTC")],
        core_amm_fee_protocol=pd.DataFrame(columns=["chain", "pool"]),
        raw_amm_days=asked,
    )
    other = build.core_amm_pool_day(
        core_amm_minutes=minutes,
        raw_amm_snapshots=pd.DataFrame(),
        raw_amm_days=asked,
        core_spot_1h=pd.DataFrame(),
    ).frame.iloc[0]
    assert other["net0"] == pytest.approx(own["net0"], abs=1e-6)
    assert other["net1"] == pytest.approx(own["net1"], abs=1e-9)
    assert other["pnl_usd"] == pytest.approx(own["pnl_usd"], abs=10.0)
    assert other["fees_usd"] == pytest.approx(own["fees_usd"], rel=1e-4)


def test_months_and_filters() -> None:
    asked = LogFilter("0x" + "ab" * 20, (), 16, 255)
    assert (asked.params()["fromBlock"], asked.params()["toBlock"]) == ("0x10", "0xff")
    assert log_table([]).num_rows == 0
    assert Month(2024, 1).start == datetime(2024, 1, 1, tzinfo=UTC)
