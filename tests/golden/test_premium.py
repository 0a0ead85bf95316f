"""Errors of the map, quantiles, half-lives and Diebold-Mariano against loops (generate_premium.py)."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from generate_estimators import persistent
from generate_premium import LAGS, N, series

from perp_pipeline.research.funding_audit import quantile
from perp_pipeline.research.premium_map import fit_map
from perp_pipeline.research.premium_precision import out_of_the_zone
from perp_pipeline.research.premium_windows import Windows
from perp_pipeline.research.shares import skill

GOLDEN = json.loads(Path(__file__).with_name("premium.json").read_text())


def windows(mean: np.ndarray, rate: np.ndarray, closes: np.ndarray) -> Windows:
    ends = np.datetime64("2023-06-01T08:00", "us") + np.arange(len(mean)) * np.timedelta64(8, "h")
    hours, nothing = np.full(len(mean), 8.0), np.full(len(mean), np.nan)
    return Windows("binance", "BTCUSDT", "BTC", ends, hours, rate, mean, nothing, closes, closes, 1.0)


def of_series() -> Windows:
    seen, rates = (np.array(values) for values in series())
    return windows(seen, rates, np.repeat(seen[:, None], 8, axis=1))


def test_clamp_and_slope() -> None:
    found, golden = fit_map(of_series(), 0.0001), GOLDEN["map"]
    for name in ("clamp", "slope"):
        assert found[name].hac_lags == LAGS[name]
        assert found[name].estimate == pytest.approx(golden[name], rel=1e-9)
        assert found[name].se == pytest.approx(golden[f"{name}_se"], rel=1e-9)


@pytest.mark.parametrize(("name", "share"), [("p50", 0.5), ("p95", 0.95)])
def test_quantiles(name: str, share: float) -> None:
    found = quantile(of_series(), np.abs(persistent(N, 0.5, 23)), share)
    assert found.hac_lags == LAGS[name]
    assert found.estimate == pytest.approx(GOLDEN["quantiles"][name]["at"], rel=1e-10)
    assert found.se == pytest.approx(GOLDEN["quantiles"][name]["se"], rel=1e-6)


def test_half_life() -> None:
    closes = (0.0008 + 0.002 * persistent(8 * N, 0.7, 24)).reshape(N, 8)
    shown = windows(closes.mean(axis=1), np.full(N, 0.0001), closes)
    ((_, found),) = out_of_the_zone(shown, closes)
    assert found.hac_lags == LAGS["half_life"]
    assert found.estimate == pytest.approx(GOLDEN["half_life"]["hours"], rel=1e-9)
    assert found.se == pytest.approx(GOLDEN["half_life"]["se"], rel=1e-5)


def test_diebold_mariano() -> None:
    actual, first, second = (persistent(300, 0.5, seed) for seed in (25, 26, 27))
    found, golden = skill((actual - 0.8 * first) ** 2, (actual - second) ** 2, LAGS["race"]), GOLDEN["race"]
    assert found.found.estimate == pytest.approx(golden["r2"], rel=1e-10)
    assert found.dm_stat == pytest.approx(golden["statistic"], rel=1e-9)
    assert found.dm_p == pytest.approx(golden["p"], rel=1e-6)
    assert found.found.se == pytest.approx(golden["r2_se"], rel=1e-9)
