"""Many block ranges in one body: eth_getLogs as a JSON-RPC batch.

Each answer is cut out of the body and kept as what it is: the answer to the question that asks for its range
alone. Nothing that is kept depends on what travelled together.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from perp_pipeline.sources.base import Body, Request
from perp_pipeline.sources.errors import (
    BodyTooLarge,
    IncompleteBody,
    PermanentError,
    SourceError,
    TooSlow,
    TransientError,
)
from perp_pipeline.sources.evm_answers import Answer, parse, parse_all
from perp_pipeline.sources.evm_logs import LogFilter
from perp_pipeline.sources.evm_node import Node
from perp_pipeline.sources.evm_parts import call_of, is_noted
from perp_pipeline.sources.evm_rpc import RangeNotHeld, RangeTooLarge, answer_bodies, batch_payload

if TYPE_CHECKING:
    from perp_pipeline.sources.http import Http
    from perp_pipeline.sources.store import Entry

_log = logging.getLogger(__name__)

BELIEVED = timedelta(days=30)
"""How long a node's word that it does not hold a range stands."""
MOST = 50
"""Ranges in one body; many providers take a hundred calls."""
FULL = 20_000
"""Logs that one body is to hold: some 15 MB."""
HELD = 50_000
"""Logs of a pool's month that are kept in memory; what comes after is read from the store when needed."""

_BYTES = 40 * 2**20
"""Bytes of stored answers that are read together: some 50,000 logs."""

Ready = dict[LogFilter, tuple[str, Answer]]
"""Digest of the stored answer, and what it says, by range."""


@dataclass(frozen=True)
class Together:
    """Ranges of one pool that are about to be asked for one by one.

    Attributes:
        now: dates what the node says about itself: that it does not hold a range.
        believed: such a word that is older than this is asked for again.
        step: the largest span that the node is known to answer; None where it refused none.
    """

    http: Http
    node: Node
    label: str
    now: datetime
    believed: datetime
    step: int | None

    def ask(self, ranges: Sequence[LogFilter], rows: int) -> Ready:
        """Fetch what the store lacks of ranges, in as few bodies as the node answers.

        A range that the node refuses in company is left to be asked for alone, and so are all after an
        answer that does not come: who asks alone says what is wrong. Where an answer is too long or too
        late, fewer are asked for at a time.

        Args:
            rows: logs to expect in a range.

        Returns:
            What came, but for what is more than :data:`HELD` logs: the store has that.
        """
        ready: Ready = {}
        most, few, held = self.node.most, MOST, 0
        waiting = [part for asked in ranges for part in self._lacking(asked)]
        while len(waiting) > 1 and (count := min(FULL // max(rows, 1), few, most[0])) > 1:
            chosen = waiting[:count]
            late: list[LogFilter] = []
            found: Ready = {}
            try:
                found, late = self._ask(chosen)
            except (PermanentError, BodyTooLarge, TooSlow) as error:
                _log.info("%s: %d ranges in one body: %s", self.label, len(chosen), error)
                few = len(chosen) // (4 if isinstance(error, TooSlow) else 2)  # waiting in vain takes long
                if isinstance(error, PermanentError):
                    most[0] = few
                continue
            except TransientError as error:
                _log.info("%s: ranges are asked for one by one: %s", self.label, error)
                break
            if late:
                most[0] = max(1, len(chosen) // 2)
            if held < HELD:
                ready |= found
            held += sum(answer.logs.num_rows for _, answer in found.values())
            waiting = [*waiting[len(chosen) :], *late]
            if found:
                rows = -(-sum(answer.logs.num_rows for _, answer in found.values()) // len(found))
        return ready

    def _lacking(self, asked: LogFilter) -> list[LogFilter]:
        """The range, in steps where the node refuses its span, less what was answered before."""
        if self._answered(asked):
            return []
        return [part for part in steps(asked, self.step) if not self._answered(part)]

    def _answered(self, asked: LogFilter) -> bool:
        if self.http.store.entry(request_of(self.node, asked)) is not None:
            return True
        if is_noted(self.http, self.node, asked):
            return True
        entry = self.http.store.entry(word_of(self.node, asked))
        return entry is not None and _stands(self.http, entry, self.believed)

    def _ask(self, chosen: Sequence[LogFilter]) -> tuple[Ready, list[LogFilter]]:
        """What came of ranges that are asked for in one body, and those that the node put off."""
        answers: dict[LogFilter, Answer] = {}
        words: list[tuple[Request, bytes]] = []
        late: list[LogFilter] = []

        def parts(content: bytes) -> list[tuple[Request, bytes]]:
            for part in (answers, words, late):
                part.clear()
            kept, reason = [], None
            bodies = answer_bodies(content, len(chosen))
            for asked, body, answer in zip(chosen, bodies, parse_all(bodies, chosen), strict=True):
                if isinstance(answer, Answer):
                    answers[asked] = answer
                    kept.append((request_of(self.node, asked), body))
                elif isinstance(answer, RangeNotHeld):
                    words.append((word_of(self.node, asked), body))
                elif isinstance(answer, TransientError):
                    reason = answer
                    if not isinstance(answer, IncompleteBody):  # that is no matter of how much was asked for
                        late.append(asked)
                elif not isinstance(answer, RangeTooLarge):
                    raise answer
            if reason is not None and not (kept or words):
                raise reason
            return kept

        calls = [call_of(asked) for asked in chosen]
        name = f"{self.label} blocks {chosen[0].first}-{chosen[-1].last} in {len(chosen)} ranges"
        digests = self.http.fetch_together(self.node.request(batch_payload(calls)), parts, label=name)
        for word, content in words:
            keep_word(self.http, word, content, self.now)
        return dict(zip(answers, zip(digests, answers.values(), strict=True), strict=True)), late


def kept(http: Http, node: Node, ranges: Sequence[LogFilter], label: str) -> Ready:
    """The answers that the store has of ranges, read together, as many as :data:`_BYTES` hold.

    What is not usable among them, and what comes after, is left to be read alone.
    """
    ready: Ready = {}
    waiting: list[tuple[LogFilter, Body]] = []
    size = 0
    for asked in ranges:
        entry = http.store.entry(request_of(node, asked))
        if entry is None or entry.is_absence:
            continue
        size += entry.bytes
        if size > _BYTES:
            break
        name = f"{label} blocks {asked.first}-{asked.last}"
        with suppress(SourceError):  # a damaged file; who reads it alone says what is wrong
            if body := http.fetch(request_of(node, asked), final=True, check=_good(asked), label=name):
                waiting.append((asked, body))
    for start in range(0, len(waiting), MOST):
        part = waiting[start : start + MOST]
        answers = parse_all([body.content for _, body in part], [asked for asked, _ in part])
        for (asked, body), answer in zip(part, answers, strict=True):
            if isinstance(answer, Answer):
                ready[asked] = body.sha256, answer
    return ready


def _good(asked: LogFilter) -> Callable[[bytes], None]:
    def check(content: bytes) -> None:
        parse(content, asked)

    return check


def steps(asked: LogFilter, step: int | None) -> Iterator[LogFilter]:
    """A range in parts of at most ``step`` blocks; as it is where that is None."""
    for first in range(asked.first, asked.last + 1, step or asked.last - asked.first + 1):
        yield replace(asked, first=first, last=min(first + step - 1, asked.last) if step else asked.last)


def request_of(node: Node, asked: LogFilter) -> Request:
    """The question for the logs of a range, whose answer is the chain's."""
    return node.request(call_of(asked).payload(1))


def word_of(node: Node, asked: LogFilter) -> Request:
    """The same question, where its answer is the node's own: that it does not hold the range."""
    return node.own_request(call_of(asked).payload(1))


def keep_word(http: Http, word: Request, content: bytes, now: datetime) -> None:
    """Store what the node said about a range that it does not hold; said again, it is as of now."""
    http.store.put(word, content, status=200, fetched_at=now, final=True, renew=True)


def refusal_of(http: Http, node: Node, asked: LogFilter, believed: datetime) -> bytes | None:
    """What the node said about a range that it does not hold, where that stands; offline it always does."""
    found = http.store.get(word_of(node, asked))
    if found is None:
        return None
    entry, content = found
    return content if _stands(http, entry, believed) else None


def _stands(http: Http, entry: Entry, believed: datetime) -> bool:
    return http.offline or datetime.fromisoformat(entry.fetched_at) > believed
