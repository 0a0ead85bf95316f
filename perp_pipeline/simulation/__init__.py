"""A simulated market that answers in every venue's wire format, with known truth.

    opened = open_market(seed=7, span=Span.parse("2019-09", "2022-06"))
    http = Http(store, transport=opened.transport)
    opened.market.truth.perp("binance", "BTCUSDT").mean_annual

Prices are geometric Brownian motions, premiums are Gaussian and look back on returns, and each venue maps its
window premium to a rate by its own rule. Nothing is fitted to real history: it is for tests and a first look.
"""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from perp_pipeline.months import Span

if TYPE_CHECKING:
    from perp_pipeline.simulation.transport import OpenMarket


def open_market(seed: int, span: Span, now: datetime | None = None) -> OpenMarket:
    """The simulated market of a seed over some months, ready to be downloaded from.

    Args:
        now: the exchanges know nothing after it, as in a month that is not over; None: all months are.

    Raises:
        ValueError: the months start before 2018-01.
    """
    from perp_pipeline.simulation.market import SimulatedMarket
    from perp_pipeline.simulation.transport import (
        OpenMarket,
        SimulatedTransport,
        simulated_archives,
        simulated_pools,
        simulated_universe,
    )

    market = SimulatedMarket(seed, span.first, span.last)
    return OpenMarket(
        market,
        SimulatedTransport(market, now),
        simulated_archives(market, now),
        simulated_universe(market),
        simulated_pools(market),
    )
