"""Weights of the parts of a window, with and without movement inside hours; bandwidths of what bars show."""

from __future__ import annotations

import numpy as np
from premium_frames import bars, hourly_premium, no_hyperliquid, paid, rates, weighted
from scipy.signal import lfilter

from perp_pipeline.funding.premium import core_premium
from perp_pipeline.research.premium_precision import out_premium_precision
from perp_pipeline.theory.funding_map import BINANCE

PLANTED = (2.0 * np.arange(1, 9) - 1.0) / 64.0
MINUTES = 480


def precision(rate: np.ndarray, opens: np.ndarray, closes: np.ndarray) -> dict[str, dict[str, float]]:
    """Rows of the whole period by quantity, of rates and hourly bars by window."""
    payments, raw = paid(rate), bars(closes, opens=opens)
    table = core_premium(
        core_funding_payments=payments, raw_binance_premium=raw, raw_hyperliquid_funding=no_hyperliquid()
    )
    found = out_premium_precision(core_premium=table, core_funding_payments=payments, raw_binance_premium=raw)
    whole = found[(found["period"] == "all") & (found["venue"] == "binance")]
    return whole.set_index("quantity").to_dict("index")


def weights(rows: dict[str, dict[str, float]]) -> np.ndarray:
    return np.array([rows[f"weight_{k}_of_8"]["estimate"] for k in range(1, 9)])


def ar1(n: int, half_life: float, sd: float, rng: np.random.Generator) -> np.ndarray:
    phi = 0.5 ** (1.0 / half_life)
    shocks = sd * np.sqrt(1.0 - phi**2) * rng.normal(size=n)
    return np.asarray(lfilter([1.0], [1.0, -phi], shocks))


def noisy(windows: int, seed: int) -> dict[str, dict[str, float]]:
    """A premium sampled every minute: a level that lasts, what is gone within minutes, and within one.

    Closes and the opens after them differ by 1.6e-4, closes have an autocorrelation of 0.86 at an hour: much
    like Binance's premium of bitcoin.
    """
    rng = np.random.default_rng(seed)
    n = windows * MINUTES
    path = 2e-4 + ar1(n, 2400.0, 4.6e-4, rng) + ar1(n, 10.0, 1.24e-4, rng) + 1.1e-4 * rng.normal(size=n)
    rising = np.arange(1.0, MINUTES + 1.0)
    rate = rates(BINANCE, path.reshape(windows, MINUTES) @ rising / rising.sum())
    hours = path.reshape(windows, 8, 60)
    return precision(rate, hours[:, :, 0], hours[:, :, -1])


def test_a_premium_that_stands_still_within_the_hour_gives_the_weights_back() -> None:
    closes = hourly_premium(1500, 3)
    rows = precision(rates(BINANCE, weighted(closes, closes)), closes, closes)
    np.testing.assert_allclose(weights(rows), PLANTED, atol=3e-5)


def test_noise_inside_hours_shares_weights_among_neighbours() -> None:
    """The first weight is too high, the last two too low, and all together are one still."""
    found = np.array([weights(noisy(2000, seed)) for seed in range(6)])
    away = (found - PLANTED).mean(axis=0)
    error = (found - PLANTED).std(axis=0) / np.sqrt(len(found))
    assert 0.015 < away[0] < 0.04
    assert -0.03 < away[6:].mean() < -0.01
    assert (np.abs(away[1:6]) < 0.01 + 2.0 * error[1:6]).all()
    assert abs(found.sum(axis=1).mean() - 1.0) < 0.005


def test_no_bandwidth_is_shorter_than_a_month() -> None:
    """90 windows of 8 hours, 720 hours for the half-life, or a third of the sample."""
    rows = noisy(1100, 9)
    fitted = {name: row for name, row in rows.items() if row["hac_lags"] > 0 and "_lags" not in name}
    assert {"error_1h", "error_exponent", "error_1min_extrapolated", "weight_8_of_8"} <= set(fitted)
    half_life = fitted.pop("half_life_outside_hours", None)
    assert half_life is None or half_life["hac_lags"] >= 720
    for name, row in fitted.items():
        assert row["hac_lags"] >= min(90, row["n"] // 3), name
