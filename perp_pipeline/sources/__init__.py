"""One module per venue: what to ask for, how to page it, how to parse it.

A new venue is a module with a :class:`~perp_pipeline.sources.base.Dataset`, a line in :func:`datasets`
and a wire test. docs/adding-a-venue.md walks through it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from perp_pipeline.settings import Settings
    from perp_pipeline.sources.base import Dataset
    from perp_pipeline.sources.pinned import PinnedArchive
    from perp_pipeline.sources.pools import Registry
    from perp_pipeline.sources.universe import Universe


def datasets(
    settings: Settings,
    archives: tuple[PinnedArchive, ...] | None = None,
    universe: Universe | None = None,
    pools: Registry | None = None,
) -> tuple[Dataset, ...]:
    """Every download of the pipeline.

    Args:
        settings: the instruments and archives of the user's own.
        archives: pinned archives in place of the declared list and the user's.
        universe: instruments in place of the declared list and the user's.
        pools: chains and pools in place of the declared list and the user's.
    """
    from perp_pipeline.sources.amm import amm_datasets
    from perp_pipeline.sources.binance import BinanceFunding
    from perp_pipeline.sources.binance_futures import BinanceFuturesKlines
    from perp_pipeline.sources.binance_premium import BinancePremium
    from perp_pipeline.sources.binance_spot import BinanceSpot
    from perp_pipeline.sources.bitmex import BitmexBucketed, BitmexFunding
    from perp_pipeline.sources.bitstamp import bitstamp_spot
    from perp_pipeline.sources.bybit import bybit_funding
    from perp_pipeline.sources.cme import FuturesArchives
    from perp_pipeline.sources.coinbase import coinbase_spot
    from perp_pipeline.sources.cryptodatadownload import CandleArchives
    from perp_pipeline.sources.declared import PerpPrices, Trades, VenueDays
    from perp_pipeline.sources.defillama import DefiLlamaYields
    from perp_pipeline.sources.deribit import deribit_funding
    from perp_pipeline.sources.fred import FredSeries
    from perp_pipeline.sources.gemini import gemini_spot
    from perp_pipeline.sources.hyperliquid import hyperliquid_funding
    from perp_pipeline.sources.known_gaps import load_known_gaps
    from perp_pipeline.sources.lending import LendingArchives
    from perp_pipeline.sources.open_interest import OpenInterestArchives
    from perp_pipeline.sources.pinned import load_archives
    from perp_pipeline.sources.pinned_funding import PinnedFunding
    from perp_pipeline.sources.universe import load_universe

    followed = load_universe(settings.universe) if universe is None else universe
    gaps = load_known_gaps(settings.universe)
    pinned = load_archives(settings.archives) if archives is None else archives
    return (
        BinanceFunding(followed, gaps),
        BitmexFunding(followed, gaps, pinned),
        bybit_funding(followed, gaps),
        deribit_funding(followed, gaps),
        hyperliquid_funding(followed, gaps),
        PinnedFunding(pinned),
        BitmexBucketed(followed, gaps),
        BinanceSpot(followed, gaps),
        BinanceFuturesKlines(followed, gaps),
        BinancePremium(followed, gaps, settings.premium_intervals),
        CandleArchives(pinned),
        coinbase_spot(followed),
        bitstamp_spot(followed),
        gemini_spot(followed),
        FuturesArchives(pinned),
        FredSeries(),
        LendingArchives(pinned),
        # Archives of its own are a simulated market's, which has no pools.
        DefiLlamaYields() if archives is None else DefiLlamaYields({}),
        OpenInterestArchives(pinned),
        VenueDays(pinned),
        PerpPrices(pinned),
        Trades(pinned),
        *amm_datasets(
            settings.pools,
            settings.rpc_urls,
            registry=settings.pool_registry if pools is None else pools,
            archives=None if archives is None else (),
            hypersync_token=settings.hypersync_token,
            graph_key=settings.graph_key,
        ),
    )
