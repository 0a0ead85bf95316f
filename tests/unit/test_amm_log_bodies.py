"""Bodies of eth_getLogs answers, parsed into Arrow at once and by Python's json: the same columns."""

from __future__ import annotations

import json
from typing import Any

import pytest
from amm_frames import POOL
from hypothesis import given
from hypothesis import strategies as st

from perp_pipeline.sources.errors import FormatChanged, IncompleteBody, TransientError
from perp_pipeline.sources.evm_logs import log_table, read_logs
from perp_pipeline.sources.evm_rpc import RangeNotHeld, RangeTooLarge

HEX = st.text("0123456789abcdef", max_size=130).map("0x".__add__)
NUMBERS = st.integers(0, 2**63 - 1).map(hex)
LOGS = st.lists(
    st.fixed_dictionaries(
        {
            "address": HEX,
            "topics": st.lists(HEX, max_size=4),
            "data": HEX,
            "blockNumber": NUMBERS,
            "transactionHash": HEX,
            "transactionIndex": NUMBERS,
            "blockHash": HEX,
            "logIndex": NUMBERS,
        },
        optional={
            "removed": st.booleans() | st.none(),
            "blockTimestamp": NUMBERS | st.none(),
            "providersOwn": st.integers() | st.lists(st.text()),
        },
    ),
    max_size=5,
)


def _body(result: Any, **more: Any) -> bytes:
    return json.dumps({"jsonrpc": "2.0", "id": 1, "result": result} | more).encode()


@given(LOGS, st.sampled_from([None, 2]))
def test_both_ways_to_parse_give_the_same_columns(logs: list[dict[str, Any]], indent: int | None) -> None:
    answer = {"id": "text too", "error": None, "result": logs}
    table = read_logs(json.dumps(answer, indent=indent).encode())
    assert table.equals(log_table(logs))
    assert table["block_number"].to_pylist() == [int(log["blockNumber"], 16) for log in logs]
    stamps = [log.get("blockTimestamp") for log in logs]
    assert table["block_timestamp"].to_pylist() == [stamp and int(stamp, 16) for stamp in stamps]
    assert table["removed"].to_pylist() == [bool(log.get("removed")) for log in logs]
    for place in range(4):
        held = [log["topics"][place] if len(log["topics"]) > place else None for log in logs]
        assert table[f"topic{place}"].to_pylist() == held


@pytest.mark.parametrize(
    ("body", "error", "said"),
    [
        (b"", TransientError, "not JSON"),
        (_body([])[:-3], TransientError, "not JSON"),
        (_body([]) + _body([]), TransientError, "not JSON"),
        (b"<html>busy</html>", TransientError, "not JSON"),
        ('{"result": ["\u2013"]}'.encode(), IncompleteBody, "wrong type"),
        (b"[]", FormatChanged, "not JSON-RPC"),
        (b'{"id": 1}', FormatChanged, "not JSON-RPC"),
        (b'{"error": "no"}', FormatChanged, "not an object"),
        (_body([], error={"code": -32005, "message": "rate limit"}), TransientError, "rate limit"),
        (_body(None, error={"code": -32000, "message": "pruned"}), RangeNotHeld, "pruned"),
        (_body(None, error={"message": "more than 10000 results"}), RangeTooLarge, "10000"),
        (_body("0x1"), IncompleteBody, "where logs belong"),
        (_body({}), IncompleteBody, "where logs belong"),
        (b" null", FormatChanged, "not JSON-RPC"),
        (_body([None]), IncompleteBody, "lack the field"),
        (_body([["a"]]), IncompleteBody, "wrong type"),
    ],
)
def test_what_is_no_list_of_logs_is_named(body: bytes, error: type[Exception], said: str) -> None:
    with pytest.raises(error, match=said):
        read_logs(body)


def test_no_result_is_no_log() -> None:
    assert read_logs(_body(None)).num_rows == read_logs(_body([])).num_rows == 0


@pytest.mark.parametrize(
    "text", ["0x", "x", "12", "0xg", "0x8000000000000000", "0x0000000000000000a", "-0x1"]
)
@pytest.mark.parametrize("name", ["blockNumber", "blockTimestamp"])
def test_a_number_that_is_none_is_named(name: str, text: str) -> None:
    good = {
        "address": POOL,
        "topics": [],
        "data": "0x",
        "blockNumber": "0x1",
        "transactionHash": "0x",
        "transactionIndex": "0x1",
        "logIndex": "0x1",
    }
    with pytest.raises(IncompleteBody, match="0x number"):
        read_logs(_body([good, good | {name: text}]))
