"""Quanto perpetuals: a dollar price that pays off in coin (BitMEX ETHUSD: 1e-6 XBT per dollar).

A long of one dollar's worth gains r_E in coin units fixed at the start; those coins have themselves moved by
r_B when they are turned into dollars, so the dollar return is r_E (1 + r_B). Over and above the asset's own
return the long gets r_E r_B, whose mean is cov(r_E, r_B) + E[r_E] E[r_B].
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]


def dollar_return(asset: npt.ArrayLike, margin: npt.ArrayLike) -> Array:
    """Return of the contract in dollars: r_E (1 + r_B), simple returns of one period."""
    value: Array = np.asarray(asset, dtype=np.float64) * (1.0 + np.asarray(margin, dtype=np.float64))
    return value


def dollar_profit(
    asset: tuple[float, float], margin: tuple[float, float], *, contracts: float, multiplier: float = 1e-6
) -> float:
    """Profit in dollars of a long, from prices at the start and the end.

    Args:
        asset: dollar price of the asset (start, end).
        margin: dollar price of the coin that pays (start, end).
        multiplier: coins per contract and dollar of price.
    """
    coins = contracts * multiplier * (asset[1] - asset[0])
    return coins * margin[1]


def dollar_notional(
    asset_price: float, margin_price: float, *, contracts: float, multiplier: float = 1e-6
) -> float:
    """Dollars that a position is worth when it is opened."""
    return contracts * multiplier * asset_price * margin_price


def mean_of_product(first: npt.ArrayLike, second: npt.ArrayLike) -> tuple[float, float]:
    """E[r_E r_B] as covariance (divisor n) and product of means; their sum is the mean of the product."""
    a = np.asarray(first, dtype=np.float64)
    b = np.asarray(second, dtype=np.float64)
    product_of_means = float(a.mean() * b.mean())
    return float((a * b).mean()) - product_of_means, product_of_means
