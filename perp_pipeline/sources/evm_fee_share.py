"""Which part of a pool's fees is the protocol's at the start of a day, whenever it was switched on.

A switch before the days that are read leaves no trace in their logs. Two questions answer for it, and each
answer is final and the same whatever span a run has:

- The contract's state before the day's first block (eth_call): ``feeProtocol`` of slot0() of a v3 pool
  (IUniswapV3PoolState.sol); of a v2 pair whether feeTo() of its factory is set. A node that keeps old state
  (an archive) answers all days of a month in one body.
- All SetFeeProtocol events of a v3 pool since it was made, which any node with logs has: by calendar years,
  then by months. A pool begins without a share, so that no event means none.

A v2 pair has no such event. While feeTo() is set the protocol is given a sixth of the growth of
sqrt(reserve0 reserve1) in liquidity tokens (UniswapV2Pair.sol, ``_mintFee``; Uniswap v2 Core, 2.4), which is
a sixth of the fees, from the first mint or burn after the switch on.

Where neither question is answered the share is the declared one, and a warning names the pool.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from itertools import pairwise
from typing import TYPE_CHECKING, NamedTuple

import pyarrow as pa

from perp_pipeline.months import Month
from perp_pipeline.sources.errors import FormatChanged, NotServed, PermanentError
from perp_pipeline.sources.evm_days import PoolDay, PoolReader, midnight
from perp_pipeline.sources.evm_errors import LogsLeftOut
from perp_pipeline.sources.evm_events import SET_FEE_PROTOCOL
from perp_pipeline.sources.evm_logs import LogFilter
from perp_pipeline.sources.evm_pool_facts import fee_denominators, is_fee_on
from perp_pipeline.sources.evm_ranges import LogRoute, NodeRoute
from perp_pipeline.sources.evm_rpc import CallRefused
from perp_pipeline.sources.evm_words import small_signed, words_from_hex
from perp_pipeline.sources.pools import Pool

if TYPE_CHECKING:
    from perp_pipeline.sources.http import Http

_log = logging.getLogger(__name__)

MOST_RANGES = 20_000
"""Block ranges above which a node is not asked for a pool's history: some hundred bodies of many."""


class Share(NamedTuple):
    """The protocol's share when a day begins.

    Attributes:
        denominator0, denominator1: one n-th of the fees in token0 and in token1; 0: none.
        source: contract, events, or declared, which means that nobody told.
    """

    denominator0: int
    denominator1: int
    source: str


class Switch(NamedTuple):
    """One SetFeeProtocol event: denominators before and after it."""

    block: int
    old: tuple[int, int]
    new: tuple[int, int]


@dataclass
class FeeShares:
    """Reads the shares of pools through their chains' nodes.

    Attributes:
        reader: the pools' nodes, clocks and routes to logs.
    """

    reader: PoolReader
    _switches: dict[tuple[int, LogFilter], list[Switch]] = field(default_factory=dict)
    _borders: dict[tuple[int, str, datetime], int] = field(default_factory=dict)
    _refused: dict[tuple[int, str], str] = field(default_factory=dict)
    _stateless: dict[tuple[int, str], str] = field(default_factory=dict)
    _said: set[str] = field(default_factory=set)

    def at_starts(
        self,
        http: Http,
        pool: Pool,
        month: Month,
        days: Sequence[PoolDay],
        borders: Sequence[int],
        now: datetime,
    ) -> dict[date, Share]:
        """The share when each day of a month begins.

        Args:
            days: of the month, any kinds.
            borders: first blocks of the month's days and of the day after the last.

        Raises:
            SourceError: the node gives no usable answer now; what it refuses for good is warned of.
        """
        firsts = {day.day: day.first for day in days}
        try:
            return self._by_state(http, pool, firsts)
        except FormatChanged:
            raise
        except PermanentError as error:
            reason = _words(pool, error)
        if pool.protocol == "uniswap_v3":
            try:
                return self._by_events(http, pool, month, firsts, borders, now)
            except FormatChanged:
                raise
            except PermanentError as error:
                reason = f"{reason}; {_words(pool, error)}"
        if pool.label not in self._said:
            self._said.add(pool.label)
            if pool.protocol == "uniswap_v2":
                reason = f"{reason}; {self._at_head(http, pool)}"
            declared = (pool.fee_protocol0, pool.fee_protocol1)
            _log.warning(
                "%s: the protocol's share of the fees is not known from %s on, but for switches in the logs "
                "that are read: taken as %s. A node that keeps old state (archive) knows it. This one: %s",
                pool.label,
                min(firsts),
                f"declared, one n-th of token0 and token1: {declared}" if any(declared) else "0",
                reason,
            )
        return dict.fromkeys(firsts, Share(pool.fee_protocol0, pool.fee_protocol1, "declared"))

    def _by_state(self, http: Http, pool: Pool, firsts: dict[date, int]) -> dict[date, Share]:
        """By what the contract says after the block before each day."""
        key = (id(http), pool.label)
        if key in self._stateless:
            raise NotServed(self._stateless[key])
        node = self.reader.node(http, pool)
        blocks = [max(0, first - 1) for first in firsts.values()]
        try:
            found = fee_denominators(http, node, pool, blocks)
        except CallRefused as error:  # no eth_call, or no such function: so it is of every month
            self._stateless[key] = str(error)
            raise
        return {day: Share(*pair, "contract") for day, pair in zip(firsts, found, strict=True)}

    def _at_head(self, http: Http, pool: Pool) -> str:
        """What the factory of a v2 pair says now, in words."""
        try:
            on = is_fee_on(http, self.reader.node(http, pool), pool)
        except PermanentError as error:
            return _words(pool, error)
        return f"at its head feeTo() of the pair's factory is {'set' if on else '0'}"

    def _by_events(
        self,
        http: Http,
        pool: Pool,
        month: Month,
        firsts: dict[date, int],
        borders: Sequence[int],
        now: datetime,
    ) -> dict[date, Share]:
        """By all switches since the pool was made."""
        key = (id(http), pool.label)
        if key in self._refused:  # what is not known of a month is not known of later ones
            raise NotServed(self._refused[key])
        route = self.reader.route(http, pool)
        own = LogFilter(pool.address, (SET_FEE_PROTOCOL,), borders[0], borders[-1] - 1)
        try:
            # the month itself comes first: a node without it need not be asked for what was before
            late = self._between(http, pool, route, own, now, month)
            early = [
                switch
                for asked, part in self._before(http, pool, route, month, borders[0], now)
                for switch in self._between(http, pool, route, asked, now, part)
            ]
        except PermanentError as error:
            self._refused[key] = str(error)
            raise
        switches = early + late
        for before, after in pairwise(switches):
            if before.new != after.old:
                raise LogsLeftOut(
                    f"{pool.label}: the protocol's share was set to {before.new} in block {before.block}, "
                    f"and block {after.block} calls {after.old} old: the node leaves logs out. Use another "
                    "node"
                )
        begun = switches[0].old if switches else (0, 0)
        shares = {}
        for day, first in firsts.items():
            states = [begun, *(switch.new for switch in switches if switch.block < first)]
            shares[day] = Share(*states[-1], "events")
        return shares

    def _before(
        self, http: Http, pool: Pool, route: LogRoute, month: Month, after: int, now: datetime
    ) -> list[tuple[LogFilter, Month]]:
        """Block ranges from the pool's first day to a month, with the month that each ends in.

        Years and months of the calendar, so that every run has the same questions.
        """
        chain = self.reader.chain_of(pool)
        begin = midnight(pool.created or chain.anchors[0][1])
        if begin >= month.start:
            return []
        years = [Month(year, 1).start for year in range(begin.year + 1, month.year + 1)]
        months = [Month(month.year, number).start for number in range(2, month.month)]
        edges = [begin, *(edge for edge in (*years, *months) if begin < edge < month.start)]
        # each is searched for by itself: questions in company would depend on the month
        blocks = [self._first_block(http, pool, edge, now) for edge in edges]
        if pool.created is None:
            blocks[0] = 1
        limit = route.limit[0] if isinstance(route, NodeRoute) and route.limit else after
        if (after - blocks[0]) // limit > MOST_RANGES:
            raise NotServed(
                f"the node answers {limit} blocks at a time, too few for all since the pool was made"
            )
        ends = [*(Month.of(edge) - 1 for edge in edges[1:]), month - 1]
        ranges = pairwise([*blocks, after])
        return [
            (LogFilter(pool.address, (SET_FEE_PROTOCOL,), first, last - 1), end)
            for (first, last), end in zip(ranges, ends, strict=True)
            if first < last
        ]

    def _first_block(self, http: Http, pool: Pool, moment: datetime, now: datetime) -> int:
        key = (id(http), pool.chain, moment)
        if key not in self._borders:
            self._borders[key] = self.reader.clock(http, pool).apart().first_blocks([moment], now)[0]
        return self._borders[key]

    def _between(
        self, http: Http, pool: Pool, route: LogRoute, asked: LogFilter, now: datetime, month: Month
    ) -> list[Switch]:
        """Switches in a block range that ends in a month.

        Raises:
            LogsLeftOut: the node goes on saying both that blocks have none and that they have.
        """
        key = (id(http), asked)
        label = f"{pool.label} fee switches to {month}"
        recent = month >= Month.of(now) - 1
        for _ in range(2):
            if key in self._switches:
                break
            parts = tuple(route.parts(http, asked, label, now=now, recent=recent))
            empty = {part.asked: part for part in parts if not part.logs.num_rows}
            doubted = route.contradicted(http, list(empty), label, now=now) if empty else []
            for wrong in doubted:
                http.forget(empty[wrong].request)
            if not doubted:
                self._switches[key] = [switch for part in parts for switch in switches_of(part.logs)]
        if key not in self._switches:
            raise LogsLeftOut(
                f"{label}: the node answers blocks with no log and their halves with some: it leaves logs "
                "out. Use another node"
            )
        return self._switches[key]


def _words(pool: Pool, error: PermanentError) -> str:
    """What went wrong, without the request and the pool's name."""
    return str(error).partition(" (POST ")[0].removeprefix(f"{pool.label} ")


def switches_of(logs: pa.Table) -> list[Switch]:
    """The switches of a table of SetFeeProtocol logs, in its order.

    Raises:
        TruncatedWords, WordOutOfRange: a log is not what it should be.
    """
    words = words_from_hex(logs["data"], SET_FEE_PROTOCOL.words, "set_fee_protocol data")
    values = [small_signed(words[:, place], 32, "fee protocol").tolist() for place in range(4)]
    return [
        Switch(block, (old0, old1), (new0, new1))
        for block, old0, old1, new0, new1 in zip(logs["block_number"].to_pylist(), *values, strict=True)
    ]
