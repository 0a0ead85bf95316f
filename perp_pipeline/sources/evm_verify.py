"""The checks that logs must pass before they are kept: of one answer, or of many in one pass.

An answer of a few hundred logs costs as much to check alone as one of thousands, so that the answers that
came in one body are checked together. What is looked at from log to log (order, the path of the price) ends
where an answer ends.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from perp_pipeline.sources.evm_errors import (
    BrokenPricePath,
    DuplicateLog,
    LogOutOfOrder,
    LogOutOfRange,
    RemovedLog,
    TruncatedWords,
    UnknownTopic,
    WordOutOfRange,
)
from perp_pipeline.sources.evm_events import V2, V3, Event
from perp_pipeline.sources.evm_logs import LogFilter
from perp_pipeline.sources.evm_words import (
    Bytes,
    Name,
    floats,
    require_unsigned,
    signs,
    small_signed,
    words_from_hex,
)

Integers = npt.NDArray[np.int64]


def verify(table: pa.Table, asked: LogFilter) -> None:
    """Check that logs are what was asked for, whole and in order, and their words what their types allow.

    Raises:
        RemovedLog, LogOutOfRange, DuplicateLog, LogOutOfOrder, UnknownTopic, TruncatedWords, WordOutOfRange,
        BrokenPricePath: by what is wrong; the message names pool, block and index of the first log.
    """
    verify_all(table, [asked], [table.num_rows])


def verify_all(table: pa.Table, asked: Sequence[LogFilter], counts: Sequence[int]) -> list[str]:
    """Check the logs of several answers, each as :func:`verify` checks it.

    Args:
        table: the logs, answer by answer.
        asked: what each answers; all of one contract.
        counts: logs in each.

    Returns:
        What :func:`price_jump` says of each.

    Raises:
        As :func:`verify`, for one of the answers.
    """
    if table.num_rows == 0:
        return [""] * len(asked)
    logs = _Logs(table, np.repeat(np.arange(len(asked)), counts))
    if pc.any(table["removed"]).as_py():
        removed = table["removed"].to_numpy()
        raise RemovedLog(
            f"{int(removed.sum())} of {len(removed)} logs are marked as removed, "
            f"the first is {logs.name(int(np.argmax(removed)))}"
        )
    _verify_place(logs, asked)
    _ascending(logs.blocks, logs.indexes, logs.answer, f" of {asked[0].address}")
    words = _verify_events(logs, asked)
    _verify_syncs(logs)
    if (swaps := _Swaps.of(logs, words.get(_V3_SWAP))) is None:
        return [""] * len(asked)
    swaps.verify_signs()
    swaps.verify_path()
    jumps = swaps.jumps()
    return [jumps.get(place, "") for place in range(len(asked))]


def verify_order(blocks: Integers, indexes: Integers, of: str = "") -> None:
    """Check that (block, log index) ascends strictly.

    Args:
        of: whose logs they are, for messages.

    Raises:
        DuplicateLog, LogOutOfOrder: it does not.
    """
    _ascending(blocks, indexes, np.zeros(len(blocks), dtype=np.int64), of)


def verify_price_path(table: pa.Table) -> None:
    """Check that each v3 swap moved the price the way its amounts say.

    A swap that brings token0 in (amount0 > 0) cannot raise the price, one that takes it out cannot lower it,
    and only swaps move the price. Two consecutive swaps that break this by more than a tick have
    a gap between them: a node that left logs out.

    Raises:
        BrokenPricePath: naming the block.
    """
    if (swaps := _Swaps.of(_Logs.alone(table))) is not None:
        swaps.verify_path()


def price_jump(table: pa.Table) -> str:
    """Where the price moves much farther than a v3 swap's amounts can carry it; empty where nowhere.

    What a swap pays out is liquidity times the move of the square root of the price (Uniswap v3 whitepaper,
    6.2.1). A move of over three times what the lesser of the liquidity before and after allows,
    and five ticks, means that swaps before it are missing, or that the pool is empty in between. On
    177,000 swaps of three real pools there is none; a tenth of a day's swaps taken out shows 19 times in 20.
    """
    swaps = _Swaps.of(_Logs.alone(table))
    return swaps.jumps().get(0, "") if swaps is not None else ""


@dataclass(frozen=True)
class _Logs:
    """Logs with the number of the answer that each came in."""

    table: pa.Table
    answer: Integers

    @staticmethod
    def alone(table: pa.Table) -> _Logs:
        """The logs of one answer."""
        return _Logs(table, np.zeros(table.num_rows, dtype=np.int64))

    @cached_property
    def blocks(self) -> Integers:
        return np.asarray(self.table["block_number"].to_numpy())

    @cached_property
    def indexes(self) -> Integers:
        return np.asarray(self.table["log_index"].to_numpy())

    @cached_property
    def topics(self) -> tuple[npt.NDArray[np.int32], list[str]]:
        """The first topic of each log, as a place in the list of those there are."""
        coded = pa.array(self.table["topic0"].combine_chunks()).dictionary_encode()
        return coded.indices.fill_null(-1).to_numpy(), coded.dictionary.to_pylist()

    def at(self, places: Integers) -> pa.Table:
        """The logs at ascending places."""
        return self.table if len(places) == self.table.num_rows else self.table.take(pa.array(places))

    def name(self, place: int) -> str:
        """What messages call a log."""
        pool = self.table["address"][place].as_py()
        return f"block {self.blocks[place]}, log {self.indexes[place]} of {pool}"


def _verify_place(logs: _Logs, asked: Sequence[LogFilter]) -> None:
    """Check contract and blocks."""
    addresses = {str(value).lower() for value in pc.unique(logs.table["address"]).to_pylist()}
    expected = {one.address for one in asked}
    if addresses - expected:
        raise LogOutOfRange(
            f"logs of {', '.join(sorted(addresses - expected))} came for {', '.join(sorted(expected))}"
        )
    first, last = (
        np.array(ends)[logs.answer] for ends in zip(*((one.first, one.last) for one in asked), strict=True)
    )
    outside = (logs.blocks < first) | (logs.blocks > last)
    if outside.any():
        place = int(np.argmax(outside))
        raise LogOutOfRange(
            f"{int(outside.sum())} logs lie outside blocks {first[place]}-{last[place]}, "
            f"the first is {logs.name(place)}"
        )


def _ascending(blocks: Integers, indexes: Integers, answer: Integers, of: str) -> None:
    steps = np.diff(blocks)
    within = answer[1:] == answer[:-1]
    same = (steps == 0) & within
    index_steps = np.diff(indexes)
    if (same & (index_steps == 0)).any():
        place = int(np.flatnonzero(same & (index_steps == 0))[0])
        raise DuplicateLog(f"block {blocks[place]}, log {indexes[place]}{of} came twice")
    wrong = ((steps < 0) & within) | (same & (index_steps < 0))
    if wrong.any():
        place = int(np.flatnonzero(wrong)[0]) + 1
        rows = np.stack([answer, blocks, indexes], axis=1)
        if len(np.unique(rows, axis=0)) < len(rows):
            raise DuplicateLog(f"a log{of} came twice, near block {blocks[place]}")
        raise LogOutOfOrder(
            f"block {blocks[place]}, log {indexes[place]}{of} came after block {blocks[place - 1]}, "
            f"log {indexes[place - 1]}"
        )


def _verify_events(logs: _Logs, asked: Sequence[LogFilter]) -> dict[str, Bytes]:
    """Check first topics, numbers of topics and words, and that numbers fit in their types.

    Returns:
        The data words by first topic.
    """
    words: dict[str, Bytes] = {}
    codes, topics = logs.topics
    if (codes < 0).any():
        raise UnknownTopic(f"{logs.name(int(np.argmax(codes < 0)))} has no topic")
    kinds = list(dict.fromkeys(one.events for one in asked))
    kind = np.array([kinds.index(one.events) for one in asked])[logs.answer]
    for code, topic in enumerate(topics):
        places = np.flatnonzero(codes == code)
        takers = {n: event for n, events in enumerate(kinds) for event in events if event.topic0 == topic}
        if len(strays := places[~np.isin(kind[places], list(takers))]):
            names = ", ".join(event.name for event in kinds[kind[strays[0]]])
            raise UnknownTopic(
                f"logs with topic {topic} came, which is none of {names}; "
                f"the first is {logs.name(int(strays[0]))}"
            )
        words[topic] = _verify_event(logs, places, next(iter(takers.values())))
    return words


def _verify_syncs(logs: _Logs) -> None:
    """Check that before each v2 swap there is a sync in its transaction: it states the reserves after it."""
    codes, topics = logs.topics
    if _V2_SWAP not in topics:
        return
    swaps = np.flatnonzero(codes == topics.index(_V2_SWAP))
    syncs = np.flatnonzero(codes == (topics.index(_V2_SYNC) if _V2_SYNC in topics else -1))
    before = np.searchsorted(syncs, swaps) - 1
    lone = before < 0
    if len(syncs):
        sent, stated = (logs.table["tx_hash"].take(pa.array(places)) for places in (swaps, syncs[before]))
        lone |= ~pc.equal(sent, stated).to_numpy() | (logs.answer[swaps] != logs.answer[syncs[before]])
    if lone.any():
        name = logs.name(int(swaps[int(np.argmax(lone))]))
        raise TruncatedWords(f"the swap of {name} has no sync log before it")


def _verify_event(logs: _Logs, places: Integers, event: Event) -> Bytes:
    """Check the logs of one event, which are at these places, and return their data words."""

    def name(place: int) -> str:
        return logs.name(int(places[place]))

    held = logs.at(places)
    for number in range(4):
        wrong = held[f"topic{number}"].is_valid().to_numpy() != (number < event.topics)
        if wrong.any():
            first = int(np.argmax(wrong))
            raise TruncatedWords(
                f"{event.name} logs do not have {event.topics} topics; the first is {name(first)}"
            )
    words = words_from_hex(held["data"], event.words, f"{event.name} data", name)
    for number, kind in enumerate(_DATA.get(event.topic0, ())):
        _require(words[:, number], kind, event, name)
    for topic, kind in _TICKS.items() if event.topics == 4 else ():
        _require(words_from_hex(held[topic], 1, f"{event.name} {topic}", name)[:, 0], kind, event, name)
    return words


def _require(words: Bytes, declared: str, event: Event, name: Name) -> None:
    """Check that words fit in the type of a field (as ``uint160 sqrtPriceX96``)."""
    kind, what = declared.split()
    if kind == "address":
        kind = "uint160"
    bits = int(kind.lstrip("uint"))
    if bits < 256:
        check = require_unsigned if kind.startswith("u") else small_signed
        check(words, bits, f"{event.name} {what}", name)


class _Swaps:
    """The v3 swaps among logs, with the path of the price."""

    def __init__(self, logs: _Logs, places: Integers, words: Bytes) -> None:
        self._logs, self._places, self._words = logs, places, words
        self._answer = logs.answer[places]
        self._blocks = logs.blocks[places]
        self._signs = [signs(words[:, number]) for number in (0, 1)]
        self._ticks = small_signed(words[:, 4], 24, "tick", self._name)

    @staticmethod
    def of(logs: _Logs, words: Bytes | None = None) -> _Swaps | None:
        """None where there are none; ``words`` are their data words where they are read already."""
        codes, topics = logs.topics
        if _V3_SWAP not in topics:
            return None
        places = np.flatnonzero(codes == topics.index(_V3_SWAP))
        return _Swaps(logs, places, words_from_hex(logs.at(places)["data"], 5) if words is None else words)

    def _name(self, place: int) -> str:
        return self._logs.name(int(self._places[place]))

    def verify_signs(self) -> None:
        """Check that no swap moves both tokens into the pool, or both out of it: none can.

        Raises:
            WordOutOfRange: one does.
        """
        wrong = self._signs[0] * self._signs[1] > 0
        if wrong.any():
            name = self._name(int(np.argmax(wrong)))
            raise WordOutOfRange(f"swap amount0 and amount1 of {name} have the same sign")

    def verify_path(self) -> None:
        """As :func:`verify_price_path`."""
        # 1 where token0 came in, -1 where it went out; where none moved, token1 tells
        into = np.where(self._signs[0] != 0, self._signs[0], -self._signs[1])
        wrong = self._within & (np.diff(self._ticks) * into[1:] > 1)
        if wrong.any():
            place = int(np.argmax(wrong)) + 1
            raise BrokenPricePath(
                f"the swap in {self._name(place)} moves the price against its own amounts "
                f"(tick {self._ticks[place - 1]} to {self._ticks[place]}): logs before it are missing"
            )

    def jumps(self) -> dict[int, str]:
        """What :func:`price_jump` says of answers, where it says something."""
        in0, in1 = (floats(self._words[:, place], signed=True) for place in (0, 1))
        root, liquidity = (floats(self._words[:, place], signed=False) for place in (2, 3))
        root /= 2.0**96
        # the change of the root that what went out takes at a liquidity of one, relative to the root
        with np.errstate(divide="ignore", invalid="ignore"):
            paid_out = np.where(in1 < 0, -in1 / root, np.maximum(-in0, 0.0) * root)
            least = np.minimum(liquidity[1:], liquidity[:-1])
            far = np.abs(np.diff(self._ticks)) > 3 * (paid_out[1:] / least) * 2 / _TICK + 5
        found: dict[int, str] = {}
        for place in np.flatnonzero(far & (least > 0) & self._within) + 1:
            before, after = self._ticks[place - 1], self._ticks[place]
            said = f"the price jumps from tick {before} to {after} at block {self._blocks[place]}"
            found.setdefault(int(self._answer[place]), said)
        return found

    @cached_property
    def _within(self) -> npt.NDArray[np.bool_]:
        """Whether each swap but the first came in one answer with the one before it."""
        return np.asarray(self._answer[1:] == self._answer[:-1])


_TICK = math.log(1.0001)
_V3_SWAP = next(event.topic0 for event in V3 if event.name == "swap")
_V2_SWAP, _V2_SYNC = (next(e.topic0 for e in V2 if e.name == name) for name in ("swap", "sync"))
_TICKS = {"topic2": "int24 tickLower", "topic3": "int24 tickUpper"}
"""Indexed fields that are read; events with four topics have them."""
_V3_DATA = {
    "swap": ("int256 amount0", "int256 amount1", "uint160 sqrtPriceX96", "uint128 liquidity", "int24 tick"),
    "mint": ("address sender", "uint128 amount", "uint256 amount0", "uint256 amount1"),
    "burn": ("uint128 amount", "uint256 amount0", "uint256 amount1"),
    "collect": ("address recipient", "uint128 amount0", "uint128 amount1"),
    "set_fee_protocol": ("uint8 old0", "uint8 old1", "uint8 new0", "uint8 new1"),
    "collect_protocol": ("uint128 amount0", "uint128 amount1"),
}
_V2_DATA = {"sync": ("uint112 reserve0", "uint112 reserve1")}
_DATA = {event.topic0: _V3_DATA.get(event.name, ()) for event in V3} | {
    event.topic0: _V2_DATA.get(event.name, ()) for event in V2
}
"""Types and names of the data words, of events that have any of less than 256 bits."""
