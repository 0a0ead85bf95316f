"""Minute files and v2 snapshots from the replay server."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from chain_wire import NOW, USDC_WETH, client, pool_day, rows, sets

from perp_pipeline.amm import build
from perp_pipeline.months import Span
from perp_pipeline.sources.amm import amm_datasets


def test_minute_files_and_snapshots(replay: Any, tmp_path: Path) -> None:
    _, _, minutes, snapshots, days, *_ = amm_datasets((), {})
    http = client(tmp_path, replay.url)
    june = rows(minutes, http, "2025-06")
    assert len(june) == 14 * 1440 - 1
    held = rows(snapshots, http, "2020-05", "2022-01")
    assert len(held) == 4068
    assert not list(snapshots.fetch(http, Span.parse("2025-06", "2025-06"), NOW))
    asked = rows(days, http, "2025-06")
    assert asked["kind"].unique().tolist() == ["minutes"]
    assert asked["n_rows"].sum() == len(june)


def test_minutes_agree_with_the_logs_of_the_same_day(replay: Any, tmp_path: Path) -> None:
    http = client(tmp_path, replay.url)
    logs, days = sets(USDC_WETH, window=(date(2025, 6, 1), date(2025, 6, 1)))
    asked = rows(days, http, "2025-06")
    own = pool_day(build.core_amm_swaps(raw_eth_logs=rows(logs, http, "2025-06"), raw_amm_days=asked), asked)
    files = rows(amm_datasets((), {})[2], http, "2025-06")
    minutes = build.core_amm_minutes(
        core_amm_swaps=pd.DataFrame(),
        raw_amm_minutes=files[files["minute"] < pd.Timestamp("2025-06-02", tz="UTC")],
        core_amm_fee_protocol=pd.DataFrame(columns=["chain", "pool"]),
        raw_amm_days=asked,
    )
    other = build.core_amm_pool_day(
        core_amm_minutes=minutes,
        raw_amm_snapshots=pd.DataFrame(),
        raw_amm_days=asked,
        core_spot_1h=pd.DataFrame(),
    ).frame.iloc[0]
    assert other["net0"] == pytest.approx(own["net0"], abs=1e-6)
    assert other["net1"] == pytest.approx(own["net1"], abs=1e-9)
    assert other["pnl_usd"] == pytest.approx(own["pnl_usd"], abs=10.0)
    assert other["fees_usd"] == pytest.approx(own["fees_usd"], rel=1e-4)
