"""eth_getLogs: what is asked, and its answers as Arrow columns."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import pyarrow as pa
import pyarrow.json as pj

from perp_pipeline.sources.errors import IncompleteBody
from perp_pipeline.sources.evm_events import Event
from perp_pipeline.sources.evm_rpc import loads, result_of
from perp_pipeline.sources.evm_words import quantities


@dataclass(frozen=True)
class LogFilter:
    """What was asked for.

    Attributes:
        address: lower-case contract address.
        events: the events asked for.
        first, last: block range, both ends included.
    """

    address: str
    events: tuple[Event, ...]
    first: int
    last: int

    def params(self) -> dict[str, Any]:
        """The filter object of eth_getLogs."""
        return {
            "address": self.address,
            "topics": [[event.topic0 for event in self.events]],
            "fromBlock": hex(self.first),
            "toBlock": hex(self.last),
        }

    @property
    def span(self) -> int:
        """How many blocks there are."""
        return self.last - self.first + 1

    def halves(self) -> list[LogFilter]:
        """The range in two; a single block as it is."""
        middle = (self.first + self.last) // 2
        parts = [replace(self, last=middle), replace(self, first=middle + 1)]
        return [part for part in parts if part.first <= part.last]


def read_logs(content: bytes) -> pa.Table:
    """Columns of the logs in the body of an eth_getLogs answer, as :func:`log_table` gives them.

    Raises:
        As :func:`read_structs`, and IncompleteBody where a log lacks a field.
    """
    return columns([read_structs(content)])


def read_structs(content: bytes) -> pa.StructArray:
    """The logs in the body of an eth_getLogs answer, as they stand in it.

    The body is parsed straight into Arrow, which takes half the time of making a Python object of each
    log. What is no plain list of logs is left to :func:`~perp_pipeline.sources.evm_rpc.result_of`.

    Raises:
        IncompleteBody: a log's field is of the wrong type.
        SourceError: the body is no JSON, or the node's error, by its meaning.
    """
    logs = _parsed(content)
    if logs is not None:
        return logs
    result = result_of(loads(content))
    if not isinstance(result, list | None):
        raise IncompleteBody(f"the node answered with {result!r} where logs belong")
    return _structs(result or [])


def log_table(logs: Sequence[dict[str, Any]]) -> pa.Table:
    """Columns of logs as nodes send them.

    Returns:
        block_number, log_index, tx_index (int64), tx_hash, address, topic0 .. topic3, data (strings; a topic
        that an event lacks is null), removed (bool), block_timestamp (int64 seconds, null where the node
        does not send it).

    Raises:
        IncompleteBody: a log lacks a field, or one is of the wrong type.
    """
    return columns([_structs(logs)])


def columns(parts: Sequence[pa.StructArray]) -> pa.Table:
    """Columns of the logs of one or more answers, as :func:`log_table` gives them.

    Raises:
        IncompleteBody: a log lacks a field.
    """
    logs = parts[0] if len(parts) == 1 else pa.concat_arrays(parts)
    fields = dict(zip(_LOG.names, logs.flatten(), strict=True))
    for name in _NEEDED:
        if fields[name].null_count:
            raise IncompleteBody(f"{fields[name].null_count} of {len(logs)} logs lack the field {name}")
    return pa.table(
        {
            "block_number": quantities(fields["blockNumber"]),
            "log_index": quantities(fields["logIndex"]),
            "tx_index": quantities(fields["transactionIndex"]),
            "tx_hash": fields["transactionHash"],
            "address": fields["address"],
            **{f"topic{place}": _topic(fields["topics"], place) for place in range(4)},
            "data": fields["data"],
            "removed": fields["removed"].fill_null(False),
            "block_timestamp": quantities(fields["blockTimestamp"]),
        }
    )


def _structs(logs: Sequence[dict[str, Any]]) -> pa.StructArray:
    try:
        return pa.array(logs, _LOG)
    except (ValueError, TypeError) as error:
        raise IncompleteBody(f"a log has a field of the wrong type: {error}") from None


def _parsed(content: bytes) -> pa.StructArray | None:
    """The logs of an answer; None where it is anything but one object with a list of logs for a result."""
    if content.lstrip()[:1] != b"{" or not content.isascii():  # a bare null would end the process
        return None
    try:
        answers = pj.read_json(
            pa.BufferReader(content),
            read_options=pj.ReadOptions(use_threads=False, block_size=len(content) + 1),
            parse_options=pj.ParseOptions(
                explicit_schema=_ANSWER, newlines_in_values=True, unexpected_field_behavior="ignore"
            ),
        )
    except pa.ArrowInvalid:
        return None
    if answers.num_rows != 1 or answers["error"].null_count == 0 or answers["result"].null_count:
        return None
    return answers["result"].chunk(0).flatten()


def _topic(topics: pa.ListArray, place: int) -> pa.Array:
    """The topics at one place; null where an event has fewer."""
    starts, ends = (side.to_numpy() for side in (topics.offsets[:-1], topics.offsets[1:]))
    wanted = starts + place
    return topics.values.take(pa.array(wanted, mask=wanted >= ends))


_LOG = pa.struct(
    [
        *((name, pa.string()) for name in ("blockNumber", "logIndex", "transactionIndex", "transactionHash")),
        *((name, pa.string()) for name in ("address", "data", "blockTimestamp")),
        ("topics", pa.list_(pa.string())),
        ("removed", pa.bool_()),
    ]
)
_NEEDED = ("blockNumber", "logIndex", "transactionIndex", "transactionHash", "address", "data", "topics")
_ANSWER = pa.schema([("result", pa.list_(_LOG)), ("error", pa.struct([("code", pa.int64())]))])
