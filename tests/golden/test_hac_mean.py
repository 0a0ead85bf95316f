"""hac_mean against statsmodels' recorded numbers, against numpy by hand, and its coverage by simulation."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest
from generate_hac_mean import series

from perp_pipeline.research.statistics import fixed_b_critical, hac_lags, hac_mean, persistent_lags

CASES = json.loads(Path(__file__).with_name("hac_mean.json").read_text())["cases"]


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"n{case['n']}-lags{case['lags']}")
def test_against_statsmodels(case: dict[str, float]) -> None:
    n, lags = int(case["n"]), int(case["lags"])
    found = hac_mean(series(n, case["phi"]), lags)
    assert found.estimate == pytest.approx(case["mean"], rel=1e-12)
    assert found.se == pytest.approx(case["se"], rel=1e-9)


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"n{case['n']}-lags{case['lags']}")
def test_against_the_quadratic_form(case: dict[str, float]) -> None:
    n, lags = int(case["n"]), int(case["lags"])
    x = series(n, case["phi"])
    distance = np.abs(np.subtract.outer(np.arange(n), np.arange(n)))
    weights = np.clip(1.0 - distance / (lags + 1), 0.0, None)
    u = x - x.mean()
    by_hand = math.sqrt(u @ weights @ u) / n
    found = hac_mean(x, lags)
    assert found.se == pytest.approx(by_hand, rel=1e-9)
    assert found.ci_high - found.estimate == pytest.approx(fixed_b_critical(lags, n) * by_hand, rel=1e-9)


def _coverage(n: int, phi: float, draws: int) -> tuple[float, float]:
    """Share of intervals that hold the true mean: on persistent_lags, and on hac_lags alone."""
    rng = np.random.default_rng(7)
    x = np.empty((draws, n))
    x[:, 0] = rng.normal(size=draws)
    shocks = rng.normal(size=(draws, n)) * math.sqrt(1 - phi**2)
    for t in range(1, n):
        x[:, t] = phi * x[:, t - 1] + shocks[:, t]
    persistent = [hac_mean(path, persistent_lags(path)) for path in x]
    plain = [hac_mean(path) for path in x]
    return (
        float(np.mean([one.ci_low <= 0.0 <= one.ci_high for one in persistent])),
        float(np.mean([one.ci_low <= 0.0 <= one.ci_high for one in plain])),
    )


@pytest.mark.slow
@pytest.mark.parametrize(
    ("n", "phi", "least"),
    [(1000, 0.0, 0.93), (1000, 0.9, 0.91), (1000, 0.97, 0.86), (1000, 0.99, 0.80), (2500, 0.99, 0.86)],
)
def test_coverage_of_the_interval(n: int, phi: float, least: float) -> None:
    """No bandwidth covers 95 % where memory nears the sample's length; this one comes close."""
    covered, plain = _coverage(n, phi, 1000)
    print(f"n={n} phi={phi}: persistent {covered:.3f}, plain {plain:.3f} on {hac_lags(n)} lags")
    assert least <= covered <= 0.97
    assert covered >= plain - 0.01


def test_persistence_asks_for_more_lags_and_noise_for_none() -> None:
    calm, slow = series(1000, 0.0), series(1000, 0.99)
    assert persistent_lags(calm) == hac_lags(1000)
    assert hac_lags(1000) < persistent_lags(slow) <= 333
    assert persistent_lags(np.ones(100)) == hac_lags(100)
    assert persistent_lags([1.0, 2.0]) == 0
