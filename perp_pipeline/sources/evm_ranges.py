"""Logs of a block range through eth_getLogs: split where the node refuses, checked."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pyarrow as pa

from perp_pipeline.sources.base import Body, Request
from perp_pipeline.sources.errors import NotInStore, NotServed, PermanentError, SourceError
from perp_pipeline.sources.evm_errors import BrokenPricePath
from perp_pipeline.sources.evm_logs import LogFilter, log_table, price_jump, verify
from perp_pipeline.sources.evm_rpc import Call, RangeNotHeld, RangeTooLarge, loads, refusal, result_of

if TYPE_CHECKING:
    from perp_pipeline.sources.http import Http


@dataclass(frozen=True)
class Part:
    """Logs of one block range of one pool, and where they came from."""

    logs: pa.Table
    url: str
    sha256: str


def ranges(http: Http, url: str, asked: LogFilter, label: str) -> Iterator[Part]:
    """Parts of a block range, as large as the node answers.

    Raises:
        RangeNotHeld: the node does not hold the range.
        RangeTooLarge: it refuses a single block.
    """
    try:
        body, logs = _ask(http, url, asked, label)
    except RangeTooLarge as error:
        span = asked.last - asked.first + 1
        if span == 1:
            raise RangeTooLarge(
                f"{label}: the node refuses the single block {asked.first}: {error}"
            ) from None
        step = error.max_span if error.max_span and error.max_span < span else (span + 1) // 2
        for first in range(asked.first, asked.last + 1, step):
            part = LogFilter(asked.address, asked.events, first, min(first + step - 1, asked.last))
            yield from ranges(http, url, part, label)
        return
    if jump := price_jump(logs):
        _confirm(http, url, asked, logs, f"{label}: {jump}")
    address = f"{redacted(url)}#eth_getLogs/{asked.address}/{asked.first}-{asked.last}"
    yield Part(logs, address, body.sha256)


def _confirm(http: Http, url: str, asked: LogFilter, logs: pa.Table, label: str) -> None:
    """Ask again in halves for a range whose logs look incomplete: a node that left some out does so
    differently.

    Raises:
        BrokenPricePath: the halves have other logs than the whole; neither is kept.
    """
    middle = (asked.first + asked.last) // 2
    halves = [replace(asked, last=middle), replace(asked, first=middle + 1)]
    try:
        found = [_ask(http, url, half, label)[1] for half in halves if half.first <= half.last]
    except SourceError:
        http.forget(_request(url, asked))
        raise
    names = ["block_number", "log_index", "data"]
    if not pa.concat_tables(found).select(names).equals(logs.select(names)):
        for part in (asked, *halves):
            http.forget(_request(url, part))
        raise BrokenPricePath(
            f"{label}, and the same blocks asked for in halves give other logs: the node leaves logs out. "
            "Use another node"
        )


def _request(url: str, asked: LogFilter) -> Request:
    return Request(url, method="POST", payload=Call("eth_getLogs", (asked.params(),)).payload(1))


def _ask(http: Http, url: str, asked: LogFilter, label: str) -> tuple[Body, pa.Table]:
    request = _request(url, asked)

    def check(content: bytes) -> None:
        try:
            _parse(content, asked)
        except RangeTooLarge:
            return  # a refusal is an answer: it is kept, and the parts are asked for

    name = f"{label} blocks {asked.first}-{asked.last}"
    try:
        body = http.fetch(request, final=True, check=check, label=name)
    except (NotServed, NotInStore):
        _ask_for_evidence(http, url, asked, name)
        raise
    except PermanentError as error:
        too_large = refusal(str(error))
        raise (too_large or error) from None
    if body is None:
        raise NotServed(f"{name}: no answer")
    return body, _parse(body.content, asked)


def _ask_for_evidence(http: Http, url: str, asked: LogFilter, name: str) -> None:
    """Keep the node's statement that it does not hold a range, asked again by every online run.

    Raises:
        RangeNotHeld: it says so.
        NotInStore: offline, and never asked.
    """
    payload = Call("eth_getLogs", (asked.params(),)).payload(2)

    def check(content: bytes) -> None:
        try:
            result_of(loads(content))
        except RangeNotHeld:
            return

    body = http.fetch(Request(url, method="POST", payload=payload), final=False, check=check, label=name)
    if body is not None:
        result_of(loads(body.content))


def _parse(content: bytes, asked: LogFilter) -> pa.Table:
    logs: list[dict[str, Any]] | None = result_of(loads(content))
    table = log_table(logs or [])
    verify(table, asked)
    return table


def redacted(url: str) -> str:
    """A node's address without what may be a key: scheme and host alone."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.hostname}/"
