"""Convexity cost by formula: liquidity times the square root of the price times variance over four.

A position of liquidity L is worth V = 2 L sqrt(p) token1 within its range, with gamma -L p**-1.5 / 2. Hedging
it through a move of log return r costs -gamma (p r)**2 / 2, which is L sqrt(p) r**2 / 4 token1 (Milionis,
Moallemi, Roughgarden and Zhang 2022, "Automated Market Making and Loss-Versus-Rebalancing"). In token units:
L in sqrt(token0 token1), p in token1 per token0.

Whose variance? The formula wants the market's. Inside the fee's band of no arbitrage a pool's price stands
still and then catches up in small steps of one direction: sampled often it shows far too little variance (a
30 bp pool at five minutes less than half of the market's). So the returns are the exchanges', hourly, where
the lake has them for both tokens, and else the pool's over four hours, which is long against the time the
market takes to cross the band. The pool's own five-minute sum is reported beside it.

Which liquidity? What a swap's log states holds just-in-time liquidity too, minted for that swap and burnt
after it: up to hundreds of times the rest, for one block. The median over the minutes of a step leaves it
out.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
PATH_STEP = 5
"""Minutes between samples of the pool's own path."""
POOL_STEP = 240
"""Minutes between samples where the pool's price stands in for the market's."""
MARKET_STEP = 60
"""Minutes between samples of the exchanges' price: their bars are hourly."""
DAY_MINUTES = 1440


@dataclass(frozen=True)
class DayConvexity:
    """Per day: convexity in token1 and in token0, realised variance, liquidity in force (mean over steps).

    Attributes:
        move: log return of the pool's own price over the day.
    """

    token1: Floats
    token0: Floats
    variance: Floats
    liquidity: Floats
    move: Floats


def step_cost(liquidity: Floats, price: Floats, squares: Floats) -> tuple[Floats, Floats]:
    """Cost of moves at constant liquidity, in token1 and in token0.

    Args:
        liquidity: L in force, sqrt(token0 token1).
        price: token1 per token0 in the middle of the move.
        squares: squared log returns.
    """
    root = np.sqrt(price)
    return liquidity * root * squares / 4, liquidity / root * squares / 4


def by_day(
    minute: Ints,
    price: Floats,
    liquidity: Floats,
    days: Ints,
    step: int,
    market: Callable[[Ints], Floats] | None = None,
) -> DayConvexity:
    """Integrate the formula over the liquidity in force, day by day.

    Args:
        minute: minutes since the epoch of the rows, ascending: price and liquidity hold after each.
        days: days since the epoch to integrate over; each has a row.
        step: minutes between samples.
        market: price of token0 in token1 at given minutes (shape preserved), to take returns from in place of
            the pool's; NaN where it is unknown makes the day's result NaN.

    Returns:
        One value per day. A day starts at the pool's last price of the day before where that has a row,
        else at its own first one: what the market did before the first swap of a pool's life, which no flow
        shows, does not count.
    """
    samples = np.arange(0, DAY_MINUTES + 1, step)
    grid = days[:, None] * DAY_MINUTES + samples[None, :]
    own_first = np.searchsorted(minute, days * DAY_MINUTES, side="left")
    before = np.searchsorted(minute, (days - 1) * DAY_MINUTES, side="left")
    floor = np.where(before < own_first, own_first - 1, own_first)[:, None]
    # the last row that ended by the sample
    place = np.maximum(np.searchsorted(minute, grid, side="left") - 1, floor)
    pool = np.log(price[place])
    each = days[:, None] * DAY_MINUTES + np.arange(DAY_MINUTES)[None, :]
    held = liquidity[np.maximum(np.searchsorted(minute, each, side="right") - 1, floor)]
    in_force = np.median(held.reshape(len(days), -1, step), axis=2)
    middle = np.exp((pool[:, 1:] + pool[:, :-1]) / 2)
    path = pool if market is None else np.log(market(grid))
    begun = np.where(before < own_first, grid[:, 0], minute[np.minimum(own_first, len(minute) - 1)])
    covered = np.clip((grid[:, 1:] - begun[:, None]) / step, 0.0, 1.0)
    squares = np.diff(path, axis=1) ** 2 * covered
    token1, token0 = step_cost(in_force, middle, squares)
    return DayConvexity(
        token1.sum(axis=1),
        token0.sum(axis=1),
        squares.sum(axis=1),
        in_force.mean(axis=1),
        pool[:, -1] - pool[:, 0],
    )
