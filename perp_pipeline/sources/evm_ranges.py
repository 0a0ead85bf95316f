"""Logs of a block range through eth_getLogs: split where the node refuses, checked.

A node's word that it does not hold a range (pruned history, a recording) is a fact about that node, not about
the chain. It is kept under the node's host, and believed for :data:`BELIEVED` before the node is asked again;
another host is asked at once. For recent blocks it is never believed: a node may only be behind.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Protocol

import pyarrow as pa

from perp_pipeline.sources.base import Body, Request
from perp_pipeline.sources.errors import NotServed, PermanentError, SourceError
from perp_pipeline.sources.evm_errors import BrokenPricePath
from perp_pipeline.sources.evm_logs import LogFilter, log_table, price_jump, verify
from perp_pipeline.sources.evm_node import Node
from perp_pipeline.sources.evm_rpc import Call, RangeNotHeld, RangeTooLarge, loads, refusal, result_of

if TYPE_CHECKING:
    from perp_pipeline.sources.http import Http

BELIEVED = timedelta(days=30)
"""How long a node's word that it does not hold a range stands."""


@dataclass(frozen=True)
class Part:
    """Logs of one block range of one pool, and where they came from."""

    logs: pa.Table
    url: str
    sha256: str


class LogRoute(Protocol):
    """A way to the logs of a chain."""

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


@dataclass(frozen=True)
class NodeRoute:
    """Logs through a node's eth_getLogs."""

    node: Node

    def parts(
        self, http: Http, asked: LogFilter, label: str, *, now: datetime, recent: bool
    ) -> Iterator[Part]:
        """Parts of a block range, as large as the node answers.

        Raises:
            RangeNotHeld: the node does not hold the range.
            RangeTooLarge: it refuses a single block.
        """
        believed = now if recent else now - BELIEVED
        yield from _Ranges(http, self.node, label, now, believed).parts(asked)


@dataclass(frozen=True)
class _Ranges:
    """Ranges asked of one node in one run.

    Attributes:
        believed: a refusal that is older than this is asked for again.
    """

    http: Http
    node: Node
    label: str
    now: datetime
    believed: datetime

    def parts(self, asked: LogFilter) -> Iterator[Part]:
        try:
            body, logs = self._ask(asked)
        except RangeTooLarge as error:
            span = asked.last - asked.first + 1
            if span == 1:
                raise RangeTooLarge(
                    f"{self.label}: the node refuses the single block {asked.first}: {error}"
                ) from None
            step = error.max_span if error.max_span and error.max_span < span else (span + 1) // 2
            for first in range(asked.first, asked.last + 1, step):
                yield from self.parts(replace(asked, first=first, last=min(first + step - 1, asked.last)))
            return
        if jump := price_jump(logs):
            self._confirm(asked, logs, jump)
        address = f"{self.node.address}#eth_getLogs/{asked.address}/{asked.first}-{asked.last}"
        yield Part(logs, address, body.sha256)

    def _confirm(self, asked: LogFilter, logs: pa.Table, jump: str) -> None:
        """Ask again in halves for a range whose logs look incomplete: a node that left some out does so
        differently.

        Raises:
            BrokenPricePath: the halves have other logs than the whole; neither is kept.
        """
        middle = (asked.first + asked.last) // 2
        halves = [replace(asked, last=middle), replace(asked, first=middle + 1)]
        try:
            found = [self._ask(half)[1] for half in halves if half.first <= half.last]
        except SourceError:
            self.http.forget(self._request(asked))
            raise
        names = ["block_number", "log_index", "data"]
        if not pa.concat_tables(found).select(names).equals(logs.select(names)):
            for part in (asked, *halves):
                self.http.forget(self._request(part))
            raise BrokenPricePath(
                f"{self.label}: {jump}, and the same blocks asked for in halves give other logs: the node "
                "leaves logs out. Use another node"
            )

    def _ask(self, asked: LogFilter) -> tuple[Body, pa.Table]:
        request = self._request(asked)
        word = self.node.own_request(request.payload)
        if self.http.store.entry(request) is None:
            self._raise_known(word)
        refused: list[bytes] = []

        def check(content: bytes) -> None:
            try:
                _parse(content, asked)
            except RangeTooLarge:
                return  # a refusal is an answer: it is kept, and the parts are asked for
            except RangeNotHeld:
                refused.append(content)
                raise

        name = f"{self.label} blocks {asked.first}-{asked.last}"
        try:
            body = self.http.fetch(request, final=True, check=check, label=name)
        except NotServed:
            if refused:
                self.http.store.put(
                    word, refused[-1], status=200, fetched_at=self.now, final=True, renew=True
                )
                result_of(loads(refused[-1]))
            raise
        except PermanentError as error:
            raise (refusal(str(error)) or error) from None
        if body is None:
            raise NotServed(f"{name}: no answer")
        return body, _parse(body.content, asked)

    def _raise_known(self, word: Request) -> None:
        """Raise what the node said about a range before, where that is still believed."""
        found = self.http.store.get(word)
        if found is None:
            return
        entry, content = found
        if self.http.offline or datetime.fromisoformat(entry.fetched_at) > self.believed:
            result_of(loads(content))

    def _request(self, asked: LogFilter) -> Request:
        return self.node.request(Call("eth_getLogs", (asked.params(),)).payload(1))


def _parse(content: bytes, asked: LogFilter) -> pa.Table:
    logs: list[dict[str, Any]] | None = result_of(loads(content))
    table = log_table(logs or [])
    verify(table, asked)
    return table
