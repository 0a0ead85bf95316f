"""Logs of pools from Envio's HyperSync in place of a node's eth_getLogs: a second route, with a token.

One POST answers a block range of any span, up to a server's limit of time and size, and its blocks come with
their times: a day of a pool is mostly one request, and no time is interpolated. Days' borders and pools'
facts are still a node's; any node will do for those, without archive or logs.

The form, from Envio's documentation ("HyperSync Query", "Using curl with HyperSync", docs.envio.dev) and its
clients (hypersync-client-rust; hypersync-client-go, ``QueryResponse``): ``POST
https://{chain id}.hypersync.xyz/query`` with ``from_block`` (included), ``to_block`` (not included), ``logs``
of addresses and topics by place, ``field_selection``, and the token as ``Authorization: Bearer``. The answer
has ``data``, a list of batches with ``logs`` and the ``blocks`` they lie in, ``next_block`` to go on from,
and ``archive_height``, the newest block there is. Block number and log index are JSON numbers (``0x`` texts
in clients' rows), a block's time is a ``0x`` text. What has another form is a
:class:`~perp_pipeline.sources.errors.FormatChanged`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from perp_pipeline.sources.base import Body, Request
from perp_pipeline.sources.endpoints import Endpoint
from perp_pipeline.sources.errors import (
    FormatChanged,
    IncompleteBody,
    NotInStore,
    NotServed,
    PermanentError,
    TransientError,
)
from perp_pipeline.sources.evm_logs import LogFilter, log_table
from perp_pipeline.sources.evm_ranges import Part
from perp_pipeline.sources.evm_rpc import loads
from perp_pipeline.sources.evm_verify import verify

if TYPE_CHECKING:
    from perp_pipeline.sources.http import Http

SETTING = "PERP_HYPERSYNC_TOKEN"
"""Environment variable that holds the token; where it is set, logs come by this route."""
FIELDS = {
    "block": ["number", "timestamp"],
    "log": [
        "removed",
        "log_index",
        "transaction_index",
        "transaction_hash",
        "block_number",
        "address",
        "data",
        "topic0",
        "topic1",
        "topic2",
        "topic3",
    ],
}


@dataclass(frozen=True)
class Page:
    """One answer.

    Attributes:
        logs: as :func:`~perp_pipeline.sources.evm_logs.log_table` gives them, ascending.
        next_block: the first block that the answer does not cover.
    """

    logs: pa.Table
    next_block: int


@dataclass(frozen=True)
class HyperSync:
    """The route to one chain's logs."""

    chain_id: int
    token: str = field(repr=False)

    @property
    def url(self) -> str:
        """The chain's address."""
        return f"https://{self.chain_id}.hypersync.xyz/query"

    def ahead(
        self, http: Http, ranges: Sequence[LogFilter], label: str, *, now: datetime, recent: bool, rows: int
    ) -> None:
        """Nothing: one question covers a day, and HyperSync knows no batches."""

    def parts(
        self, http: Http, asked: LogFilter, label: str, *, now: datetime, recent: bool
    ) -> Iterator[Part]:
        """A block range, page by page.

        Raises:
            TransientError: HyperSync has not reached the range's end.
            SourceError: no usable answer came; nothing of it is kept.
        """
        first = asked.first
        while first <= asked.last:
            rest = replace(asked, first=first)
            name = f"{label} hypersync blocks {first}-{asked.last}"
            body = self._ask(http, rest, name)
            try:
                page = parse_page(body.content, rest)
            except IncompleteBody as error:  # kept by a version that checked less
                if http.offline:
                    raise type(error)(f"{name}: the stored answer is not usable: {error}") from None
                http.forget(self.request(rest))
                body = self._ask(http, rest, name)
                page = parse_page(body.content, rest)
            address = f"{self.url}#logs/{asked.address}/{first}-{page.next_block - 1}"
            covered = replace(rest, last=page.next_block - 1)
            again = partial(self._again, http, rest, label)
            request = self.request(rest)
            yield Part(page.logs, page.logs.num_rows, address, body.sha256, covered, request, again)
            first = page.next_block

    def contradicted(
        self, http: Http, ranges: Sequence[LogFilter], label: str, *, now: datetime
    ) -> list[LogFilter]:
        """Ranges with logs after all: neighbours are asked for together, in halves; both answers are kept."""
        found: list[LogFilter] = []
        for together in _neighbours(ranges):
            whole = replace(together[0], last=together[-1].last)
            parts = [
                part
                for half in whole.halves()
                for part in self.parts(http, half, label, now=now, recent=False)
            ]
            blocks = {block for part in parts for block in part.logs["block_number"].to_pylist()}
            found += [asked for asked in together if any(asked.first <= b <= asked.last for b in blocks)]
            for part in parts if blocks else ():
                http.forget(part.request)
        return found

    def request(self, asked: LogFilter) -> Request:
        """The question for a block range."""
        payload = {
            "from_block": asked.first,
            "to_block": asked.last + 1,
            "logs": [{"address": [asked.address], "topics": [[event.topic0 for event in asked.events]]}],
            "field_selection": FIELDS,
        }
        sent = Endpoint(self.url, {"Authorization": f"Bearer {self.token}"})
        return Request(self.url, method="POST", payload=payload, via=sent)

    def _again(self, http: Http, asked: LogFilter, label: str) -> pa.Table:
        """The logs of a page that was answered before."""
        return parse_page(self._ask(http, asked, label).content, asked).logs

    def _ask(self, http: Http, asked: LogFilter, name: str) -> Body:
        def check(content: bytes) -> None:
            parse_page(content, asked)

        try:
            body = http.fetch(self.request(asked), final=True, check=check, label=name)
        except (NotInStore, FormatChanged):
            raise
        except PermanentError as error:
            raise type(error)(
                f"{error} (HyperSync, by the token in {SETTING}; unset it to ask the node)"
            ) from None
        if body is None:
            raise NotServed(f"{name}: no answer")
        return body


def _neighbours(ranges: Sequence[LogFilter]) -> list[list[LogFilter]]:
    """Ranges of the same events, those in a row together."""
    groups: list[list[LogFilter]] = []
    for asked in sorted(ranges, key=lambda one: (one.events[0].topic0, one.first)):
        before = groups[-1][-1] if groups else None
        if before is not None and before.events == asked.events and before.last + 1 == asked.first:
            groups[-1].append(asked)
        else:
            groups.append([asked])
    return groups


def parse_page(content: bytes, asked: LogFilter) -> Page:
    """Read and check one answer.

    Raises:
        FormatChanged: it does not have the documented form.
        TransientError: not JSON; or it stops before the blocks that were asked for.
        IncompleteBody: its logs are not what was asked for
            (:func:`~perp_pipeline.sources.evm_verify.verify`).
    """
    answer = loads(content)
    if not isinstance(answer, dict) or not isinstance(answer.get("data"), list):
        raise FormatChanged("HyperSync's answer has no list named data")
    next_block, height = answer.get("next_block"), answer.get("archive_height")
    if type(next_block) is not int or not (height is None or type(height) is int):
        raise FormatChanged(
            f"HyperSync's next_block is {next_block!r}, its archive_height {height!r}: not whole numbers"
        )
    if height is not None and height < asked.last:
        raise TransientError(f"HyperSync has come to block {height} only, {asked.last} is asked for")
    if not asked.first < next_block <= asked.last + 1:
        raise TransientError(
            f"HyperSync goes on at block {next_block} when asked for {asked.first}-{asked.last}"
        )
    times: dict[int, str] = {}
    logs: list[dict[str, Any]] = []
    for batch in answer["data"]:
        if not isinstance(batch, dict):
            raise FormatChanged("HyperSync's data are not a list of objects")
        for block in _rows(batch, "blocks"):
            times[_whole(block, "number")] = hex(_whole(block, "timestamp"))
        logs += _rows(batch, "logs")
    rows = [_as_a_node_sends_it(log, times) for log in logs]
    rows.sort(key=lambda row: (int(row["blockNumber"], 16), int(row["logIndex"], 16)))
    table = log_table(rows)
    verify(table, replace(asked, last=next_block - 1))
    return Page(table, next_block)


def _as_a_node_sends_it(log: dict[str, Any], times: dict[int, str]) -> dict[str, Any]:
    block = _whole(log, "block_number")
    if block not in times:
        raise FormatChanged(f"HyperSync sent a log of block {block} without that block's time")
    topics = log["topics"] if "topics" in log else [log.get(f"topic{place}") for place in range(4)]
    if not isinstance(topics, list):
        raise FormatChanged(f"HyperSync's topics are {topics!r}, not a list")
    try:
        return {
            "blockNumber": hex(block),
            "logIndex": hex(_whole(log, "log_index")),
            "transactionIndex": hex(_whole(log, "transaction_index")),
            "transactionHash": log["transaction_hash"],
            "address": log["address"],
            "topics": [topic for topic in topics if topic is not None],
            "data": log["data"],
            "removed": log.get("removed"),
            "blockTimestamp": times[block],
        }
    except KeyError as error:
        raise FormatChanged(f"HyperSync's log has no field {error}") from None


def _rows(batch: dict[str, Any], name: str) -> list[dict[str, Any]]:
    rows = batch.get(name) or []
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise FormatChanged(f"HyperSync's {name} are not a list of objects")
    return rows


def _whole(row: dict[str, Any], name: str) -> int:
    """A number as JSON or as ``0x`` text."""
    value = row.get(name)
    if type(value) is int and value >= 0:
        return value
    try:
        if isinstance(value, str) and value.startswith("0x"):
            return int(value, 16)
    except ValueError:
        pass
    raise FormatChanged(f"HyperSync wrote {value!r} for {name}")
