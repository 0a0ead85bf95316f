"""Logs of a block range through eth_getLogs: split where the node refuses, checked.

A node's word that it does not hold a range (pruned history, a recording) is a fact about that node, not about
the chain. It is kept under the node's host, and believed for
:data:`~perp_pipeline.sources.evm_together.BELIEVED` before the node is asked again;
another host is asked at once. For recent blocks it is never believed: a node may only be behind.

What looks as if logs were left out (a jump of the price, no log at all) is asked for again, in halves.
"No log" is believed only where both answers say so, and both are kept.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING, Any, Protocol

import pyarrow as pa

from perp_pipeline.sources.base import Request
from perp_pipeline.sources.errors import (
    BodyTooLarge,
    IncompleteBody,
    NotInStore,
    NotServed,
    PermanentError,
    SourceError,
    TooSlow,
    TransientError,
)
from perp_pipeline.sources.evm_answers import Answer, parse
from perp_pipeline.sources.evm_errors import BrokenPricePath
from perp_pipeline.sources.evm_logs import LogFilter
from perp_pipeline.sources.evm_node import Node
from perp_pipeline.sources.evm_parts import TOO_MUCH, Cut, call_of, note, noted, single_block
from perp_pipeline.sources.evm_rpc import (
    BatchRefused,
    RangeNotHeld,
    RangeTooLarge,
    loads,
    refusal,
    result_of,
)
from perp_pipeline.sources.evm_together import (
    BELIEVED,
    FULL,
    Ready,
    Together,
    keep_word,
    kept,
    refusal_of,
    request_of,
    steps,
    word_of,
)

if TYPE_CHECKING:
    from perp_pipeline.sources.http import Http

_log = logging.getLogger(__name__)

_PERHAPS = 2_000
"""Logs to expect in parts of a range that was refused as a whole."""
_TRIES = 2
"""How often blocks are asked for whose halves have other logs than the whole."""


@dataclass(frozen=True)
class Part:
    """Logs of one block range of one pool, and where they came from.

    Attributes:
        table: the logs, or None where they are to be read from the store each time.
        n_rows: how many logs there are.
        asked: the blocks that the logs are all of.
        request: what was asked, to be forgotten where the answer proves wrong.
        again: reads the logs from the store.
    """

    table: pa.Table | None
    n_rows: int
    url: str
    sha256: str
    asked: LogFilter
    request: Request
    again: Callable[[], pa.Table] = field(repr=False)

    @property
    def logs(self) -> pa.Table:
        """The logs."""
        return self.again() if self.table is None else self.table

    def released(self) -> Part:
        """The same without the logs in memory."""
        return replace(self, table=None)


class LogRoute(Protocol):
    """A way to the logs of a chain."""

    def ahead(
        self, http: Http, ranges: Sequence[LogFilter], label: str, *, now: datetime, recent: bool, rows: int
    ) -> None:
        """Fetch ranges that :meth:`parts` is about to be asked for, where together they take fewer requests.

        Args:
            rows: logs to expect in a range.
        """
        ...

    def parts(
        self, http: Http, asked: LogFilter, label: str, *, now: datetime, recent: bool
    ) -> Iterator[Part]:
        """Parts of a block range, ascending, together whole.

        Args:
            recent: the blocks are so new that a source without them may only be behind.

        Raises:
            RangeNotHeld: the source does not hold the range.
            SourceError: no usable answer came; nothing of it is kept.
        """
        ...

    def contradicted(
        self, http: Http, ranges: Sequence[LogFilter], label: str, *, now: datetime
    ) -> list[LogFilter]:
        """Of ranges that were answered with no log, those in which a question put otherwise finds one.

        Raises:
            SourceError: no usable answer came.
        """
        ...


@dataclass(frozen=True)
class NodeRoute:
    """Logs through a node's eth_getLogs.

    Attributes:
        limit: the span that the node answered, once a larger one was refused, too slow, or too long an
            answer: ranges that come after are asked for in such parts at once. A route serves a month of a
            pool from its first day, so that the questions of a month are the same in every run.
        ready: logs that were asked for together and are not yet taken.
    """

    node: Node
    limit: list[int] = field(default_factory=list)
    ready: Ready = field(default_factory=dict)

    def ahead(
        self, http: Http, ranges: Sequence[LogFilter], label: str, *, now: datetime, recent: bool, rows: int
    ) -> None:
        """Ask for ranges in bodies of many; none is asked for offline."""
        self._ranges(http, label, now, recent).ahead(ranges, rows)

    def _ranges(self, http: Http, label: str, now: datetime, recent: bool) -> _Ranges:
        believed = now if recent else now - BELIEVED
        return _Ranges(http, self.node, label, now, believed, self.limit, self.ready)

    def parts(
        self, http: Http, asked: LogFilter, label: str, *, now: datetime, recent: bool
    ) -> Iterator[Part]:
        """Parts of a block range, as large as the node answers.

        Raises:
            RangeNotHeld: the node does not hold the range.
            RangeTooLarge, TooSlow, BodyTooLarge: a single block is too much.
        """
        yield from self._ranges(http, label, now, recent).parts(asked)

    def contradicted(
        self, http: Http, ranges: Sequence[LogFilter], label: str, *, now: datetime
    ) -> list[LogFilter]:
        """Ranges whose halves, many ranges in one body, have logs after all, or are refused."""
        asked = [(whole, half) for whole in ranges for half in whole.halves()]
        calls = [call_of(half) for _, half in asked]
        try:
            empty = self.node.results(http, calls, f"{label} a second time", read=_is_empty)
        except BatchRefused:
            return list(ranges)
        found = list(dict.fromkeys(whole for (whole, _), none in zip(asked, empty, strict=True) if not none))
        if found:
            self.node.forget(http, calls)
        return found


@dataclass(frozen=True)
class _Ranges:
    """Ranges asked of one node in one run.

    Attributes:
        believed: a refusal that is older than this is asked for again.
        limit, ready: see :class:`NodeRoute`.
    """

    http: Http
    node: Node
    label: str
    now: datetime
    believed: datetime
    limit: list[int]
    ready: Ready

    def ahead(self, ranges: Sequence[LogFilter], rows: int) -> None:
        """Read what the store has of ranges; ask for the others in bodies of many, offline for none."""
        self.ready.update(kept(self.http, self.node, ranges, self.label))
        if not self.http.offline:
            step = self.limit[0] if self.limit else None
            together = Together(self.http, self.node, self.label, self.now, self.believed, step)
            self.ready.update(together.ask(ranges, rows))

    def parts(self, asked: LogFilter) -> Iterator[Part]:
        request = request_of(self.node, asked)
        whole = self.http.store.entry(request) is not None
        if self.limit and self.limit[0] < asked.span and not whole:
            yield from self._in_steps(asked, self.limit[0], _PERHAPS)
            return
        cut, rows = None if whole else noted(self.http, self.node, asked), _PERHAPS
        if cut is None:
            try:
                sha256, logs = self._believable(asked)
            except TOO_MUCH as error:
                if asked.span == 1:
                    raise single_block(self.label, asked, error) from None
                if isinstance(error, TooSlow):
                    self._require_life(asked)
                cut = Cut.of(asked, error)
                rows = _PERHAPS if isinstance(error, RangeTooLarge) else FULL
            else:
                address = f"{self.node.address}#eth_getLogs/{asked.address}/{asked.first}-{asked.last}"
                again = partial(self._again, asked)
                yield Part(logs, logs.num_rows, address, sha256, asked, request, again)
                return
        if cut.for_all:
            self.limit[:] = [min([cut.step, *self.limit])]
        yield from self._in_steps(asked, cut.step, rows)
        if self.http.store.entry(request) is None:
            note(self.http, self.node, asked, cut, self.now)

    def _require_life(self, asked: LogFilter) -> None:
        """Ask for a single block: a node that has no answer to that either is out of order, and is not
        asked for ever smaller parts.

        Raises:
            SourceError: no answer came.
        """
        block = replace(asked, last=asked.first)
        try:
            self._ask(block)
        except TOO_MUCH as error:
            raise single_block(self.label, block, error) from None

    def _in_steps(self, asked: LogFilter, step: int, rows: int) -> Iterator[Part]:
        parts = list(steps(asked, step))
        self.ahead(parts, rows)
        for part in parts:
            yield from self.parts(part)

    def _believable(self, asked: LogFilter) -> tuple[str, pa.Table]:
        """A range's logs; in halves as well where they look incomplete, as a node that left some out does so
        differently.

        Raises:
            BrokenPricePath: the halves have other logs than the whole, twice; neither is kept.
        """
        jump = ""
        for _ in range(_TRIES):
            sha256, answer = self._ask(asked)
            jump = answer.jump
            if not jump or self._confirmed(asked, answer.logs):
                return sha256, answer.logs
        raise BrokenPricePath(
            f"{self.label}: {jump}, and the same blocks asked for in halves give other logs: the node "
            "leaves logs out. Use another node"
        )

    def _again(self, asked: LogFilter) -> pa.Table:
        """The logs of a range that was answered before."""
        return self._ask(asked)[1].logs

    def _confirmed(self, asked: LogFilter, logs: pa.Table) -> bool:
        """Whether the halves have the same logs; all is forgotten where they have not."""
        halves = asked.halves()
        try:
            found = [self._ask(half)[1].logs for half in halves]
        except NotInStore:
            raise
        except SourceError:
            self.http.forget(request_of(self.node, asked))
            raise
        names = ["block_number", "log_index", "data"]
        if pa.concat_tables(found).select(names).equals(logs.select(names)):
            return True
        for part in (asked, *halves):
            self.http.forget(request_of(self.node, part))
        return False

    def _ask(self, asked: LogFilter) -> tuple[str, Answer]:
        """Digest and answer of a range."""
        if asked in self.ready:
            return self.ready.pop(asked)
        request = request_of(self.node, asked)
        if self.http.store.entry(request) is None:
            known = refusal_of(self.http, self.node, asked, self.believed)
            if known is not None:
                result_of(loads(known))
        refused: list[bytes] = []
        parsed: list[tuple[bytes, Answer]] = []

        def check(content: bytes) -> None:
            parsed.clear()
            try:
                parsed.append((content, parse(content, asked)))
            except RangeTooLarge:
                return  # a refusal is an answer: it is kept, and the parts are asked for
            except RangeNotHeld:
                refused.append(content)
                raise

        name = f"{self.label} blocks {asked.first}-{asked.last}"
        try:
            body = self.http.fetch(request, final=True, check=check, divisible=True, label=name)
        except NotServed:
            if refused:
                keep_word(self.http, word_of(self.node, asked), refused[-1], self.now)
                result_of(loads(refused[-1]))
            raise
        except (BodyTooLarge, TooSlow):
            raise
        except (PermanentError, TransientError) as error:
            said = isinstance(error, PermanentError) or type(error) is TransientError  # not: seen in a body
            raise ((refusal(str(error)) if said else None) or error) from None
        if body is None:
            raise NotServed(f"{name}: no answer")
        if parsed and parsed[0][0] is body.content:
            return body.sha256, parsed[0][1]
        try:
            return body.sha256, parse(body.content, asked)
        except IncompleteBody as error:  # kept by a version that checked less
            if self.http.offline:
                remedy = "Run once without --offline: it is asked for again"
                raise type(error)(f"{name}: the stored answer is not usable: {error}. {remedy}") from None
        _log.info("%s: the stored answer is not usable; it is asked for again", name)
        self.http.forget(request)
        return self._ask(asked)


def _is_empty(answer: Any) -> bool:
    """Whether an answer has no log; a refusal of blocks that were answered before counts as some.

    Raises:
        SourceError: another error.
    """
    try:
        return not result_of(answer)
    except (RangeNotHeld, RangeTooLarge):
        return False
