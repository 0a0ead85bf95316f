"""Ranges that no one answer holds: what is too much for a node or for us, and in which parts it was got.

A node's refusal of a range is an answer, and kept as one. Where it refuses with an HTTP error, where the
answer is longer than the client reads, or where none comes in time, nothing is there to be kept: the step in
which the parts then came is noted beside the answers, so that further runs ask for the same parts.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from perp_pipeline.sources.base import Request
from perp_pipeline.sources.errors import BodyTooLarge, SourceError, TooSlow
from perp_pipeline.sources.evm_logs import LogFilter
from perp_pipeline.sources.evm_node import Node
from perp_pipeline.sources.evm_rpc import Call, RangeTooLarge

if TYPE_CHECKING:
    from perp_pipeline.sources.http import Http

TOO_MUCH = (RangeTooLarge, BodyTooLarge, TooSlow)
"""What is said of a range that may be had in parts."""


@dataclass(frozen=True)
class Cut:
    """How a range is asked for in parts.

    Attributes:
        step: blocks in a part.
        for_all: ranges that come after are too much as well.
    """

    step: int
    for_all: bool

    @classmethod
    def of(cls, asked: LogFilter, error: SourceError) -> Cut:
        """The parts of a range that is too much: of the span that the node names, else halves."""
        half = (asked.span + 1) // 2
        if not isinstance(error, RangeTooLarge):
            return cls(half, True)
        named = error.max_span
        return cls(named if named and named < asked.span else half, error.by_span)


def noted(http: Http, node: Node, asked: LogFilter) -> Cut | None:
    """The parts in which an earlier run got a range that has no answer as a whole."""
    found = http.store.get(_note(node, asked))
    return Cut(**json.loads(found[1])) if found is not None else None


def is_noted(http: Http, node: Node, asked: LogFilter) -> bool:
    """Whether an earlier run got a range in parts."""
    return http.store.entry(_note(node, asked)) is not None


def note(http: Http, node: Node, asked: LogFilter, cut: Cut, now: datetime) -> None:
    """Keep in which parts a range was got."""
    content = json.dumps({"step": cut.step, "for_all": cut.for_all}).encode()
    http.store.put(_note(node, asked), content, status=200, fetched_at=now, final=True)


def single_block(label: str, asked: LogFilter, error: SourceError) -> SourceError:
    """What to raise where a single block is too much."""
    if isinstance(error, TooSlow):
        return TooSlow(
            f"{label}: the node does not answer in time for the single block {asked.first}: {error}"
        )
    if isinstance(error, BodyTooLarge):
        return BodyTooLarge(f"{label}: the logs of the single block {asked.first} are too long: {error}")
    return RangeTooLarge(f"{label}: the node refuses the single block {asked.first}: {error}")


def call_of(asked: LogFilter) -> Call:
    """The call for the logs of a range."""
    return Call("eth_getLogs", (asked.params(),))


def _note(node: Node, asked: LogFilter) -> Request:
    """Names the note; it is never sent."""
    return Request(f"{node.address}in-parts", method="POST", payload=call_of(asked).payload(1))
