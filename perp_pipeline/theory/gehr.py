"""The undated futures of the Chinese Gold and Silver Exchange Society (CGSES).

Positions roll from day to day: at the daily settlement the position is marked, and interest for the day is
added to the long's cost (Gehr 1988, "Undated Futures Markets", Journal of Futures Markets 8). The interest
is set by who wants to deliver and who to receive, not by a premium over an index.
"""

from __future__ import annotations

from collections.abc import Sequence


def carried_price(settlement: float, interest: float) -> float:
    """Price at which a long starts the next day: the settlement plus the day's interest, in price units."""
    return settlement + interest


def carried_price_at(settlement: float, rate: float) -> float:
    """The same with the interest as a fraction of the settlement.

    >>> round(carried_price_at(100.0, 0.0001), 2)
    100.01
    """
    return settlement * (1.0 + rate)


def long_profit(settlement: float, interest: float, sold_at: float) -> float:
    """Profit of a long carried over one day and sold at ``sold_at``, in price units."""
    return sold_at - carried_price(settlement, interest)


def long_profit_over(settlements: Sequence[float], interests: Sequence[float], bought_at: float) -> float:
    """Profit of a long bought at ``bought_at`` and carried through each settlement, in price units.

    The position is marked at each settlement and starts anew at the settlement plus interest; the interest
    of the last settlement is not paid, since the position is closed there.

    Raises:
        ValueError: no settlement, or not one interest per night held.
    """
    if not settlements or len(interests) != len(settlements) - 1:
        raise ValueError(f"{len(settlements)} settlements have one interest less, not {len(interests)}")
    return settlements[-1] - bought_at - sum(interests)
