"""The real sources download the simulated market whole, without a retry, and find what was published."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from perp_pipeline.months import Span
from perp_pipeline.simulation import open_market
from perp_pipeline.sources.binance import BinanceFunding
from perp_pipeline.sources.binance_premium import BinancePremium
from perp_pipeline.sources.binance_spot import BinanceSpot
from perp_pipeline.sources.bitmex import BitmexBucketed, BitmexFunding
from perp_pipeline.sources.cme import FuturesArchives
from perp_pipeline.sources.cryptodatadownload import CandleArchives
from perp_pipeline.sources.fred import FredSeries
from perp_pipeline.sources.http import Http
from perp_pipeline.sources.known_gaps import load_known_gaps
from perp_pipeline.sources.pinned_funding import PinnedFunding
from perp_pipeline.sources.store import BodyStore


@pytest.mark.slow
@pytest.mark.parametrize("months", [("2018-07", "2018-09"), ("2019-08", "2020-03"), ("2024-12", "2025-01")])
def test_every_source_downloads_the_simulated_market(tmp_path: Path, months: tuple[str, str]) -> None:
    span, gaps = Span.parse(*months), load_known_gaps()
    opened = open_market(7, span)
    http = Http(BodyStore(tmp_path), transport=opened.transport, now=lambda: span.end)
    universe, archives = opened.universe, opened.archives
    datasets = (
        BinanceFunding(universe, gaps),
        BitmexFunding(universe, gaps, archives),
        PinnedFunding(archives),
        BitmexBucketed(universe, gaps),
        BinanceSpot(universe, gaps),
        BinancePremium(universe, gaps),
        CandleArchives(archives),
        FuturesArchives(archives),
        FredSeries(),
    )
    raw: dict[str, pd.DataFrame] = {}
    for dataset in datasets:
        frames = list(dataset.fetch(http, span, span.end))
        raw[dataset.contract.name] = pd.concat(frames) if frames else pd.DataFrame()
    http.close()
    assert http.counters.retries == 0
    for stated in opened.market.truth.perps:
        frame = raw[f"raw_{stated.venue}_funding"]
        rates = frame[frame["symbol"] == stated.symbol]["rate"] if len(frame) else pd.Series(dtype=float)
        assert len(rates) == stated.realised_n
        if stated.realised_n:
            assert rates.mean() * 1095 == pytest.approx(stated.realised_mean_annual, rel=1e-12)
    assert all(len(frame) for name, frame in raw.items() if "binance" not in name)  # not listed in 2018
