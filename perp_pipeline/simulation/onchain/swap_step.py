"""One step of a v3 swap: within a range of constant liquidity, in exact integers.

The formulas are those of the Uniswap v3 Core whitepaper (6.2.3); where a division leaves a rest it goes to
the pool, as in the contract. L is liquidity, s the square-root price times 2**96:

    token0 between two prices = L 2**96 (1/s_low - 1/s_high),  token1 = L (s_high - s_low) / 2**96
"""

from __future__ import annotations

from typing import NamedTuple

from perp_pipeline.simulation.onchain.ticks import Q96

PIPS = 1_000_000


class Step(NamedTuple):
    """What a step came to.

    Attributes:
        sqrt_price: after it.
        amount_in: what came in, without the fee.
        amount_out: what went out.
        fee: what came in beside ``amount_in``.
    """

    sqrt_price: int
    amount_in: int
    amount_out: int
    fee: int


def divide_up(numerator: int, denominator: int) -> int:
    """Quotient, rounded up."""
    return -(-numerator // denominator)


def amount0_between(one: int, other: int, liquidity: int, *, up: bool) -> int:
    """Token0 that liquidity holds between two square-root prices."""
    low, high = (one, other) if one <= other else (other, one)
    numerator = (liquidity << 96) * (high - low)
    if up:
        return divide_up(divide_up(numerator, high), low)
    return numerator // high // low


def amount1_between(one: int, other: int, liquidity: int, *, up: bool) -> int:
    """Token1 that liquidity holds between two square-root prices."""
    product = liquidity * abs(one - other)
    return divide_up(product, Q96) if up else product >> 96


def price_after_input(sqrt_price: int, liquidity: int, amount: int, *, zero_for_one: bool) -> int:
    """Square-root price after an input, rounded against the trader."""
    if zero_for_one:
        shifted = liquidity << 96
        return divide_up(shifted * sqrt_price, shifted + amount * sqrt_price)
    return sqrt_price + (amount << 96) // liquidity


def price_after_output(sqrt_price: int, liquidity: int, amount: int, *, zero_for_one: bool) -> int:
    """Square-root price after an output, rounded against the trader.

    Raises:
        ValueError: the liquidity does not hold so much.
    """
    shifted = liquidity << 96
    if zero_for_one:
        after = sqrt_price - divide_up(amount << 96, liquidity)
        if after <= 0:
            raise ValueError("more token1 asked for than the liquidity holds")
        return after
    rest = shifted - amount * sqrt_price
    if rest <= 0:
        raise ValueError("more token0 asked for than the liquidity holds")
    return divide_up(shifted * sqrt_price, rest)


def swap_step(sqrt_price: int, target: int, liquidity: int, remaining: int, fee_pips: int) -> Step:
    """Swap towards a target price, as far as the remaining amount goes.

    Args:
        target: square-root price to stop at; below ``sqrt_price`` when token0 comes in.
        remaining: input with its fee still to be swapped where positive, output still to be paid where
            negative.
    """
    zero_for_one = sqrt_price >= target
    into = amount0_between if zero_for_one else amount1_between
    out_of = amount1_between if zero_for_one else amount0_between
    if remaining >= 0:
        usable = remaining * (PIPS - fee_pips) // PIPS
        needed = into(target, sqrt_price, liquidity, up=True)
        reached = usable >= needed
        after = (
            target if reached else price_after_input(sqrt_price, liquidity, usable, zero_for_one=zero_for_one)
        )
        reached = after == target
        amount_in = needed if reached else into(after, sqrt_price, liquidity, up=True)
        amount_out = out_of(after, sqrt_price, liquidity, up=False)
        fee = divide_up(amount_in * fee_pips, PIPS - fee_pips) if reached else remaining - amount_in
        return Step(after, amount_in, amount_out, fee)
    wanted = -remaining
    available = out_of(target, sqrt_price, liquidity, up=False)
    after = (
        target
        if wanted >= available
        else price_after_output(sqrt_price, liquidity, wanted, zero_for_one=zero_for_one)
    )
    amount_in = into(after, sqrt_price, liquidity, up=True)
    amount_out = min(out_of(after, sqrt_price, liquidity, up=False), wanted)
    return Step(after, amount_in, amount_out, divide_up(amount_in * fee_pips, PIPS - fee_pips))
