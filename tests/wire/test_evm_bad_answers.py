"""Answers of a node that are not usable: asked for again, never kept; and lakes that hold one already."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from chain_wire import SWAP, USDC_WETH, FakeNode, client, one_swap, rows, sets, swap_log

from perp_pipeline.sources.errors import IncompleteBody
from perp_pipeline.sources.evm_errors import RemovedLog, TruncatedWords, WordOutOfRange
from perp_pipeline.sources.store import BodyStore

ONE_DAY = (date(2024, 1, 2), date(2024, 1, 2))
POOL = USDC_WETH.split(":")[1]
Answers = Callable[[dict[str, Any]], dict[str, Any]]


def _swap(values: tuple[int, ...]) -> dict[str, Any]:
    return {"data": "0x" + "".join(format(value % 2**256, "064x") for value in values)}


BAD = {
    "sqrtPriceX96": (_swap((5, -3, 2**160, 7, 0)), WordOutOfRange, "does not fit in uint160"),
    "liquidity": (_swap((5, -3, 2**96, 2**128, 0)), WordOutOfRange, "does not fit in uint128"),
    "tick": (_swap((5, -3, 2**96, 7, 2**23)), WordOutOfRange, "does not fit in int24"),
    "amounts": (_swap((5, 3, 2**96, 7, 0)), WordOutOfRange, "have the same sign"),
    "words": ({"data": "0x" + "0" * 64 * 4}, TruncatedWords, "do not have 5 words"),
    "characters": ({"data": "0x" + "g" * 64 * 5}, TruncatedWords, "is not hexadecimal"),
    "removed": ({"removed": True}, RemovedLog, "1 of 1 logs are marked as removed"),
}


def _answers(change: dict[str, Any], times: int) -> Answers:
    """One swap in each range, wrong the first times that the swaps of a range are asked for."""
    asked: dict[str, int] = {}

    def answer(query: dict[str, Any]) -> dict[str, Any]:
        key = json.dumps(query)
        asked[key] = asked.get(key, 0) + 1
        if query["topics"][0][0] == SWAP and asked[key] <= times:
            return {"result": [swap_log(query, **change)]}
        return one_swap(query)

    return answer


def _read(folder: Path, answers: Answers, *, days: bool = True, **options: Any) -> pd.DataFrame:
    logs, _ = sets(USDC_WETH, **({} if days else {"window": ONE_DAY}))
    http = client(folder, transport=FakeNode(logs=answers).transport, **options)
    return rows(logs, http, "2024-01")


@pytest.mark.parametrize("name", BAD)
@pytest.mark.parametrize("together", [False, True])
def test_a_bad_answer_is_asked_for_again_and_not_kept(tmp_path: Path, name: str, together: bool) -> None:
    change, error, said = BAD[name]
    with pytest.raises(error) as raised:
        _read(tmp_path / "bad", _answers(change, 99), days=together, body_attempts=2)
    message = str(raised.value)
    assert said in message and USDC_WETH in message
    assert f"log 0 of {POOL}" in message and "block 189" in message
    kept = [entry.payload for entry in BodyStore(tmp_path / "bad").entries()]
    swaps = [p for p in kept if isinstance(p, dict) and p["method"] == "eth_getLogs"]
    assert not [p for p in swaps if SWAP in p["params"][0]["topics"][0]]
    healed = _read(tmp_path / "healed", _answers(change, 1), days=together, body_attempts=2)
    pd.testing.assert_frame_equal(healed, _read(tmp_path / "good", one_swap, days=together))


@pytest.mark.parametrize("name", BAD)
def test_a_lake_that_holds_a_bad_answer_gets_over_it(tmp_path: Path, name: str) -> None:
    """One that was kept by a version that checked less."""
    change, error, said = BAD[name]
    good = _read(tmp_path, one_swap)
    store = BodyStore(tmp_path)
    for entry in list(store.entries()):
        if isinstance(entry.payload, dict) and SWAP in json.dumps(entry.payload):
            found = store.get(entry.request)
            assert found is not None
            body = json.loads(found[1])
            body["result"] = [log | change for log in body["result"]]
            content = json.dumps(body).encode()
            store.put(entry.request, content, status=200, fetched_at=_at(entry.fetched_at), final=True)
    with pytest.raises(IncompleteBody, match="Run once without --offline") as raised:
        _read(tmp_path, one_swap, offline=True)
    assert type(raised.value) is error
    assert said in str(raised.value) and USDC_WETH in str(raised.value)
    pd.testing.assert_frame_equal(_read(tmp_path, one_swap), good)
    pd.testing.assert_frame_equal(_read(tmp_path, one_swap, offline=True), good)


def _at(text: str) -> Any:
    return pd.Timestamp(text).to_pydatetime()
