"""Logs of Uniswap pools from an Ethereum node (eth_getLogs), a UTC day at a time.

The unit of resumption is a UTC day of one pool: its first and last block are exact (see
:mod:`~perp_pipeline.sources.evm_blocks`), so the request is the same in every run, and its answer is final
once the whole day lies under the confirmation depth. Swaps and liquidity events are asked for separately. A
range that the node refuses for its span or its number of logs is split, at the span that the node names or
in halves; the refusal is kept too, so that a later run starts with the parts. A day that the node does not
hold is recorded as not served, with the node's words, and nothing is put in its place.

With a HyperSync token the logs come from there (:mod:`~perp_pipeline.sources.hypersync`); days' borders and
pools' facts are the node's in any case.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, time, timedelta
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pyarrow as pa

from perp_pipeline import contracts
from perp_pipeline.contracts.model import Contract
from perp_pipeline.months import Month, Span
from perp_pipeline.sources.errors import NotServed, PermanentError
from perp_pipeline.sources.evm_blocks import BlockClock
from perp_pipeline.sources.evm_events import PROTOCOLS, SWAP_EVENTS
from perp_pipeline.sources.evm_logs import LogFilter, verify_price_path
from perp_pipeline.sources.evm_node import Node, adopt
from perp_pipeline.sources.evm_pool_facts import balances, complete, token_addresses
from perp_pipeline.sources.evm_ranges import LogRoute, NodeRoute, Part
from perp_pipeline.sources.evm_rpc import RangeNotHeld
from perp_pipeline.sources.hypersync import HyperSync
from perp_pipeline.sources.pools import Chain, Pool, Registry, days_of, pool_columns

if TYPE_CHECKING:
    from perp_pipeline.sources.http import Http

_log = logging.getLogger(__name__)

KINDS = ("swaps", "liquidity")


@dataclass(frozen=True)
class _Day:
    """One kind of events of one pool on one day."""

    day: date
    kind: str
    first: int
    last: int
    parts: tuple[Part, ...] = ()
    refused: str = ""


@dataclass
class PoolReader:
    """Reads pools through their chains' nodes; shared by the datasets of logs and of days.

    Attributes:
        pools: which pools.
        rpc_urls: node address by chain.
        required: labels of pools of which the node must hold some day of the span.
        hypersync_token: where it is given, logs are asked of HyperSync.
    """

    pools: tuple[Pool, ...]
    registry: Registry
    rpc_urls: Mapping[str, str] = field(repr=False)
    required: frozenset[str] = frozenset()
    hypersync_token: str = field(default="", repr=False)
    _nodes: dict[tuple[int, str], Node] = field(default_factory=dict)
    _clocks: dict[tuple[int, str], BlockClock] = field(default_factory=dict)
    _facts: dict[str, Pool] = field(default_factory=dict)
    _refused: dict[tuple[int, str, str, int, int], str] = field(default_factory=dict)
    _tokens: dict[tuple[int, str], list[str]] = field(default_factory=dict)
    _ended: set[str] = field(default_factory=set)
    _last: tuple[tuple[int, str, str, datetime], list[_Day], list[int]] | None = None

    def chain_of(self, pool: Pool) -> Chain:
        """The pool's chain."""
        return self.registry.chains[pool.chain]

    def node(self, http: Http, pool: Pool) -> Node:
        """The node of the pool's chain.

        Raises:
            PermanentError: none is set, or it serves another chain.
        """
        key = (id(http), pool.chain)
        if key not in self._nodes:
            chain, url = self.chain_of(pool), self.rpc_urls.get(pool.chain)
            if not url:
                raise PermanentError(
                    f"{pool.label}: no node for {pool.chain}; set {chain.rpc_setting} to a JSON-RPC address"
                )
            node = Node.at(chain, url)
            adopt(http.store, node)
            node.require_chain(http, chain)
            self._nodes[key] = node
        return self._nodes[key]

    def route(self, http: Http, pool: Pool) -> LogRoute:
        """The way to the pool's logs."""
        if self.hypersync_token:
            return HyperSync(self.chain_of(pool).chain_id, self.hypersync_token)
        return NodeRoute(self.node(http, pool))

    def facts(self, http: Http, pool: Pool) -> Pool:
        """The pool with tokens, decimals and fee, from the chain where they are not declared."""
        if pool.label not in self._facts:
            done = pool if pool.is_declared else complete(http, self.node(http, pool), pool)
            self._facts[pool.label] = self.registry.with_tracks(done)
        return self._facts[pool.label]

    def clock(self, http: Http, pool: Pool) -> BlockClock:
        """The block clock of the pool's chain."""
        key = (id(http), pool.chain)
        if key not in self._clocks:
            self._clocks[key] = BlockClock(http, self.chain_of(pool), self.node(http, pool))
        return self._clocks[key]

    def month(self, http: Http, pool: Pool, month: Month, now: datetime) -> tuple[list[_Day], list[int]]:
        """The month's days (complete, confirmed and asked for), both kinds of each, and their borders.

        None where the node's chain ends before the month.
        """
        end = self.clock(http, pool).end(now)
        if end <= month.start:
            if pool.chain not in self._ended:
                said = "%s: the node's chain ends at %s UTC; months from %s on have no rows"
                _log.warning(said, pool.chain, f"{end:%Y-%m-%d %H:%M}", month)
                self._ended.add(pool.chain)
            return [], []
        key = (id(http), pool.label, str(month), now)
        if self._last is None or self._last[0] != key:
            days, borders = self._read(http, pool, month, now)
            self._last = (key, days, borders)
        return self._last[1], self._last[2]

    def _read(self, http: Http, pool: Pool, month: Month, now: datetime) -> tuple[list[_Day], list[int]]:
        clock = self.clock(http, pool)
        end = min(month.end, clock.end(now))
        wanted = days_of(month.start, end) if end > month.start else []
        if not any(pool.asks_for(day) for day in wanted):
            return [], []
        edges = [_midnight(day) for day in wanted] + [_midnight(wanted[-1] + timedelta(days=1))]
        borders = clock.first_blocks(edges, now)
        found: list[_Day] = []
        for place, day in enumerate(wanted):
            if pool.asks_for(day):
                first, last = borders[place], borders[place + 1] - 1
                found += [self._day(http, pool, day, kind, first, last, now) for kind in KINDS]
        return [self._held_beginning(http, pool, day, found, now) for day in found], borders

    def _held_beginning(self, http: Http, pool: Pool, day: _Day, found: list[_Day], now: datetime) -> _Day:
        """For a refused day of swaps after a served one: its blocks up to where the node's record ends.

        The day stays marked as not served whole.
        """
        before = [d for d in found if d.kind == day.kind and d.day == day.day - timedelta(days=1)]
        if day.kind != "swaps" or not day.refused or not before or before[0].refused or day.first > day.last:
            return day
        low, high, best = day.first, day.last - 1, day
        while low <= high:
            middle = (low + high) // 2
            part = self._day(http, pool, day.day, day.kind, day.first, middle, now)
            if part.refused:
                high = middle - 1
            else:
                low, best = middle + 1, replace(part, refused=day.refused)
        return best

    def balances(self, http: Http, pool: Pool, day: _Day) -> tuple[int, int] | None:
        """What the pool held at the day's end; None where the node does not tell or serve the day."""
        key = (id(http), pool.label)
        if day.refused or day.kind != "swaps" or self._tokens.get(key) == []:
            return None
        try:
            if key not in self._tokens:
                self._tokens[key] = token_addresses(http, self.node(http, pool), pool)
            held = balances(http, self.node(http, pool), pool, self._tokens[key], day.last)
        except PermanentError:
            # no eth_call, or no archive: most nodes. The check of balances is left out, nothing else
            self._tokens[key] = []
            return None
        return held[0], held[1]

    def _day(
        self, http: Http, pool: Pool, day: date, kind: str, first: int, last: int, now: datetime
    ) -> _Day:
        events = tuple(e for e in PROTOCOLS[pool.protocol] if (e.name in SWAP_EVENTS) == (kind == "swaps"))
        if first > last:
            return _Day(day, kind, first, last)
        label = f"{pool.label} raw_eth_logs {kind} {day}"
        asked = LogFilter(pool.address, events, first, last)
        key = (id(http), pool.label, kind, first, last)
        # a node may be behind in what the nightly refresh comes back to: the open month and the one before
        recent = Month(day.year, day.month) >= Month.of(now) - 1
        try:
            # both datasets come by here: what a node does not hold is asked for once in a run
            found = (
                ()
                if key in self._refused
                else self.route(http, pool).parts(http, asked, label, now=now, recent=recent)
            )
            parts = tuple(found)
        except RangeNotHeld as error:
            self._refused[key] = str(error)
        if key in self._refused:
            return _Day(day, kind, first, last, refused=self._refused[key])
        if len(parts) > 1:
            verify_price_path(pa.concat_tables([part.logs for part in parts]))
        return _Day(day, kind, first, last, parts)


@dataclass(frozen=True)
class PoolLogs:
    """Dataset of raw_eth_logs."""

    reader: PoolReader
    venue: str = "uniswap"

    @property
    def contract(self) -> Contract:
        """The raw table."""
        return contracts.get("raw_eth_logs")

    def fetch(self, http: Http, span: Span, now: datetime) -> Iterator[pd.DataFrame]:
        """One frame per pool and month.

        Raises:
            SourceError: the node gives no usable answer; nothing of the failing day is kept.
        """
        for declared in self.reader.pools:
            pool = self.reader.facts(http, declared)
            for month in span:
                days, borders = self.reader.month(http, pool, month, now)
                frames = [_frame(pool, part) for day in days for part in day.parts if part.logs.num_rows]
                if not frames:
                    continue
                frame = pd.concat(frames, ignore_index=True).sort_values(
                    ["block_number", "log_index"], ignore_index=True
                )
                stamps = frame.pop("block_timestamp").to_numpy(dtype="float64", na_value=float("nan"))
                exact = stamps == stamps
                micros = np.zeros(len(stamps), dtype="int64")
                if not exact.all():
                    edges = [_midnight(month.start.date() + timedelta(days=n)) for n in range(len(borders))]
                    clock = self.reader.clock(http, pool)
                    micros = clock.interpolate(frame["block_number"].to_numpy(), borders, edges)
                micros[exact] = (stamps[exact] * 1e6).astype("int64")
                frame["time"] = pd.to_datetime(micros, unit="us", utc=True)
                frame["time_exact"] = exact
                yield frame


@dataclass(frozen=True)
class PoolDays:
    """Dataset of raw_amm_days from nodes: what was asked for, what they hold, and the pools' constants."""

    reader: PoolReader
    venue: str = "uniswap"

    @property
    def contract(self) -> Contract:
        """The raw table."""
        return contracts.get("raw_amm_days")

    def fetch(self, http: Http, span: Span, now: datetime) -> Iterator[pd.DataFrame]:
        """One frame per pool and month.

        Raises:
            SourceError: the node gives no usable answer. NotServed where it holds no day of a required pool.
        """
        for declared in self.reader.pools:
            pool = self.reader.facts(http, declared)
            refusals: list[str] = []
            for month in span:
                days, _ = self.reader.month(http, pool, month, now)
                refusals += [day.refused for day in days if day.kind == "swaps"]
                if days:
                    url = self.reader.node(http, pool).address
                    held = [self.reader.balances(http, pool, day) for day in days]
                    rows = [_day_row(pool, day, own, url) for day, own in zip(days, held, strict=True)]
                    yield pd.DataFrame(rows)
            if pool.label in self.reader.required and refusals and all(refusals):
                raise NotServed(f"{pool.label} {span}: the node holds none of these days: {refusals[0]}")


def datasets(
    pools: tuple[Pool, ...],
    registry: Registry,
    rpc_urls: Mapping[str, str],
    *,
    required: frozenset[str] = frozenset(),
    hypersync_token: str = "",
) -> tuple[PoolLogs, PoolDays]:
    """The datasets of on-chain logs for these pools, sharing one reader.

    Args:
        rpc_urls: node address by chain name.
        required: labels of pools of which the node must hold some day of the span; of others, days that it
            does not hold are only recorded.
        hypersync_token: where it is given, logs are asked of HyperSync.
    """
    reader = PoolReader(pools, registry, rpc_urls, required, hypersync_token)
    return PoolLogs(reader), PoolDays(reader)


def _frame(pool: Pool, part: Part) -> pd.DataFrame:
    table = part.logs.drop_columns(["removed", "address"])
    frame: pd.DataFrame = table.to_pandas()
    return frame.assign(chain=pool.chain, pool=pool.address, source_url=part.url, download_sha256=part.sha256)


def _day_row(pool: Pool, day: _Day, held: tuple[int, int] | None, url: str) -> dict[str, Any]:
    return {
        "day": pd.Timestamp(day.day),
        "kind": day.kind,
        "first_block": day.first,
        "last_block": day.last,
        "served": not day.refused,
        "n_rows": sum(part.logs.num_rows for part in day.parts),
        "reason": day.refused or None,
        "balance0": str(held[0]) if held else None,
        "balance1": str(held[1]) if held else None,
        **pool_columns(pool),
        "source_url": day.parts[0].url if day.parts else url,
        "download_sha256": day.parts[0].sha256 if day.parts else None,
    }


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time(), UTC)
