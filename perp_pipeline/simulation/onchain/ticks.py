"""Ticks and square-root prices in the fixed-point integers of the pool contract.

A price is token1 per token0 in smallest units; tick i stands for 1.0001**i, and prices are kept as
floor-like integers sqrt(price) * 2**96 (Uniswap v3 Core whitepaper, 6.1). The contract's own rounding is
reproduced: a product of 128-bit powers, turned over for positive ticks, rounded up to 96 bits.
"""

from __future__ import annotations

import math
from decimal import Decimal, localcontext
from functools import cache, lru_cache

MIN_TICK, MAX_TICK = -887_272, 887_272
Q96 = 1 << 96
_LOG_TICK = math.log(1.0001)
_BITS = 20


@cache
def _powers() -> tuple[int, ...]:
    """2**128 * 1.0001**(-2**k / 2) for k = 0 .. 19, to the nearest integer."""
    with localcontext() as context:
        context.prec = 90
        exact = [Decimal(2**128) / (Decimal("1.0001") ** (1 << k)).sqrt() for k in range(_BITS)]
        return tuple(int(value.to_integral_value()) for value in exact)


@lru_cache(maxsize=65_536)
def sqrt_price_at(tick: int) -> int:
    """sqrt(1.0001**tick) * 2**96: the lowest square-root price that belongs to the tick.

    Raises:
        ValueError: the tick is beyond what a pool can reach.
    """
    if not MIN_TICK <= tick <= MAX_TICK:
        raise ValueError(f"tick {tick} is not within {MIN_TICK} .. {MAX_TICK}")
    ratio = 1 << 128
    for place, power in enumerate(_powers()):
        if abs(tick) >> place & 1:
            ratio = ratio * power >> 128
    if tick > 0:
        ratio = ((1 << 256) - 1) // ratio
    return -(-ratio >> 32)


def tick_at(sqrt_price: int) -> int:
    """The highest tick whose square-root price is not above the given one (times 2**96)."""
    guess = math.floor(2.0 * math.log(sqrt_price / Q96) / _LOG_TICK)
    while sqrt_price_at(guess) > sqrt_price:
        guess -= 1
    while guess < MAX_TICK and sqrt_price_at(guess + 1) <= sqrt_price:
        guess += 1
    return guess


MIN_SQRT_PRICE, MAX_SQRT_PRICE = sqrt_price_at(MIN_TICK), sqrt_price_at(MAX_TICK)
"""Bounds of a pool's square-root price: the lowest allowed, and the first that is not."""
