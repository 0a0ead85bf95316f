"""A concentrated-liquidity pool (Uniswap v3) as its contract keeps it: integers, ticks, positions, fees."""

from __future__ import annotations

from bisect import bisect_left, bisect_right, insort
from dataclasses import dataclass, field
from typing import NamedTuple

from perp_pipeline.simulation.onchain.swap_step import amount0_between, amount1_between, swap_step
from perp_pipeline.simulation.onchain.ticks import MAX_SQRT_PRICE, MIN_SQRT_PRICE, sqrt_price_at, tick_at

Pair = tuple[int, int]
"""An amount of token0 and one of token1, in smallest units."""
_WORD = 256
_GROWTH = 1 << 128


class Swapped(NamedTuple):
    """What a swap moved, as the pool sees it: in is positive, the fee is part of it."""

    amount0: int
    amount1: int


@dataclass
class Tick:
    """A tick at which liquidity changes.

    Attributes:
        net: liquidity that comes in force when the price crosses upwards.
        gross: liquidity of all positions that end here.
        outside: fee growth on the side of the tick where the price is not (relative, as in the contract).
    """

    net: int = 0
    gross: int = 0
    outside: list[int] = field(default_factory=lambda: [0, 0])


@dataclass
class Position:
    """Liquidity of one owner between two ticks.

    Attributes:
        inside: fee growth inside when the position was last touched.
        owed: burnt principal and credited fees, not collected yet.
    """

    liquidity: int = 0
    inside: Pair = (0, 0)
    owed: Pair = (0, 0)


Key = tuple[str, int, int]
"""Owner, lower tick, upper tick."""


class ConcentratedPool:
    """State of a pool, and what can be done to it. Amounts are smallest units.

    Args:
        fee_pips: fee in millionths of the input.
        tick_spacing: positions end at multiples of it.
        sqrt_price: first price.

    Attributes:
        fee_protocol: denominators of the protocol's share of the fees in token0 and token1; 0: none.
        protocol_fees: the protocol's, not collected yet.
        credited: fees credited to positions so far, ever.
        balance: tokens in the contract.
    """

    def __init__(self, fee_pips: int, tick_spacing: int, sqrt_price: int) -> None:
        self.fee_pips = fee_pips
        self.tick_spacing = tick_spacing
        self.sqrt_price = sqrt_price
        self.tick = tick_at(sqrt_price)
        self.liquidity = 0
        self.growth = [0, 0]
        self.fee_protocol: Pair = (0, 0)
        self.protocol_fees: Pair = (0, 0)
        self.protocol_accrued: Pair = (0, 0)
        self.credited: Pair = (0, 0)
        self.balance: Pair = (0, 0)
        self.positions: dict[Key, Position] = {}
        self.ticks: dict[int, Tick] = {}
        self._ordered: list[int] = []

    def swap(self, zero_for_one: bool, amount: int, limit: int | None = None) -> Swapped:
        """Swap until the amount is used up or the price limit is reached.

        Args:
            zero_for_one: token0 comes in and token1 goes out: the price falls.
            amount: input including its fee where positive, output where negative.
            limit: square-root price not to be passed; the end of all prices without.

        Raises:
            ValueError: the amount is zero, or the limit on the wrong side of the price.
        """
        if limit is None:
            limit = MIN_SQRT_PRICE + 1 if zero_for_one else MAX_SQRT_PRICE - 1
        ahead = (
            MIN_SQRT_PRICE < limit < self.sqrt_price
            if zero_for_one
            else self.sqrt_price < limit < MAX_SQRT_PRICE
        )
        if amount == 0 or not ahead:
            raise ValueError("a swap needs an amount, and a price limit ahead of the price")
        remaining, other = amount, 0
        exact_in = amount > 0
        token = 0 if zero_for_one else 1
        protocol = 0
        while remaining != 0 and self.sqrt_price != limit:
            start = self.sqrt_price
            following, initialized = self._next_tick(zero_for_one)
            edge = sqrt_price_at(following)
            target = max(edge, limit) if zero_for_one else min(edge, limit)
            step = swap_step(start, target, self.liquidity, remaining, self.fee_pips)
            if exact_in:
                remaining -= step.amount_in + step.fee
                other -= step.amount_out
            else:
                remaining += step.amount_out
                other += step.amount_in + step.fee
            fee = step.fee
            if share := self.fee_protocol[token]:
                protocol += fee // share
                fee -= fee // share
            if self.liquidity:
                self.growth[token] += fee * _GROWTH // self.liquidity
            self.sqrt_price = step.sqrt_price
            if self.sqrt_price == edge:
                if initialized:
                    self._cross(following, zero_for_one)
                self.tick = following - 1 if zero_for_one else following
            elif self.sqrt_price != start:
                self.tick = tick_at(self.sqrt_price)
        used = amount - remaining
        moved = Swapped(used, other) if zero_for_one == exact_in else Swapped(other, used)
        added = (protocol, 0) if zero_for_one else (0, protocol)
        self.protocol_fees = _plus(self.protocol_fees, added)
        self.protocol_accrued = _plus(self.protocol_accrued, added)
        self.balance = _plus(self.balance, moved)
        return moved

    def mint(self, owner: str, lower: int, upper: int, liquidity: int) -> Pair:
        """Add liquidity; returns what the owner pays.

        Raises:
            ValueError: no liquidity, or ticks that a position cannot end at.
        """
        if liquidity <= 0 or lower >= upper or lower % self.tick_spacing or upper % self.tick_spacing:
            raise ValueError(f"no position of {liquidity} from tick {lower} to {upper}")
        paid = self._modify((owner, lower, upper), liquidity)
        self.balance = _plus(self.balance, paid)
        return paid

    def burn(self, owner: str, lower: int, upper: int, liquidity: int) -> Pair:
        """Take liquidity out of force; returns the principal, which is owed from now on. 0 credits fees only.

        Raises:
            ValueError: the position has less.
        """
        key = (owner, lower, upper)
        if key not in self.positions or not 0 <= liquidity <= self.positions[key].liquidity:
            raise ValueError(f"{owner} has no liquidity of {liquidity} from tick {lower} to {upper}")
        freed = self._modify(key, -liquidity)
        position = self.positions[key]
        position.owed = _plus(position.owed, freed)
        return freed

    def collect(self, owner: str, lower: int, upper: int) -> Pair:
        """Pay out all that a position is owed; returns it."""
        position = self.positions[owner, lower, upper]
        paid, position.owed = position.owed, (0, 0)
        self.balance = _minus(self.balance, paid)
        return paid

    def set_fee_protocol(self, new0: int, new1: int) -> Pair:
        """Change the protocol's share; returns the denominators before.

        Raises:
            ValueError: a denominator that the contract does not allow.
        """
        if not all(new == 0 or 4 <= new <= 10 for new in (new0, new1)):
            raise ValueError(f"the protocol's share is none or one of 4 to 10 parts, not {new0}, {new1}")
        before, self.fee_protocol = self.fee_protocol, (new0, new1)
        return before

    def collect_protocol(self) -> Pair:
        """Pay out the protocol's fees but for one unit each, as the contract does; returns what is paid."""
        paid = (max(self.protocol_fees[0] - 1, 0), max(self.protocol_fees[1] - 1, 0))
        self.protocol_fees = _minus(self.protocol_fees, paid)
        self.balance = _minus(self.balance, paid)
        return paid

    def fees_pending(self, key: Key) -> Pair:
        """Fees that a position has earned since it was last touched."""
        position = self.positions[key]
        inside = self._inside(key[1], key[2])
        return (
            (inside[0] - position.inside[0]) * position.liquidity // _GROWTH,
            (inside[1] - position.inside[1]) * position.liquidity // _GROWTH,
        )

    def fees_earned(self) -> Pair:
        """Fees of all positions since the pool began: credited and pending."""
        total = self.credited
        for key in self.positions:
            total = _plus(total, self.fees_pending(key))
        return total

    def principal(self, lower: int, upper: int, liquidity: int, *, up: bool = False) -> Pair:
        """Tokens in liquidity between two ticks at the present price (whitepaper, 6.4.1)."""
        low, high = sqrt_price_at(lower), sqrt_price_at(upper)
        middle = min(max(self.sqrt_price, low), high)
        return (
            amount0_between(middle, high, liquidity, up=up) if middle < high else 0,
            amount1_between(low, middle, liquidity, up=up) if middle > low else 0,
        )

    def holdings(self) -> Pair:
        """All that belongs to the positions: principal, what they are owed, pending fees."""
        total = (0, 0)
        for key, position in self.positions.items():
            for part in (
                self.principal(key[1], key[2], position.liquidity),
                position.owed,
                self.fees_pending(key),
            ):
                total = _plus(total, part)
        return total

    def _modify(self, key: Key, change: int) -> Pair:
        _, lower, upper = key
        position = self.positions.setdefault(key, Position())
        if change:
            self._update_tick(lower, change, change)
            self._update_tick(upper, change, -change)
        fees = self.fees_pending(key)
        position.owed = _plus(position.owed, fees)
        self.credited = _plus(self.credited, fees)
        position.inside = self._inside(lower, upper)
        position.liquidity += change
        moved = self.principal(lower, upper, abs(change), up=change > 0)
        if lower <= self.tick < upper:
            self.liquidity += change
        for tick in (lower, upper):
            if change < 0 and not self.ticks[tick].gross:
                del self.ticks[tick]
                self._ordered.remove(tick)
        return moved

    def _update_tick(self, place: int, change: int, net: int) -> None:
        if place not in self.ticks:
            # by convention all growth so far happened below the tick
            self.ticks[place] = Tick(outside=list(self.growth) if place <= self.tick else [0, 0])
            insort(self._ordered, place)
        tick = self.ticks[place]
        tick.gross += change
        tick.net += net

    def _inside(self, lower: int, upper: int) -> Pair:
        """Fee growth between two ticks (whitepaper, 6.3); signed here, modulo 2**256 in the contract."""
        found = []
        for token in (0, 1):
            ends = [
                self.ticks[place].outside[token] if place in self.ticks else 0 for place in (lower, upper)
            ]
            below = ends[0] if self.tick >= lower else self.growth[token] - ends[0]
            above = ends[1] if self.tick < upper else self.growth[token] - ends[1]
            found.append(self.growth[token] - below - above)
        return found[0], found[1]

    def _cross(self, place: int, zero_for_one: bool) -> None:
        tick = self.ticks[place]
        tick.outside = [self.growth[token] - tick.outside[token] for token in (0, 1)]
        self.liquidity += -tick.net if zero_for_one else tick.net

    def _next_tick(self, down: bool) -> tuple[int, bool]:
        """Next tick to stop at: one where liquidity changes, or the end of the contract's bitmap word."""
        compressed = self.tick // self.tick_spacing
        if down:
            bound = compressed // _WORD * _WORD * self.tick_spacing
            place = bisect_right(self._ordered, self.tick) - 1
            found = self._ordered[place] if place >= 0 else None
            return (found, True) if found is not None and found >= bound else (bound, False)
        bound = ((compressed + 1) // _WORD * _WORD + _WORD - 1) * self.tick_spacing
        place = bisect_left(self._ordered, self.tick + 1)
        found = self._ordered[place] if place < len(self._ordered) else None
        return (found, True) if found is not None and found <= bound else (bound, False)


def _plus(one: Pair, other: Pair) -> Pair:
    return one[0] + other[0], one[1] + other[1]


def _minus(one: Pair, other: Pair) -> Pair:
    return one[0] - other[0], one[1] - other[1]
