"""The simulated chain: blocks, what is done in them, and the record of it."""

from __future__ import annotations

import hashlib
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import date, timedelta
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import numpy.typing as npt

from perp_pipeline.simulation.onchain.concentrated import Pair
from perp_pipeline.simulation.onchain.deployed import DeployedConcentrated, DeployedPool, Log, State, deploy
from perp_pipeline.simulation.onchain.parameters import (
    BLOCK_SECONDS,
    BLOCKS_A_DAY,
    GENESIS,
    Noise,
    OnChain,
    PlantedPool,
)
from perp_pipeline.simulation.processes import stream

if TYPE_CHECKING:
    from perp_pipeline.simulation.market import SimulatedMarket

Array = npt.NDArray[np.float64]

BLOCKS_AN_HOUR = 3600 // BLOCK_SECONDS
HEAD_BEYOND = BLOCKS_AN_HOUR
"""Blocks without trades that follow the market's last one, so that its last day can be confirmed."""
_VISIT_AT = 3871
_COLLECT_EVERY = 20


class Entry(NamedTuple):
    """A log in its place."""

    block: int
    tx_index: int
    log_index: int
    tx_hash: str
    log: Log


class Trade(NamedTuple):
    """What a transaction of swaps did to a pool, as its own books show it.

    Attributes:
        moved: tokens that came in, net, in smallest units.
        raw_price: token1 per token0 after it.
    """

    block: int
    moved: Pair
    raw_price: float


@dataclass
class PoolRecord:
    """What the chain knows of one pool.

    Attributes:
        entries: its logs, ascending.
        balances: what it held after each block that changed it, ascending.
        trades: its swaps, ascending, from balances and prices.
        supplies: liquidity tokens after each block that changed its balance (v2 pairs).
        states: its state at the end of each UTC day.
    """

    planted: PlantedPool
    entries: list[Entry] = field(default_factory=list)
    balances: list[tuple[int, Pair]] = field(default_factory=list)
    trades: list[Trade] = field(default_factory=list)
    supplies: list[tuple[int, int]] = field(default_factory=list)
    states: list[State] = field(default_factory=list)

    def between(self, first: int, last: int) -> list[Entry]:
        """Logs of a block range, both ends included."""
        low = bisect_left(self.entries, first, key=_block)
        return self.entries[low : bisect_right(self.entries, last, key=_block)]

    def balance_at(self, block: int) -> Pair:
        """Tokens held after a block; none before the pool was created."""
        place = bisect_right(self.balances, block, key=lambda row: row[0])
        return self.balances[place - 1][1] if place else (0, 0)


@dataclass(frozen=True)
class SimulatedChain:
    """The chain as it came to be.

    Attributes:
        first_day: when the pools were created, at 00:00 UTC.
        days: how many days they live.
        head: newest block.
        records: by pool address.
    """

    first_day: date
    days: int
    head: int
    records: dict[str, PoolRecord]

    @property
    def last_day(self) -> date:
        """The pools' last day."""
        return self.first_day + timedelta(days=self.days - 1)


def block_time(block: int) -> int:
    """Epoch seconds of a block."""
    return GENESIS + BLOCK_SECONDS * block


def block_at(stamp: int) -> int:
    """The first block at or after an epoch second."""
    return -(-(stamp - GENESIS) // BLOCK_SECONDS)


def pseudo_hash(*parts: object) -> str:
    """A made-up hash, the same for the same parts."""
    return "0x" + hashlib.sha256(":".join(map(str, parts)).encode()).hexdigest()


def price_path(market: SimulatedMarket, base: str, first: int, days: int) -> Array:
    """Dollar price of a coin at each block of some days: Brownian bridges between the hourly prices.

    Args:
        first: block at the start of a full hour.
    """
    hours = days * 24
    opened = market.rows(np.array([block_time(first) // 3600]))[0]
    hourly = np.log(market.index[opened : opened + hours + 1, market.column(base)])
    step = market.planted.asset(base).daily_vol / np.sqrt(BLOCKS_A_DAY)
    shocks = stream(market.seed, f"blocks {base}").standard_normal((hours, BLOCKS_AN_HOUR)) * step
    walk = np.cumsum(shocks, axis=1)
    share = np.arange(1, BLOCKS_AN_HOUR + 1) / BLOCKS_AN_HOUR
    # the walk up to each block, less what takes it away from the next hour's price
    bridge = hourly[:-1, None] + walk + share * (np.diff(hourly)[:, None] - walk[:, -1:])
    path = np.concatenate([hourly[:-1, None], bridge[:, :-1]], axis=1)
    return np.asarray(np.exp(path.ravel()), dtype=np.float64)


def pool_window(market: SimulatedMarket) -> tuple[date, date]:
    """First and last UTC day of the pools, without making the chain."""
    start, end = market.span.start, market.span.end
    days = min(market.planted.onchain.days, (end - start).days)
    return (end - timedelta(days=days)).date(), (end - timedelta(days=1)).date()


Action = Callable[[], None]


def simulate_chain(market: SimulatedMarket) -> SimulatedChain:
    """Let arbitrageurs, noise traders, providers and the protocol at the market's planted pools.

    The pools live for the market's last days, or for all of a market that is shorter.
    """
    planted = market.planted.onchain
    first_day, last_day = pool_window(market)
    days = (last_day - first_day).days + 1
    after = block_at(market.end_hour * 3600)
    first = after - days * BLOCKS_A_DAY
    paths = {base: price_path(market, base, first, days) for base in {p.base for p in planted.pools}}
    pools = [deploy(pool) for pool in planted.pools]
    records = {pool.planted.address: PoolRecord(pool.planted) for pool in pools}
    due: list[tuple[int, int, DeployedPool, Action]] = []
    for place, pool in enumerate(pools):
        usd = paths[pool.planted.base]
        for block, action in _doings(market.seed, planted, pool, usd, first, days):
            due.append((block, place, pool, action))
    edge, tx, logs, last = first, 0, 0, -1
    for block, _, pool, action in sorted(due, key=lambda row: row[:2]):
        while edge + BLOCKS_A_DAY <= block:
            edge += BLOCKS_A_DAY
            _close_day(pools, records)
        if block != last:
            tx, logs, last = 0, 0, block
        swaps = pool.swaps
        action()
        if not pool.emitted:
            continue
        record = records[pool.planted.address]
        if pool.swaps > swaps:
            held = record.balances[-1][1]
            moved = (pool.balance[0] - held[0], pool.balance[1] - held[1])
            record.trades.append(Trade(block, moved, pool.raw_price))
        tx_hash = pseudo_hash("transaction", market.seed, block, tx)
        for log in pool.emitted:
            record.entries.append(Entry(block, tx, logs, tx_hash, log))
            logs += 1
        pool.emitted.clear()
        record.balances.append((block, pool.balance))
        record.supplies.append((block, pool.supply))
        tx += 1
    while edge + BLOCKS_A_DAY <= after:
        edge += BLOCKS_A_DAY
        _close_day(pools, records)
    return SimulatedChain(first_day, days, after + HEAD_BEYOND, records)


def _doings(
    seed: int, planted: OnChain, pool: DeployedPool, usd: Array, first: int, days: int
) -> Iterator[tuple[int, Action]]:
    """All that is done to a pool, as (block, action); what happens in one block comes in this order."""
    yield first, partial(pool.open, float(usd[0]))
    for visit, day in enumerate(range(planted.tend_days, days, planted.tend_days)):
        yield first + day * BLOCKS_A_DAY + _VISIT_AT, partial(pool.tend, visit)
    share, from_day = pool.planted.protocol_share, pool.planted.share_from_day
    if isinstance(pool, DeployedConcentrated) and share and from_day < days:
        yield first + from_day * BLOCKS_A_DAY + _VISIT_AT // 2, partial(pool.switch_protocol, share)
        for day in range(from_day + _COLLECT_EVERY, days, _COLLECT_EVERY):
            yield first + day * BLOCKS_A_DAY + _VISIT_AT // 3, pool.collect_protocol
    random = stream(seed, f"noise trades {pool.planted.address}")
    yield from _noise(random, pool, usd, first, days)
    for step in range(planted.check_blocks, days * BLOCKS_A_DAY, planted.check_blocks):
        yield first + step, partial(pool.arbitrage, pool.planted.raw_price(float(usd[step])))


def _noise(
    random: np.random.Generator, pool: DeployedPool, usd: Array, first: int, days: int
) -> Iterator[tuple[int, Action]]:
    noise: Noise = pool.planted.noise
    count = int(random.poisson(noise.per_day * days))
    steps = np.sort(random.integers(1, days * BLOCKS_A_DAY, count))
    dollars = noise.median_usd * np.exp(noise.spread * random.standard_normal(count))
    zero_for_one = random.random(count) < 0.5
    fixed_output = random.random(count) < noise.exact_output
    for step, size, sells0, exact_output in zip(steps, dollars, zero_for_one, fixed_output, strict=True):
        values = pool.planted.usd_values(float(usd[step]))
        token = 0 if sells0 != exact_output else 1
        amount = int(size / values[token])
        yield first + int(step), partial(pool.trade, bool(sells0), -amount if exact_output else amount)


def _close_day(pools: list[DeployedPool], records: dict[str, PoolRecord]) -> None:
    for pool in pools:
        records[pool.planted.address].states.append(pool.state())


def _block(entry: Entry) -> int:
    return entry.block
