"""Cost of carry: the price of a future that leaves no arbitrage.

Holding the asset to delivery costs the dollar rate and earns the asset's own lending rate, so over one
period F / S = (1 + r_usd) / (1 + r_asset) (covered interest parity; Hull, Options, Futures and Other
Derivatives, chapter 5). Rates are simple fractions per period.
"""

from __future__ import annotations


def forward_ratio(rate_usd: float, rate_asset: float) -> float:
    """F / S over one period.

    Raises:
        ValueError: the asset's rate is -100 % or below.
    """
    if rate_asset <= -1.0:
        raise ValueError(f"a lending rate of {rate_asset} leaves no asset to deliver")
    return (1.0 + rate_usd) / (1.0 + rate_asset)


def fair_funding(rate_usd: float, rate_asset: float) -> float:
    """Fair premium over one period, (r_usd - r_asset) / (1 + r_asset): what a long should pay a short.

    >>> round(fair_funding(0.06, 0.02), 4)
    0.0392
    """
    return (rate_usd - rate_asset) / (1.0 + rate_asset)


def premium_of_tenor(rate_annual: float, months: float) -> float:
    """Premium over spot that a future of so many months shows at a simple annual rate."""
    return rate_annual * months / 12.0


def implied_rate(future: float, spot: float, days: float) -> float:
    """Simple annual rate that a future implies, (F / S - 1) * 365 / days.

    Raises:
        ValueError: delivery is not ahead.
    """
    if days <= 0:
        raise ValueError(f"an implied rate needs days to delivery above zero, not {days}")
    return (future / spot - 1.0) * 365.0 / days
