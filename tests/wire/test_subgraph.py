"""The Uniswap subgraph: paging, exact amounts, bad bodies, and its second opinion on the logs."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import httpx
import pandas as pd
import pytest
from chain_wire import DAY, NOW, USDC_WETH, client, pool_day, rows, sets

from perp_pipeline import contracts
from perp_pipeline.amm import build
from perp_pipeline.amm.second_opinion import core_amm_second_opinion
from perp_pipeline.lake.tables import to_arrow, to_frame
from perp_pipeline.months import Span
from perp_pipeline.sources.amm import amm_datasets
from perp_pipeline.sources.errors import (
    FormatChanged,
    IncompleteBody,
    NotServed,
    PermanentError,
    SourceError,
    TransientError,
)
from perp_pipeline.sources.pools import load_registry
from perp_pipeline.sources.subgraph import FIRST, data_of, datasets, exact, page_query, read_page

KEY = "0123456789abcdef0123456789abcdef"
REGISTRY = load_registry()
POOL = REGISTRY.pools[USDC_WETH]
INDEXED = int(datetime(2025, 6, 1, tzinfo=UTC).timestamp())
META = {"hasIndexingErrors": False, "block": {"number": 22_600_000, "timestamp": INDEXED}}


@dataclass
class Gateway:
    """The Graph's gateway over a list of swaps."""

    swaps: list[dict[str, Any]]
    indexed: int = INDEXED
    queries: list[str] = field(default_factory=list)

    def respond(self, request: httpx.Request) -> httpx.Response:
        assert request.url.host == "gateway.thegraph.com"
        assert request.url.path == f"/api/subgraphs/id/{REGISTRY.chains['ethereum'].subgraph}"
        if request.headers.get("authorization") != f"Bearer {KEY}":
            return httpx.Response(200, json={"errors": [{"message": "auth error: API key not found"}]})
        query = json.loads(request.content)["query"]
        self.queries.append(query)
        return httpx.Response(200, json={"data": self.answer(query)})

    def answer(self, query: str) -> dict[str, Any]:
        meta = {"_meta": META | {"block": {"number": 1, "timestamp": self.indexed}}}
        if "pool(id:" in query:
            return {"pool": {"token0": {"decimals": "6"}, "token1": {"decimals": "18"}}}
        if "swaps(" not in query:
            return meta
        found = re.search(
            r'pool: "(\w+)", id_gt: "([^"]*)", timestamp_gte: (\d+), timestamp_lt: (\d+)', query
        )
        assert found is not None
        pool, after, first, end = found[1], found[2], int(found[3]), int(found[4])
        assert pool == pool.lower()
        own = [s for s in self.swaps if s["id"] > after and first <= int(s["timestamp"]) < end]
        return {"swaps": sorted(own, key=lambda s: s["id"])[:FIRST]} | meta


def _swap(number: int, stamp: int, **more: Any) -> dict[str, Any]:
    return {
        "id": f"0x{number:064x}-7",
        "timestamp": str(stamp),
        "logIndex": "7",
        "amount0": "5.000001",
        "amount1": "-0.000000000000000003",
        "sqrtPriceX96": str(2**96),
        "tick": "0",
        "transaction": {"id": f"0x{number:064x}", "blockNumber": str(18_940_000 + number)},
        **more,
    }


def _swaps_of(swaps: pd.DataFrame) -> list[dict[str, Any]]:
    """Decoded swaps as the subgraph would state them."""
    return [
        _swap(
            0,
            int(row["time"].timestamp()),
            id=f"{row['tx_hash']}-{row['log_index']}",
            logIndex=str(row["log_index"]),
            amount0=str(Decimal(row["amount0"]).scaleb(-6)),
            amount1=f"{Decimal(row['amount1']).scaleb(-18):f}",
            sqrtPriceX96=row["sqrt_price_x96"],
            tick=str(row["tick"]),
            transaction={"id": row["tx_hash"], "blockNumber": str(row["block_number"])},
        )
        for row in swaps.to_dict("records")
    ]


def _dataset(key: str = KEY) -> Any:
    return datasets((replace(POOL, windows=(DAY,)),), REGISTRY.chains, key)[0]


def test_a_real_day_agrees_with_the_logs(replay: Any, tmp_path: Path) -> None:
    http = client(tmp_path / "node", replay.url)
    logs, days = sets(USDC_WETH, window=DAY)
    asked = rows(days, http, "2024-01")
    swaps = build.core_amm_swaps(raw_eth_logs=rows(logs, http, "2024-01"), raw_amm_days=asked)
    gateway = Gateway(_swaps_of(swaps))
    graph = client(tmp_path / "graph", transport=httpx.MockTransport(gateway.respond))
    raw = rows(_dataset(), graph, "2024-01")
    assert len(gateway.queries) == 2 + 7  # head, decimals, 6,046 swaps by 1,000
    same = ["block_number", "log_index", "tx_hash", "amount0", "amount1", "sqrt_price_x96", "tick"]
    ordered = raw.sort_values(["block_number", "log_index"], ignore_index=True)
    pd.testing.assert_frame_equal(ordered[same], swaps[same], check_dtype=False)

    opinion = _opinion(raw, swaps)
    (day,) = opinion.to_dict("records")
    assert (day["n_swaps"], day["n_swaps_logs"]) == (6046, 6046)
    assert (day["missing"], day["extra"], day["differing"]) == (0, 0, 0)
    own = pool_day(swaps, asked)
    usd1 = 1 / own["price_end"]
    assert day["net0"] == pytest.approx(own["net0"])
    assert day["net1"] == pytest.approx(own["net1"])
    assert day["price_end"] == pytest.approx(own["price_end"])
    assert (day["net0"] * day["price_end"] + day["net1"]) * usd1 == pytest.approx(own["pnl_usd"], rel=1e-6)
    assert day["profit_bp"] == pytest.approx(1e4 * own["pnl_usd"] / own["volume_usd"], rel=0.02)

    # a swap left out, one altered, one that the logs lack
    worse = ordered.iloc[1:].copy()
    worse.loc[1, "amount0"] = "1"
    worse.loc[2, "log_index"] += 100_000
    (day,) = _opinion(worse, swaps).to_dict("records")
    assert (day["missing"], day["extra"], day["differing"]) == (2, 1, 1)
    (check,) = (c for c in contracts.get("core_amm_second_opinion").checks if c.name == "routes_agree")
    assert check.passes(opinion).all()
    assert not check.passes(_opinion(worse, swaps)).any()
    # without logs there is a day, and nothing to compare it with
    (alone,) = _opinion(raw, swaps.iloc[:0]).to_dict("records")
    assert pd.isna(alone["missing"])
    assert alone["profit_bp"] == pytest.approx(day["profit_bp"], rel=1.0)


def _opinion(raw: pd.DataFrame, swaps: pd.DataFrame) -> pd.DataFrame:
    built = core_amm_second_opinion(raw_subgraph_swaps=raw, core_amm_swaps=swaps)
    return to_frame(to_arrow(contracts.get("core_amm_second_opinion"), built))


START = int(datetime(2024, 1, 5, tzinfo=UTC).timestamp())


@pytest.mark.parametrize("count", [0, 1, FIRST - 1, FIRST, FIRST + 1, 2 * FIRST])
def test_pages_end_where_the_day_does(tmp_path: Path, count: int) -> None:
    gateway = Gateway([_swap(n, START + n) for n in range(count)] + [_swap(9999, START + 86400)])
    http = client(tmp_path, transport=httpx.MockTransport(gateway.respond))
    frames = list(_dataset().fetch(http, Span.parse("2024-01", "2024-01"), NOW))
    assert sum(map(len, frames)) == count
    asked = len(gateway.queries)
    again = list(_dataset().fetch(http, Span.parse("2024-01", "2024-01"), NOW))
    assert sum(map(len, again)) == count
    assert len(gateway.queries) == asked + 1  # the head
    offline = list(_dataset("").fetch(client(tmp_path, offline=True), Span.parse("2024-01", "2024-01"), NOW))
    assert sum(map(len, offline)) == count


def test_days_that_the_subgraph_has_not_reached_wait(tmp_path: Path) -> None:
    gateway = Gateway([_swap(1, START)], indexed=START + 86400 + 3599)
    http = client(tmp_path, transport=httpx.MockTransport(gateway.respond))
    assert not list(_dataset().fetch(http, Span.parse("2024-01", "2024-02"), NOW))
    gateway.indexed += 1
    assert list(_dataset().fetch(http, Span.parse("2024-01", "2024-02"), NOW))


def test_without_a_key_nobody_is_asked(tmp_path: Path) -> None:
    http = client(tmp_path, transport=httpx.MockTransport(lambda _: httpx.Response(500)))
    (*_, graph) = amm_datasets((USDC_WETH,), {}, archives=())
    assert not list(graph.fetch(http, Span.parse("2024-01", "2024-01"), NOW))


def test_a_refused_key_is_named_and_not_repeated(tmp_path: Path) -> None:
    http = client(tmp_path, transport=httpx.MockTransport(Gateway([]).respond))
    wrong = "fedcba9876543210fedcba9876543210"
    with pytest.raises(PermanentError, match="Check the key in PERP_GRAPH_KEY") as caught:
        list(_dataset(wrong).fetch(http, Span.parse("2024-01", "2024-01"), NOW))
    assert wrong not in str(caught.value)


@pytest.mark.parametrize(
    ("name", "error"),
    [
        ("gateway_err_bad_indexers", TransientError),
        ("gateway_err_missing_block", TransientError),
        ("gateway_err_no_auth", PermanentError),
        ("gateway_err_not_found", NotServed),
        ("gateway_err_before_start", FormatChanged),
    ],
)
def test_recorded_refusals(shared: Path, name: str, error: type[SourceError]) -> None:
    with pytest.raises(error):
        data_of((shared / "wire" / "uniswap" / f"{name}.json").read_bytes())


def test_recorded_answer(shared: Path) -> None:
    data = data_of((shared / "wire" / "uniswap" / "token_row_block20000000.json").read_bytes())
    assert int(data["token"]["txCount"]) == 13_682_874  # numbers are texts
    with pytest.raises(FormatChanged, match="_meta"):
        read_page(data | {"swaps": []}, DAY[0], "", (6, 18))  # recorded without a time


@pytest.mark.parametrize(
    "content", [b"", b'{"data": {', b"[]", b"{}", b'{"data": null}', b'{"errors": "no"}']
)
def test_what_is_no_answer(content: bytes) -> None:
    with pytest.raises((TransientError, FormatChanged)):
        data_of(content)


def _page(swaps: Any, **meta: Any) -> pd.DataFrame:
    return read_page({"swaps": swaps, "_meta": META | meta}, date(2024, 1, 5), _swap(1, 0)["id"], (6, 18))


def _without(name: str) -> dict[str, Any]:
    return {key: value for key, value in _swap(2, START).items() if key != name}


def test_a_good_page() -> None:
    frame = _page([_swap(2, START), _swap(3, START + 86399)])
    assert frame["amount0"].tolist() == ["5000001"] * 2
    assert frame["amount1"].tolist() == ["-3"] * 2
    assert frame["time"].iloc[1] == pd.Timestamp("2024-01-05 23:59:59", tz="UTC")
    assert not len(_page([]))


@pytest.mark.parametrize(
    ("swaps", "error"),
    [
        (None, FormatChanged),
        ({"id": 1}, FormatChanged),
        ([_swap(n, START) for n in range(1, FIRST + 2)], FormatChanged),
        ([None], FormatChanged),
        ([_without("amount0")], FormatChanged),
        ([_without("transaction")], FormatChanged),
        ([_without("logIndex")], FormatChanged),
        ([_swap(2, START, logIndex=None)], FormatChanged),
        ([_swap(2, START, tick="NaN")], FormatChanged),
        ([_swap(2, START, amount0="NaN")], FormatChanged),
        ([_swap(2, START, amount0=5.0)], FormatChanged),
        ([_swap(2, START, amount0="5.0000001")], FormatChanged),
        ([_swap(2, START, sqrtPriceX96="1.5")], FormatChanged),
        ([_swap(2, START), _swap(2, START)], IncompleteBody),
        ([_swap(3, START), _swap(2, START)], IncompleteBody),
        ([_swap(2, START, id="0x0")], IncompleteBody),
        ([_swap(2, START - 1)], IncompleteBody),
        ([_swap(2, START + 86400)], IncompleteBody),
    ],
)
def test_a_bad_page_is_a_named_error(swaps: Any, error: type[SourceError]) -> None:
    with pytest.raises(error):
        _page(swaps)


def test_an_indexer_that_is_behind_or_failed_is_not_believed() -> None:
    with pytest.raises(IncompleteBody, match="has come to 2024-01-05 12:00 only"):
        _page([], block={"number": 1, "timestamp": START + 43200})
    with pytest.raises(PermanentError, match="indexing errors"):
        _page([], hasIndexingErrors=True)
    with pytest.raises(FormatChanged, match="_meta"):
        _page([], block={"number": 1, "timestamp": None})


def test_exact_amounts() -> None:
    assert exact("-123456789.123456789123456789", 18) == "-123456789123456789123456789"
    assert exact("0", 6) == "0"
    assert exact("1e-6", 6) == "1"
    assert exact("57896044618658097711785492504343953926634992332820282019728.792003956564819967", 18) == str(
        2**255 - 1
    )


def test_the_query_asks_for_lower_case_and_whole_days() -> None:
    query = page_query(POOL.address, date(2024, 1, 5), "0x1")
    assert (
        f'pool: "{POOL.address}", id_gt: "0x1", timestamp_gte: {START}, timestamp_lt: {START + 86400}'
        in query
    )


def test_other_decimals_than_declared_are_an_error(tmp_path: Path) -> None:
    def respond(request: httpx.Request) -> httpx.Response:
        answer = Gateway([]).answer(json.loads(request.content)["query"])
        if "pool" in answer:
            answer = {"pool": None} if unknown else {"pool": {f"token{n}": {"decimals": "8"} for n in "01"}}
        return httpx.Response(200, json={"data": answer})

    for unknown, error in ((False, FormatChanged), (True, NotServed)):
        http = client(tmp_path / str(unknown), transport=httpx.MockTransport(respond))
        with pytest.raises(error):
            list(_dataset().fetch(http, Span.parse("2024-01", "2024-01"), NOW))
