"""The days of a pool's months: which there are, what a route gives for each, and what of it is believed.

Days without any event are asked for a second time, those of a month together: a node that once answers
nothing for a busy day must not make it a day without trades.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, time, timedelta
from itertools import pairwise
from typing import TYPE_CHECKING

import pyarrow as pa

from perp_pipeline.months import Month
from perp_pipeline.sources.errors import PermanentError
from perp_pipeline.sources.evm_blocks import BlockClock
from perp_pipeline.sources.evm_errors import LogsLeftOut
from perp_pipeline.sources.evm_events import PROTOCOLS, SWAP_EVENTS
from perp_pipeline.sources.evm_logs import LogFilter
from perp_pipeline.sources.evm_node import Node, adopt
from perp_pipeline.sources.evm_pool_facts import balances, complete, token_addresses
from perp_pipeline.sources.evm_ranges import LogRoute, NodeRoute, Part
from perp_pipeline.sources.evm_rpc import RangeNotHeld
from perp_pipeline.sources.evm_together import HELD
from perp_pipeline.sources.evm_verify import verify_price_path
from perp_pipeline.sources.hypersync import HyperSync
from perp_pipeline.sources.pools import Chain, Pool, Registry, days_of

if TYPE_CHECKING:
    from perp_pipeline.sources.http import Http

_log = logging.getLogger(__name__)

KINDS = ("swaps", "liquidity")
_BUSY = 100
"""Swaps of the day before and of the day after from which a day without any is worth a word."""


@dataclass(frozen=True)
class PoolDay:
    """One kind of events of one pool on one day."""

    day: date
    kind: str
    first: int
    last: int
    parts: tuple[Part, ...] = ()
    refused: str = ""

    @property
    def n_rows(self) -> int:
        return sum(part.n_rows for part in self.parts)

    @property
    def empty(self) -> list[Part]:
        """Block ranges without any log."""
        return [part for part in self.parts if not part.n_rows]

    def released(self) -> PoolDay:
        """The same without the logs in memory."""
        return replace(self, parts=tuple(part.released() for part in self.parts))


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
    _early: set[str] = field(default_factory=set)
    _last: tuple[tuple[int, str, str, datetime], list[PoolDay], list[int]] | None = None

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
        """The way to a month of the pool's logs."""
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

    def month(self, http: Http, pool: Pool, month: Month, now: datetime) -> tuple[list[PoolDay], list[int]]:
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

    def _read(self, http: Http, pool: Pool, month: Month, now: datetime) -> tuple[list[PoolDay], list[int]]:
        clock = self.clock(http, pool)
        end = min(month.end, clock.end(now))
        wanted = days_of(month.start, end) if end > month.start else []
        if not any(pool.asks_for(day) for day in wanted):
            self._say_early(pool, month, wanted)
            return [], []
        edges = [midnight(day) for day in wanted] + [midnight(wanted[-1] + timedelta(days=1))]
        borders = clock.first_blocks(edges, now)
        route = self.route(http, pool)
        days = [
            PoolDay(day, kind, borders[place], borders[place + 1] - 1)
            for place, day in enumerate(wanted)
            if pool.asks_for(day)
            for kind in KINDS
        ]
        # the first day shows how large a range the node answers, and what comes in a day
        begun, rest = days[: len(KINDS)], days[len(KINDS) :]
        found = [self._day(http, pool, route, day, now) for day in begun]
        waiting = [_asked_of(pool, day) for day in rest if day.first <= day.last]
        label = f"{pool.label} raw_eth_logs {month}"
        rows = max(day.n_rows for day in found)
        route.ahead(http, waiting, label, now=now, recent=_is_recent(month, now), rows=rows)
        total = sum(day.n_rows for day in found)
        for asked in rest:
            day = self._day(http, pool, route, asked, now)
            total += day.n_rows
            found.append(day if total <= HELD else day.released())
        held = [self._held_beginning(http, pool, route, day, found, now) for day in found]
        days = self._confirmed(http, pool, route, held, now)
        _say_odd(pool, days)
        return days, borders

    def _say_early(self, pool: Pool, month: Month, wanted: Sequence[date]) -> None:
        """Warn, once a pool, of a month that ends before it can have been."""
        if pool.created is None or not wanted or wanted[-1] >= pool.created or pool.label in self._early:
            return
        self._early.add(pool.label)
        began = "the pool began"
        if pool.created == self.chain_of(pool).since.get(pool.protocol):
            began = f"{pool.protocol} began on {pool.chain}"
        said = "%s: %s on %s; months before it, here %s, have no rows"
        _log.warning(said, pool.label, began, pool.created, month)

    def _confirmed(
        self, http: Http, pool: Pool, route: LogRoute, days: list[PoolDay], now: datetime
    ) -> list[PoolDay]:
        """The days, after a second question for the blocks that have no log.

        Raises:
            LogsLeftOut: the node goes on saying both that blocks have no log and that they have.
        """
        again = False
        while empty := {part.asked: part for day in days for part in day.empty}:
            label = f"{pool.label} raw_eth_logs days without events from {days[0].day} to {days[-1].day}"
            doubted = set(route.contradicted(http, list(empty), label, now=now))
            if not doubted:
                break
            for asked in doubted:
                http.forget(empty[asked].request)
            wrong = [any(part.asked in doubted for part in day.empty) for day in days]
            if again:
                first = days[wrong.index(True)]
                raise LogsLeftOut(
                    f"{pool.label} raw_eth_logs {first.kind} {first.day}: the node answers blocks with no "
                    "log and their halves with some: it leaves logs out. Use another node"
                )
            days = [
                self._asked_again(http, pool, route, day, now) if bad else day
                for day, bad in zip(days, wrong, strict=True)
            ]
            again = True
        return days

    def _asked_again(self, http: Http, pool: Pool, route: LogRoute, day: PoolDay, now: datetime) -> PoolDay:
        found = self._day(http, pool, route, replace(day, parts=(), refused=""), now)
        return replace(found, refused=found.refused or day.refused)

    def _held_beginning(
        self, http: Http, pool: Pool, route: LogRoute, day: PoolDay, found: list[PoolDay], now: datetime
    ) -> PoolDay:
        """For a refused day of swaps after a served one: its blocks up to where the node's record ends.

        The day stays marked as not served whole: its swaps are kept, and there is no pool-day of it.
        """
        before = [d for d in found if d.kind == day.kind and d.day == day.day - timedelta(days=1)]
        if day.kind != "swaps" or not day.refused or not before or before[0].refused or day.first > day.last:
            return day
        low, high, best = day.first, day.last - 1, day
        while low <= high:
            middle = (low + high) // 2
            part = self._day(http, pool, route, replace(day, last=middle, refused=""), now)
            if part.refused:
                high = middle - 1
            else:
                low, best = middle + 1, replace(part, refused=day.refused)
        return best

    def balances(self, http: Http, pool: Pool, day: PoolDay) -> tuple[int, int] | None:
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

    def _day(self, http: Http, pool: Pool, route: LogRoute, asked_for: PoolDay, now: datetime) -> PoolDay:
        """The day with its logs, or the node's refusal."""
        day, kind, first, last = asked_for.day, asked_for.kind, asked_for.first, asked_for.last
        if first > last:
            return PoolDay(day, kind, first, last)
        label = f"{pool.label} raw_eth_logs {kind} {day}"
        asked = _asked_of(pool, asked_for)
        key = (id(http), pool.label, kind, first, last)
        recent = _is_recent(Month(day.year, day.month), now)
        try:
            # both datasets come by here: what a node does not hold is asked for once in a run
            found = () if key in self._refused else route.parts(http, asked, label, now=now, recent=recent)
            parts = tuple(found)
        except RangeNotHeld as error:
            self._refused[key] = str(error)
        if key in self._refused:
            return PoolDay(day, kind, first, last, refused=self._refused[key])
        if len(parts) > 1:
            verify_price_path(pa.concat_tables([part.logs for part in parts]))
        return PoolDay(day, kind, first, last, parts)


def _asked_of(pool: Pool, day: PoolDay) -> LogFilter:
    """The question for a day's events of its kind."""
    events = (e for e in PROTOCOLS[pool.protocol] if (e.name in SWAP_EVENTS) == (day.kind == "swaps"))
    return LogFilter(pool.address, tuple(events), day.first, day.last)


def _is_recent(month: Month, now: datetime) -> bool:
    """Whether the nightly refresh comes back to the month: a node may be behind in it."""
    return month >= Month.of(now) - 1


def _say_odd(pool: Pool, days: list[PoolDay]) -> None:
    """Warn of days without a swap of a pool that always trades, and of refused days after served ones."""
    swaps = [day for day in days if day.kind == "swaps"]
    refused = [day for before, day in pairwise(swaps) if day.refused and not before.refused]
    for day in refused:
        if day.parts:
            said = (
                "%s %s: the node's record ends within this day, at block %d after %d swaps: no pool-day: %s"
            )
            _log.warning(said, pool.label, day.day, day.last, day.n_rows, day.refused)
        else:
            said = "%s %s: the node holds the day before, not this one: %s"
            _log.warning(said, pool.label, day.day, day.refused)
    for before, day, after in zip(swaps, swaps[1:], swaps[2:], strict=False):
        if not (day.n_rows or day.refused) and min(before.n_rows, after.n_rows) >= _BUSY:
            said = "%s %s: no swap, asked for in two ways, between days of %d and %d: look for them elsewhere"
            _log.warning(said, pool.label, day.day, before.n_rows, after.n_rows)


def midnight(day: date) -> datetime:
    """The instant at which a UTC day begins."""
    return datetime.combine(day, time(), UTC)
