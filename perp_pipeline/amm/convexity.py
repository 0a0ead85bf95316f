"""Convexity cost by formula: liquidity times the square root of the price times variance over four.

A position of liquidity L is worth V = 2 L sqrt(p) token1 within its range. Its gamma is d2V/dp2 = -L p**-1.5 / 2,
so that hedging it through a move of log return r costs -gamma (p r)**2 / 2 = L sqrt(p) r**2 / 4 token1 (Milionis,
Moallemi, Roughgarden and Zhang 2022, "Automated Market Making and Loss-Versus-Rebalancing"). In token
units: L in sqrt(token0 token1), p in token1 per token0.

Whose variance? The formula wants the market's. Inside the fee's band of no arbitrage a pool's price stands still and
then catches up in small steps of one direction: sampled often it shows far too little variance (a 30 bp pool
at five minutes less than half of the market's). So the returns are the exchanges', hourly, where the lake has
them for both tokens, and else the pool's over four hours, which is long against the time the market takes to
cross the band. The pool's own five-minute sum is reported beside it.
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
    """Per day: convexity in token1 and in token0, realised variance, mean liquidity in force."""

    token1: Floats
    token0: Floats
    variance: Floats
    liquidity: Floats


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
        One value per day. A day starts at the pool's last price of the day before where that has a row, else at
        its own first price.
    """
    samples = np.arange(0, DAY_MINUTES + 1, step)
    grid = days[:, None] * DAY_MINUTES + samples[None, :]
    place = np.searchsorted(minute, grid, side="left") - 1  # the last row that ended by the sample
    own_first = np.searchsorted(minute, days * DAY_MINUTES, side="left")
    before = np.searchsorted(minute, (days - 1) * DAY_MINUTES, side="left")
    floor = np.where(before < own_first, own_first - 1, own_first)
    place = np.maximum(place, floor[:, None])
    pool, held = np.log(price[place]), liquidity[place]
    mean_liquidity = (held[:, 1:] + held[:, :-1]) / 2
    middle = np.exp((pool[:, 1:] + pool[:, :-1]) / 2)
    path = pool if market is None else np.log(market(grid))
    squares = np.diff(path, axis=1) ** 2
    token1, token0 = step_cost(mean_liquidity, middle, squares)
    return DayConvexity(
        token1.sum(axis=1), token0.sum(axis=1), squares.sum(axis=1), mean_liquidity.mean(axis=1)
    )
