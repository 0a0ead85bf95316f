"""Constant-product pools (Uniswap v2): x y = k, what a liquidity provider holds and is worth.

At price p (quote per base) a full-range position of liquidity L = sqrt(k) holds x = L / sqrt(p) base and
y = L sqrt(p) quote (Adams, Zinsmeister and Robinson 2020, Uniswap v2 Core). Fees are left out.
"""

from __future__ import annotations

import math
from dataclasses import dataclass


@dataclass(frozen=True)
class Position:
    """Amounts that a liquidity provider holds."""

    base: float
    quote: float

    def value(self, price: float) -> float:
        """Worth in quote at ``price`` (quote per base)."""
        return self.base * price + self.quote

    @property
    def price(self) -> float:
        """Price at which the pool holds these amounts."""
        return self.quote / self.base

    @property
    def liquidity(self) -> float:
        """sqrt(base * quote)."""
        return math.sqrt(self.base * self.quote)

    def moved_to(self, price: float) -> Position:
        """The position after arbitrage has brought the pool to ``price``.

        Raises:
            ValueError: the price is not positive.
        """
        if price <= 0:
            raise ValueError(f"a pool price is positive, not {price}")
        root = math.sqrt(price)
        return Position(base=self.liquidity / root, quote=self.liquidity * root)


def profit(start: Position, price: float) -> float:
    """Worth after the move less worth before it, in quote."""
    return start.moved_to(price).value(price) - start.value(start.price)


def loss_to_holding(start: Position, price: float) -> float:
    """What holding the first amounts would be worth above the pool position, in quote (>= 0)."""
    return start.value(price) - start.moved_to(price).value(price)
