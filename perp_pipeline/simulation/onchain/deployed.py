"""Pools at an address: what traders and providers do to them, and the logs that it leaves."""

from __future__ import annotations

import hashlib
import math
from abc import ABC, abstractmethod
from fractions import Fraction
from typing import NamedTuple

from perp_pipeline.simulation.onchain.concentrated import ConcentratedPool, Pair
from perp_pipeline.simulation.onchain.constant_product import ConstantProductPool
from perp_pipeline.simulation.onchain.parameters import PlantedPool
from perp_pipeline.simulation.onchain.ticks import MAX_TICK, Q96, tick_at
from perp_pipeline.sources.evm_events import PROTOCOLS

WITHOUT_LIMIT = 1 << 200
"""Input of a trader who stops at a price, not at an amount."""


class Log(NamedTuple):
    """What an event leaves behind."""

    topics: tuple[str, ...]
    data: str


class State(NamedTuple):
    """A pool at a moment, as its contract knows it. Pairs are smallest units.

    Attributes:
        held: what belongs to the liquidity providers, fees included.
        put_in: what they have put in less what they have taken out.
        fees: what they have earned in fees since the pool began.
        protocol: what the protocol has earned in fees since then.
        raw_price: token1 per token0.
        swaps: how many there were.
    """

    held: Pair
    put_in: Pair
    fees: tuple[Fraction, Fraction]
    protocol: Pair
    raw_price: float
    swaps: int


def word(value: int) -> str:
    """An ABI word, two's complement, without ``0x``."""
    return format(value % (1 << 256), "064x")


def address_of(name: str) -> str:
    """A made-up account."""
    return f"0x{hashlib.sha256(name.encode()).hexdigest()[:40]}"


TRADER, ROUTER = address_of("trader"), address_of("router")


class DeployedPool(ABC):
    """A pool contract with its owners' books.

    Attributes:
        emitted: logs of the present transaction; whoever records them empties the list.
    """

    def __init__(self, planted: PlantedPool) -> None:
        self.planted = planted
        self.emitted: list[Log] = []
        self.put_in: Pair = (0, 0)
        self.swaps = 0
        self._events = {event.name: event for event in PROTOCOLS[planted.protocol]}

    @property
    @abstractmethod
    def balance(self) -> Pair:
        """Tokens in the contract."""

    @property
    @abstractmethod
    def raw_price(self) -> float:
        """Token1 per token0."""

    @property
    def supply(self) -> int:
        """Liquidity tokens; none of a pool whose positions are its owners' own."""
        return 0

    @abstractmethod
    def state(self) -> State:
        """The pool at this moment."""

    @abstractmethod
    def open(self, usd: float) -> None:
        """Create the pool at a dollar price; its providers put in what is planted."""

    @abstractmethod
    def tend(self, visit: int) -> None:
        """What the providers do on one of their visits (0, 1, ...)."""

    @abstractmethod
    def arbitrage(self, market: float) -> None:
        """Trade until the pool is within its fee of the market's price (token1 per token0), if it is not."""

    @abstractmethod
    def trade(self, zero_for_one: bool, amount: int) -> None:
        """A trade of an input (positive) or an output (negative), at any price."""

    @property
    def fee(self) -> float:
        """The fee as a fraction of the input."""
        return self.planted.fee_pips / 1e6

    def _emit(self, name: str, indexed: tuple[str | int, ...], data: tuple[str | int, ...]) -> None:
        event = self._events[name]
        topics = (event.topic0, *(f"0x{_abi(value)}" for value in indexed))
        self.emitted.append(Log(topics, "0x" + "".join(map(_abi, data))))

    def _books(self, amounts: Pair, sign: int) -> None:
        self.put_in = (self.put_in[0] + sign * amounts[0], self.put_in[1] + sign * amounts[1])


class DeployedConcentrated(DeployedPool):
    """A Uniswap v3 pool."""

    pool: ConcentratedPool

    @property
    def balance(self) -> Pair:
        return self.pool.balance

    @property
    def raw_price(self) -> float:
        return (self.pool.sqrt_price / Q96) ** 2

    def state(self) -> State:
        fees = self.pool.fees_earned()
        return State(
            self.pool.holdings(),
            self.put_in,
            (Fraction(fees[0]), Fraction(fees[1])),
            self.pool.protocol_accrued,
            self.raw_price,
            self.swaps,
        )

    def open(self, usd: float) -> None:
        planted = self.planted
        root = int(math.sqrt(planted.raw_price(usd)) * Q96)
        self.pool = ConcentratedPool(planted.fee_pips, planted.tick_spacing, root)
        self._ranges: dict[int, tuple[int, int]] = {}
        for place, (reach, dollars) in enumerate(planted.liquidity):
            self._enter(place, reach, dollars)

    def tend(self, visit: int) -> None:
        reaches = self.planted.liquidity
        for place, (reach, dollars) in enumerate(reaches):
            if reach and visit % len(reaches) in (place, 0):
                self._leave(place)
                self._enter(place, reach, dollars)
            elif not reach:
                self._collect_fees(place)

    def arbitrage(self, market: float) -> None:
        keep = 1.0 - self.fee
        low, high = (int(math.sqrt(bound) * Q96) for bound in (market * keep, market / keep))
        if self.pool.sqrt_price < low:
            self._swap(False, WITHOUT_LIMIT, low)
        elif self.pool.sqrt_price > high:
            self._swap(True, WITHOUT_LIMIT, high)

    def trade(self, zero_for_one: bool, amount: int) -> None:
        self._swap(zero_for_one, amount, None)

    def switch_protocol(self, denominator: int) -> None:
        """The protocol's share of the fees in both tokens becomes one n-th; 0: none."""
        before = self.pool.set_fee_protocol(denominator, denominator)
        self._emit("set_fee_protocol", (), (*before, denominator, denominator))

    def collect_protocol(self) -> None:
        """The protocol takes its fees out."""
        owner = address_of("protocol")
        self._emit("collect_protocol", (owner, owner), self.pool.collect_protocol())

    def _swap(self, zero_for_one: bool, amount: int, limit: int | None) -> None:
        moved = self.pool.swap(zero_for_one, amount, limit)
        self.swaps += 1
        self._emit(
            "swap",
            (ROUTER, TRADER),
            (moved.amount0, moved.amount1, self.pool.sqrt_price, self.pool.liquidity, self.pool.tick),
        )

    def _enter(self, place: int, reach: float, dollars: float) -> None:
        """Open a position around the present price with about so many dollars."""
        lower, upper = self._around(reach)
        unit = 10**18
        values = self.planted.usd_values(self.planted.usd_price(self.raw_price))
        amounts = self.pool.principal(lower, upper, unit)
        liquidity = int(unit * dollars / (amounts[0] * values[0] + amounts[1] * values[1]))
        owner = address_of(f"provider {place}")
        paid = self.pool.mint(owner, lower, upper, liquidity)
        self._books(paid, 1)
        self._ranges[place] = (lower, upper)
        self._emit("mint", (owner, lower, upper), (ROUTER, liquidity, *paid))

    def _leave(self, place: int) -> None:
        owner, (lower, upper) = address_of(f"provider {place}"), self._ranges[place]
        liquidity = self.pool.positions[owner, lower, upper].liquidity
        freed = self.pool.burn(owner, lower, upper, liquidity)
        self._emit("burn", (owner, lower, upper), (liquidity, *freed))
        self._collect(owner, lower, upper)

    def _collect_fees(self, place: int) -> None:
        owner, (lower, upper) = address_of(f"provider {place}"), self._ranges[place]
        freed = self.pool.burn(owner, lower, upper, 0)
        self._emit("burn", (owner, lower, upper), (0, *freed))
        self._collect(owner, lower, upper)

    def _collect(self, owner: str, lower: int, upper: int) -> None:
        paid = self.pool.collect(owner, lower, upper)
        self._books(paid, -1)
        self._emit("collect", (owner, lower, upper), (owner, *paid))

    def _around(self, reach: float) -> tuple[int, int]:
        spacing = self.planted.tick_spacing
        if not reach:
            last = MAX_TICK // spacing * spacing
            return -last, last
        ends = [tick_at(int(self.pool.sqrt_price * math.sqrt(share))) for share in (1 / reach, reach)]
        return ends[0] // spacing * spacing, (ends[1] // spacing + 1) * spacing


class DeployedConstantProduct(DeployedPool):
    """A Uniswap v2 pair."""

    pool: ConstantProductPool

    @property
    def balance(self) -> Pair:
        return self.pool.reserves

    @property
    def raw_price(self) -> float:
        return self.pool.reserves[1] / self.pool.reserves[0]

    @property
    def supply(self) -> int:
        return self.pool.supply

    def state(self) -> State:
        fees = self.pool.fees_thousandths
        return State(
            self.pool.reserves,
            self.put_in,
            (Fraction(fees[0], 1000), Fraction(fees[1], 1000)),
            (0, 0),
            self.raw_price,
            self.swaps,
        )

    def open(self, usd: float) -> None:
        self.pool = ConstantProductPool()
        values = self.planted.usd_values(usd)
        for place, (_, dollars) in enumerate(self.planted.liquidity):
            self._mint(place, (int(dollars / 2 / values[0]), int(dollars / 2 / values[1])))

    def tend(self, visit: int) -> None:
        last = len(self.planted.liquidity) - 1
        if visit % 2:
            tenth = (self.pool.reserves[0] // 10, self.pool.reserves[1] // 10)
            self._mint(last, tenth)
            return
        owner = address_of(f"provider {last}")
        shares = self.pool.shares[owner] // 3
        paid = self.pool.burn(owner, shares)
        self._books(paid, -1)
        self._emit("sync", (), self.pool.reserves)
        self._emit("burn", (ROUTER, owner), paid)

    def arbitrage(self, market: float) -> None:
        # the input after which another unit, less its fee, would cost the market's price
        keep = 1.0 - self.fee
        x, y = map(float, self.pool.reserves)
        into0 = (math.sqrt(keep * x * y / market) - x) / keep
        into1 = (math.sqrt(keep * x * y * market) - y) / keep
        for zero_for_one, amount in ((True, int(into0)), (False, int(into1))):
            if amount > 0 and self._gives(zero_for_one, amount):
                self._swap(zero_for_one, amount)

    def trade(self, zero_for_one: bool, amount: int) -> None:
        self._swap(zero_for_one, amount)

    def _gives(self, zero_for_one: bool, amount: int) -> bool:
        """The input is enough for an output."""
        held_in, held_out = self.pool.reserves if zero_for_one else self.pool.reserves[::-1]
        return amount * 997 * held_out >= held_in * 1000 + amount * 997

    def _swap(self, zero_for_one: bool, amount: int) -> None:
        came, went = self.pool.swap(zero_for_one, amount)
        self.swaps += 1
        self._emit("sync", (), self.pool.reserves)
        amounts = (came, 0, 0, went) if zero_for_one else (0, came, went, 0)
        self._emit("swap", (ROUTER, TRADER), amounts)

    def _mint(self, place: int, amounts: Pair) -> None:
        self.pool.mint(address_of(f"provider {place}"), *amounts)
        self._books(amounts, 1)
        self._emit("sync", (), self.pool.reserves)
        self._emit("mint", (ROUTER,), amounts)


def deploy(planted: PlantedPool) -> DeployedPool:
    """The contract of a planted pool, not opened yet."""
    kinds: dict[str, type[DeployedPool]] = {
        "uniswap_v2": DeployedConstantProduct,
        "uniswap_v3": DeployedConcentrated,
    }
    return kinds[planted.protocol](planted)


def _abi(value: str | int) -> str:
    return word(value) if isinstance(value, int) else value[2:].rjust(64, "0")
