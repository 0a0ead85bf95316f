"""When blocks were made: exact for the borders of UTC days and some blocks between, else interpolated.

The first block of each day is found by a search over eth_getBlockByNumber whose course depends on the chain's
declared anchors alone, not on the head nor on what an earlier search learned: the same questions are asked in
every run, of any span, and the stored answers serve them. Inside a day, further blocks (``knots_per_day``)
are asked for, and times between two known blocks are linear in the block number. No interpolated time can
leave its day. With hourly knots the error is that of a random walk of some 275 block intervals before the
Merge (a few minutes at worst), and a few missed 12 s slots after it.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from itertools import pairwise
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import numpy.typing as npt

from perp_pipeline.sources.errors import NotInStore, NotServed, TransientError
from perp_pipeline.sources.evm_node import Node
from perp_pipeline.sources.evm_rpc import Call, quantity
from perp_pipeline.sources.pools import Chain

if TYPE_CHECKING:
    from perp_pipeline.sources.http import Http

_log = logging.getLogger(__name__)

_CLOSE = 8
"""Blocks to ask for at once when a border is known to be this near."""
_PATIENCE = 8
"""Rounds after which a search also halves what is left: blocks came too unevenly to be guessed."""
_LATE_SECONDS = 3600.0
"""A head older than this by our clock is worth a word: the node stands still, or lags behind its chain."""
_ENDED_SECONDS = 7 * 86400.0
"""A head older than this, and that does not move, is a recording's end. No declared chain has been without a
block for a day, and none takes longer than minutes for its confirmation depth."""


class Head(NamedTuple):
    """The newest block that counts as final.

    Attributes:
        time: epoch seconds.
        stopped: nothing comes after it: a recording.
    """

    number: int
    time: int
    stopped: bool


@dataclass
class BlockClock:
    """Times of one chain's blocks, through one node.

    Attributes:
        http: where answers are fetched and kept.
    """

    http: Http
    chain: Chain
    node: Node
    _times: dict[int, int] = field(default_factory=dict)
    _head: Head | None = None

    def apart(self) -> BlockClock:
        """The same clock with a memory of its own: its searches change no later question of this one."""
        return replace(self, _times={})

    def head(self, now: datetime) -> Head:
        """The newest block that counts as final.

        That is ``confirmations`` below the head, however long a node stands still: its last blocks may not be
        those that the chain went on from. The head itself counts only where the record has ended: it is
        over a week old and is the same when asked for twice.

        Raises:
            SourceError: the node does not tell.
        """
        if self._head is None:
            number, stamp = self._latest()
            age = now.timestamp() - stamp
            stopped = age >= _ENDED_SECONDS and not self._moves(number)
            if age >= _LATE_SECONDS and not stopped:
                said = "%s: the node's newest block is %.0f hours old: it stands still or lags behind"
                _log.warning(said, self.chain.name, age / 3600)
            if not stopped:
                number = max(0, number - self.chain.confirmations)
                stamp = self.times([number])[number]
            self._head = Head(number, stamp, stopped)
        return self._head

    def _latest(self, *, again: bool = False) -> tuple[int, int]:
        """Number and time of the node's newest block."""
        call = Call("eth_getBlockByNumber", ("latest", False))
        latest = self.node.single(self.http, call, again=again)
        if not isinstance(latest, dict):
            raise TransientError(f"{self.chain.name}: the node does not tell its latest block")
        return quantity(latest.get("number")), quantity(latest.get("timestamp"))

    def _moves(self, number: int) -> bool:
        """Whether the node has another newest block by now: it is catching up with its chain."""
        try:
            return self._latest(again=True)[0] != number
        except NotInStore:  # bodies of a run that asked once
            return False

    def end(self, now: datetime) -> datetime:
        """The moment up to which all blocks are known: days that end by then are over.

        The final head's own time; where nothing comes after it, the time that a next block would have.
        """
        head = self.head(now)
        return utc(int(head.time + (self.chain.block_seconds if head.stopped else 0)))

    def times(self, blocks: Sequence[int]) -> dict[int, int]:
        """Exact times (epoch seconds) of blocks, by eth_getBlockByNumber in batches.

        Raises:
            SourceError: the node does not answer for one of them.
        """
        missing = sorted(set(blocks) - self._times.keys())
        calls = [Call("eth_getBlockByNumber", (hex(block), False)) for block in missing]
        label = f"{self.chain.name} times of {len(missing)} blocks from {missing[0] if missing else ''}"
        results = self.node.results(self.http, calls, label, check=_check_blocks)
        self._times |= {
            block: quantity(result["timestamp"]) for block, result in zip(missing, results, strict=True)
        }
        return {block: self._times[block] for block in blocks}

    def first_blocks(self, moments: Sequence[datetime], now: datetime) -> list[int]:
        """For each moment, the first block made at or after it.

        The block after the head where the next one is due at or after the moment.

        Raises:
            NotServed: the chain has not reached a moment.
        """
        head, head_time, _ = self.head(now)
        self._times.clear()
        searches = [
            _Search(int(m.timestamp()), min(self.chain.guess(m), head), self.chain.block_seconds)
            for m in moments
        ]
        for search, moment in zip(searches, moments, strict=True):
            if head_time < search.target:
                if head_time + 2 * self.chain.block_seconds < search.target:
                    raise NotServed(f"{self.chain.name} has not reached {moment:%Y-%m-%d %H:%M} at this node")
                search.found = head + 1
        while open_ := [search for search in searches if search.found is None]:
            wanted = {search.target: search.wanted(head) for search in open_}
            times = self.times(sorted({block for blocks in wanted.values() for block in blocks}))
            for search in open_:
                for block in wanted[search.target]:
                    search.learn(block, times[block])
        return [search.found for search in searches if search.found is not None]

    def interpolate(
        self, blocks: npt.NDArray[np.int64], borders: Sequence[int], edges: Sequence[datetime]
    ) -> npt.NDArray[np.int64]:
        """Times (epoch microseconds) of blocks between the first and the last of ``borders``.

        Args:
            borders: first blocks of consecutive days and of the day after the last, ascending.
            edges: the moments those days start at.
        """
        pairs = list(pairwise(borders))
        knots = {first for first, _ in pairs} | {after - 1 for first, after in pairs if after > first}
        for first, after in pairs:
            steps = np.linspace(first, after - 1, self.chain.knots_per_day + 1)
            knots |= {int(block) for block in np.round(steps)}
        known = self.times(sorted(block for block in knots if block > 0))
        x = np.array(sorted(known), dtype=np.float64)
        y = np.array([known[int(block)] for block in x], dtype=np.float64)
        micros = np.round(np.interp(blocks.astype(np.float64), x, y) * 1e6).astype(np.int64)
        low, high = int(edges[0].timestamp() * 1e6), int(edges[-1].timestamp() * 1e6) - 1
        return np.clip(micros, low, high)


def _check_blocks(calls: Sequence[Call], results: list[Any]) -> None:
    """Check that blocks are those asked for, and their times ascend.

    Raises:
        TransientError: they do not.
    """
    stamps = []
    for call, result in zip(calls, results, strict=True):
        if not isinstance(result, dict) or hex(quantity(result.get("number"))) != call.params[0]:
            raise TransientError(f"the node has no block {int(call.params[0], 16)}, or answered with another")
        stamps.append(quantity(result.get("timestamp")))
    if (np.diff(stamps) < 0).any():
        raise TransientError("the node's block times do not ascend")


@dataclass
class _Search:
    """The search for the first block at or after ``target`` (epoch seconds)."""

    target: int
    guess: int
    seconds: float
    low: tuple[int, int] | None = None
    high: tuple[int, int] | None = None
    found: int | None = None
    rounds: int = 0

    def wanted(self, head: int) -> list[int]:
        """Blocks to ask for next."""
        self.rounds += 1
        if self.low and self.high:
            (a, ta), (b, tb) = self.low, self.high
            if b - a - 1 <= _CLOSE:
                return list(range(a + 1, b))
            middle = a + int((self.target - ta) / max(1, tb - ta) * (b - a))
            reach = max(1, int((b - a) ** 0.5 / 2))
            places = [middle + step for step in (-reach, 0, reach)]
            if self.rounds > _PATIENCE:
                places.append((a + b) // 2)
            return sorted({min(max(place, a + 1), b - 1) for place in places})
        return [min(max(self.guess, 1), head)]

    def learn(self, block: int, stamp: int) -> None:
        """Take in the time of one block."""
        if stamp < self.target:
            if self.low is None or block > self.low[0]:
                self.low = (block, stamp)
        elif self.high is None or block < self.high[0]:
            self.high = (block, stamp)
        if self.high and self.high[0] <= 1:
            self.found = self.high[0]
        if self.low and self.high:
            if self.high[0] - self.low[0] == 1:
                self.found = self.high[0]
        else:
            # step past the target by a margin, so that the next answer closes the bracket
            blocks = abs(self.target - stamp) / self.seconds
            step = int(blocks + 2 * blocks**0.5) + 2
            self.guess = block + step if stamp < self.target else block - step


def utc(stamp: int) -> datetime:
    """Epoch seconds as an instant."""
    return datetime.fromtimestamp(stamp, UTC)
