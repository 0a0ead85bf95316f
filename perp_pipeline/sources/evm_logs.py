"""eth_getLogs answers as Arrow columns, and the checks that an answer must pass before it is kept."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.json as pj

from perp_pipeline.sources.errors import IncompleteBody
from perp_pipeline.sources.evm_errors import (
    BrokenPricePath,
    DuplicateLog,
    LogOutOfOrder,
    LogOutOfRange,
    RemovedLog,
    TruncatedWords,
    UnknownTopic,
)
from perp_pipeline.sources.evm_events import V3, Event
from perp_pipeline.sources.evm_rpc import loads, result_of
from perp_pipeline.sources.evm_words import Bytes, floats, quantities, small_signed, words_from_hex


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

    The body is parsed straight into Arrow, which takes half the time of making a Python object of each
    log. What is no plain list of logs is left to :func:`~perp_pipeline.sources.evm_rpc.result_of`.

    Raises:
        IncompleteBody: a log lacks a field, or one is of the wrong type.
        SourceError: the body is no JSON, or the node's error, by its meaning.
    """
    logs = _parsed(content)
    if logs is not None:
        return _columns(logs)
    result = result_of(loads(content))
    if not isinstance(result, list | None):
        raise IncompleteBody(f"the node answered with {result!r} where logs belong")
    return log_table(result or [])


def log_table(logs: Sequence[dict[str, Any]]) -> pa.Table:
    """Columns of logs as nodes send them.

    Returns:
        block_number, log_index, tx_index (int64), tx_hash, address, topic0 .. topic3, data (strings; a topic
        that an event lacks is null), removed (bool), block_timestamp (int64 seconds, null where the node
        does not send it).

    Raises:
        IncompleteBody: a log lacks a field, or one is of the wrong type.
    """
    try:
        return _columns(pa.array(logs, _LOG))
    except (ValueError, TypeError) as error:
        raise IncompleteBody(f"a log has a field of the wrong type: {error}") from None


def verify(table: pa.Table, asked: LogFilter) -> None:
    """Check that logs are what was asked for, whole and in order.

    Raises:
        RemovedLog, LogOutOfRange, DuplicateLog, LogOutOfOrder, UnknownTopic, TruncatedWords, BrokenPricePath:
            by what is wrong; the message names the first log.
    """
    if table.num_rows == 0:
        return
    if pc.any(table["removed"]).as_py():
        raise RemovedLog(f"{pc.sum(table['removed']).as_py()} of {table.num_rows} logs are marked as removed")
    addresses = {str(value).lower() for value in pc.unique(table["address"]).to_pylist()}
    if addresses != {asked.address}:
        raise LogOutOfRange(
            f"logs of {', '.join(sorted(addresses - {asked.address}))} came for {asked.address}"
        )
    blocks = table["block_number"].to_numpy()
    indexes = table["log_index"].to_numpy()
    outside = (blocks < asked.first) | (blocks > asked.last)
    if outside.any():
        raise LogOutOfRange(
            f"{int(outside.sum())} logs lie outside blocks {asked.first}-{asked.last}, "
            f"the first in block {blocks[outside][0]}"
        )
    verify_order(blocks, indexes)
    _verify_events(table, asked.events)
    verify_price_path(table)


def verify_order(blocks: npt.NDArray[np.int64], indexes: npt.NDArray[np.int64]) -> None:
    """Check that (block, log index) ascends strictly.

    Raises:
        DuplicateLog, LogOutOfOrder: it does not.
    """
    steps = np.diff(blocks)
    same = steps == 0
    index_steps = np.diff(indexes)
    if (same & (index_steps == 0)).any():
        place = int(np.flatnonzero(same & (index_steps == 0))[0])
        raise DuplicateLog(f"block {blocks[place]}, log {indexes[place]} came twice")
    wrong = (steps < 0) | (same & (index_steps < 0))
    if wrong.any():
        place = int(np.flatnonzero(wrong)[0]) + 1
        pairs = np.stack([blocks, indexes], axis=1)
        if len(np.unique(pairs, axis=0)) < len(pairs):
            raise DuplicateLog(f"a log came twice, near block {blocks[place]}")
        raise LogOutOfOrder(
            f"block {blocks[place]}, log {indexes[place]} came after block {blocks[place - 1]}, "
            f"log {indexes[place - 1]}"
        )


def verify_price_path(table: pa.Table) -> None:
    """Check that each v3 swap moved the price the way its amounts say.

    A swap that brings token0 in (amount0 > 0) cannot raise the price, one that takes it out cannot lower it,
    and only swaps move the price. Two consecutive swaps that break this by more than a tick have
    a gap between them: a node that left logs out.

    Raises:
        BrokenPricePath: naming the block.
    """
    found = _swap_words(table)
    if found is None:
        return
    words, blocks = found
    ticks = small_signed(words[:, 4], 24, "tick")
    # 1 where token0 came in, -1 where it went out; where none moved, token1 tells
    into = np.where(words[:, 0].any(axis=1), _signs(words[:, 0]), -_signs(words[:, 1]))
    wrong = np.diff(ticks) * into[1:] > 1
    if wrong.any():
        place = int(np.flatnonzero(wrong)[0]) + 1
        raise BrokenPricePath(
            f"the swap in block {blocks[place]} moves the price against its own amounts "
            f"(tick {ticks[place - 1]} to {ticks[place]}): logs before it are missing"
        )


def _signs(words: Bytes) -> npt.NDArray[np.int64]:
    """1, 0 or -1 of signed words."""
    return np.where(words[:, 0] > 0x7F, -1, words.any(axis=1).astype(np.int64))


def price_jump(table: pa.Table) -> str:
    """Where the price moves much farther than a v3 swap's amounts can carry it; empty where nowhere.

    What a swap pays out is liquidity times the move of the square root of the price (Uniswap v3 whitepaper,
    6.2.1). A move of over three times what the lesser of the liquidity before and after allows,
    and five ticks, means that swaps before it are missing, or that the pool is empty in between. On
    177,000 swaps of three real pools there is none; a tenth of a day's swaps taken out shows 19 times in 20.
    """
    path = _path(table)
    if path is None:
        return ""
    least = np.minimum(path.liquidity[1:], path.liquidity[:-1])
    with np.errstate(divide="ignore", invalid="ignore"):
        allowed = path.paid_out[1:] / least
        far = np.abs(np.diff(path.ticks)) > 3 * allowed * 2 / _TICK + 5
    far &= least > 0
    if not far.any():
        return ""
    place = int(np.flatnonzero(far)[0]) + 1
    before, after = path.ticks[place - 1], path.ticks[place]
    return f"the price jumps from tick {before} to {after} at block {path.blocks[place]}"


@dataclass(frozen=True)
class _Path:
    """The v3 swaps of a table.

    Attributes:
        paid_out: what went out, as the change of the square root of the price it takes at a liquidity of one,
            relative to that root.
    """

    blocks: npt.NDArray[np.int64]
    ticks: npt.NDArray[np.int64]
    liquidity: npt.NDArray[np.float64]
    paid_out: npt.NDArray[np.float64]


def _path(table: pa.Table) -> _Path | None:
    """The path of the price; None where fewer than two v3 swaps make none."""
    found = _swap_words(table)
    if found is None:
        return None
    words, blocks = found
    in0, in1 = (floats(words[:, place], signed=True) for place in (0, 1))
    root, liquidity = (floats(words[:, place], signed=False) for place in (2, 3))
    root /= 2.0**96
    return _Path(
        blocks=blocks,
        ticks=small_signed(words[:, 4], 24, "tick"),
        liquidity=liquidity,
        paid_out=np.where(in1 < 0, -in1 / root, np.maximum(-in0, 0.0) * root),
    )


def _swap_words(table: pa.Table) -> tuple[Bytes, npt.NDArray[np.int64]] | None:
    """Words and blocks of the v3 swaps of a table; None for fewer than two."""
    chosen = pc.and_(
        pc.equal(table["topic0"], _V3_SWAP), pc.equal(pc.binary_length(table["data"]), _V3_LENGTH)
    )
    swaps = table.select(["block_number", "data"])
    if not pc.all(chosen).as_py():
        swaps = swaps.filter(chosen)
    if swaps.num_rows < 2:
        return None
    return words_from_hex(swaps["data"], 5), swaps["block_number"].to_numpy()


_TICK = math.log(1.0001)
_V3_SWAP = next(event.topic0 for event in V3 if event.name == "swap")
_V3_LENGTH = 2 + 5 * 64


def _verify_events(table: pa.Table, events: tuple[Event, ...]) -> None:
    known = {event.topic0: event for event in events}
    lengths = pc.binary_length(table["data"])
    count = sum(
        pc.is_valid(table[f"topic{place}"]).cast(pa.int8()).to_numpy().astype(int) for place in range(4)
    )
    for topic in pc.unique(table["topic0"]).to_pylist():
        event = known.get(topic)
        if event is None:
            raise UnknownTopic(
                f"logs with topic {topic} came, which is none of {', '.join(e.name for e in events)}"
            )
        chosen = pc.equal(table["topic0"], topic)
        wrong = pc.not_equal(pc.filter(lengths, chosen), 2 + 64 * event.words)
        if pc.any(wrong).as_py():
            raise TruncatedWords(
                f"{pc.sum(wrong).as_py()} {event.name} logs do not have {event.words} words of data"
            )
        if (count[chosen.to_numpy()] != event.topics).any():
            raise TruncatedWords(f"{event.name} logs do not have {event.topics} topics")


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


def _columns(logs: pa.StructArray) -> pa.Table:
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
