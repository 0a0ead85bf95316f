"""Two downloads of one history make the same raw rows, even where venues print the time into every answer."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest
from funding_wire import download, http_at, only

from perp_pipeline.sources.base import Dataset
from perp_pipeline.sources.bybit import bybit_funding
from perp_pipeline.sources.deribit import deribit_funding
from perp_pipeline.sources.known_gaps import KnownGaps
from perp_pipeline.sources.universe import Universe


@pytest.mark.parametrize(
    ("venue", "symbol", "dataset"),
    [("bybit", "BTCUSDT", bybit_funding), ("deribit", "BTC-PERPETUAL", deribit_funding)],
)
def test_two_downloads_give_the_same_rows(
    venue: str, symbol: str, dataset: Callable[[Universe, KnownGaps], Dataset], replay, tmp_path: Path
) -> None:
    frames, bodies = [], []
    for name in ("one", "two"):
        with http_at(replay.url, tmp_path / name) as http:
            frames.append(download(dataset(only(venue, symbol), KnownGaps()), http, "2021-01", "2021-01"))
            bodies.append([entry.sha256 for entry in http.store.entries()])
    assert bodies[0] != bodies[1], "the venue's clock is in the body"
    pd.testing.assert_frame_equal(frames[0], frames[1])
    assert frames[0]["download_sha256"].str.fullmatch("[0-9a-f]{64}").all()
