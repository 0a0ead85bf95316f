"""Shiller's perpetual future: a claim on the income of an asset that may never be traded.

Each period the long receives s(t+1) = f(t+1) - f(t) + d(t+1) - r(t) f(t): the change of the futures
price, plus the income of the underlying, less the return of an alternative asset (Shiller 1993,
"Measuring Asset Values for Cash Settlement in Derivative Markets", Journal of Finance 48).
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]


def settlement(price: float, next_price: float, income: float, rate: float) -> float:
    """What the long receives for one period, in the unit of the price.

    Args:
        price, next_price: futures price at the start and end of the period.
        income: income of the underlying paid at the end (dividend, rent).
        rate: return of the alternative asset over the period, a fraction.
    """
    return next_price - price + income - rate * price


def settlements(prices: npt.ArrayLike, incomes: npt.ArrayLike, rates: npt.ArrayLike) -> Array:
    """Settlements along a path: n + 1 prices, n incomes, n rates give n payments to the long.

    Raises:
        ValueError: the lengths do not fit.
    """
    f = np.asarray(prices, dtype=np.float64)
    d = np.asarray(incomes, dtype=np.float64)
    r = np.asarray(rates, dtype=np.float64)
    if not len(f) - 1 == len(d) == len(r):
        raise ValueError(f"{len(f)} prices need {len(f) - 1} incomes and rates, not {len(d)} and {len(r)}")
    return np.diff(f) + d - r * f[:-1]


def fair_price(income: float, rate: float) -> float:
    """Price at which a constant income leaves expected settlements at zero: income / rate.

    Raises:
        ValueError: the rate is not positive; the price has no finite value.
    """
    if rate <= 0:
        raise ValueError(f"a perpetual claim at rate {rate} has no finite price")
    return income / rate
