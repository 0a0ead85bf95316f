"""core_premium: which samples belong to which window, their average, and its standard error."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from premium_frames import bars, hourly_premium, no_hyperliquid, opens_of, paid, rates, weighted

from perp_pipeline import contracts
from perp_pipeline.funding.premium import (
    autocorrelation_within,
    bar_weights,
    core_premium,
    correlation_matrix,
    path_average,
    path_weights,
    rising_weights,
    unbiased_rho,
    window_errors,
)
from perp_pipeline.lake.tables import to_arrow, to_frame
from perp_pipeline.quality.suites import audit
from perp_pipeline.theory.funding_map import BINANCE

CLOSES = hourly_premium(120, 1)
PAYMENTS = paid(rates(BINANCE, weighted(CLOSES)))


def built(payments: pd.DataFrame, raw: pd.DataFrame, printed: pd.DataFrame | None = None) -> pd.DataFrame:
    hyperliquid = no_hyperliquid() if printed is None else printed
    return core_premium(
        core_funding_payments=payments, raw_binance_premium=raw, raw_hyperliquid_funding=hyperliquid
    ).sort_values(["venue", "symbol", "window_end"], ignore_index=True)


@pytest.mark.parametrize(("n", "minutes"), [(8, 60), (4, 60), (1, 480), (480, 1), (3, 5)])
def test_weights_of_opens_and_closes_are_those_of_the_samples_on_the_line(n: int, minutes: int) -> None:
    rng = np.random.default_rng(n)
    opens, closes = rng.normal(size=(5, n)), rng.normal(size=(5, n))
    by_samples = weighted(closes, opens, samples=12 * minutes)
    np.testing.assert_allclose(path_average(opens, closes, minutes / 60), by_samples, atol=1e-13)
    assert sum(weights.sum() for weights in path_weights(n, minutes / 60)) == pytest.approx(1.0)
    np.testing.assert_allclose(
        bar_weights(n, minutes / 60), (2 * np.arange(n) + 1) / n**2, rtol=0.1, atol=2e-3
    )


def test_bars_of_one_sample_have_the_venues_own_weights() -> None:
    np.testing.assert_allclose(bar_weights(8, 5 / 3600), rising_weights(8), atol=1e-15)


def test_a_window_averages_its_own_hours_with_rising_weights() -> None:
    found = built(PAYMENTS, bars(CLOSES))
    assert found["window_end"].tolist() == PAYMENTS["paid_at"].tolist()
    np.testing.assert_allclose(found["premium_mean"], weighted(CLOSES), rtol=0, atol=1e-15)
    assert found["premium_last"].tolist() == CLOSES[:, -1].tolist()
    assert (found["n_samples"] == 8).all() and (found["coverage"] == 1.0).all()
    contract = contracts.get("core_premium")
    assert all(check.passed for check in audit(contract, to_arrow(contract, found)))


def test_the_premium_reproduces_the_rate_of_its_own_window_and_of_no_other() -> None:
    found = built(PAYMENTS, bars(CLOSES))["premium_mean"].to_numpy()
    made = rates(BINANCE, found)
    assert (made == PAYMENTS["rate"]).all()
    moved = made != BINANCE.interest
    for shift in (-1, 1):
        assert (np.roll(made, shift) == PAYMENTS["rate"])[moved].mean() < 0.1


def test_a_venue_that_announces_ahead_is_set_by_the_window_before() -> None:
    ahead = paid(PAYMENTS["rate"].to_numpy(), ahead=1)
    assert (ahead["paid_at"] > ahead["announced_at"]).all()
    assert built(ahead, bars(CLOSES))["window_end"].tolist() == ahead["announced_at"].tolist()


def test_windows_of_four_hours_and_holes() -> None:
    raw = bars(CLOSES).drop(index=[2, 100])
    found = built(paid(np.full(240, 1e-4), hours=4), raw)
    assert found["n_samples"].value_counts().to_dict() == {4: 238, 3: 2}
    assert found["coverage"].min() == 0.75
    second = weighted(CLOSES[:1, 4:], opens_of(CLOSES)[:1, 4:])[0]
    np.testing.assert_allclose(found["premium_mean"][1], second, atol=1e-15)
    gone = built(PAYMENTS, bars(CLOSES).iloc[8:])
    assert len(gone) == 119


def test_the_finest_bars_count() -> None:
    coarse = pd.DataFrame(
        {
            "symbol": "BTCUSDT",
            "interval": "8h",
            "open_time": PAYMENTS["announced_at"] - pd.Timedelta("8h"),
            "open": CLOSES[:, -1],
            "close": CLOSES[:, -1],
        }
    )
    both = pd.concat([bars(CLOSES).iloc[: 8 * 60], coarse], ignore_index=True)
    found = built(PAYMENTS, both)
    assert found["n_samples"].tolist() == [8] * 60 + [1] * 60
    assert found["sampling_hours"].tolist() == [1.0] * 60 + [8.0] * 60
    assert (found["coverage"] == 1.0).all()
    np.testing.assert_allclose(found["premium_mean"].iloc[60:], CLOSES[60:, -1], atol=1e-15)
    assert found["se"].iloc[60:].isna().all()


def test_premiums_that_a_venue_prints() -> None:
    payments = paid(np.full(5, 1.25e-5), venue="hyperliquid", symbol="BTC", hours=1)
    late = payments["paid_at"] + pd.Timedelta("53ms")
    printed = pd.DataFrame({"symbol": "BTC", "timestamp": late, "premium": [1e-4, None, 3e-4, 4e-4, 5e-4]})
    found = built(payments, bars(CLOSES), printed)
    assert found["premium_mean"].tolist() == [1e-4, 3e-4, 4e-4, 5e-4]
    assert found["premium_last"].isna().all()


def test_nothing_in_nothing_out() -> None:
    contract = contracts.get("raw_binance_premium")
    empty = to_frame(contract.schema.empty_table())
    found = built(PAYMENTS, empty)
    assert found.empty
    assert len(to_arrow(contracts.get("core_premium"), found)) == 0


@pytest.mark.parametrize("rho", [-0.3, 0.0, 0.4, 0.8])
def test_standard_error_is_that_of_repeated_windows(rho: float) -> None:
    """The second route: windows drawn again and again about a known level, by their spread."""
    n, count, sd = 8, 6000, 2e-4
    rng = np.random.default_rng(3)
    noise = np.empty((count, n))
    noise[:, 0] = rng.normal(size=count)
    for at in range(1, n):
        noise[:, at] = rho * noise[:, at - 1] + np.sqrt(1 - rho**2) * rng.normal(size=count)
    levels = rng.normal(0.0, 1e-3, count)
    values = levels[:, None] + sd * noise
    weights = rising_weights(n)
    assert autocorrelation_within(values) == pytest.approx(rho, abs=0.03)
    spread = float((values @ weights - levels).std())
    told = np.sqrt((window_errors(values, weights) ** 2).mean())
    assert told == pytest.approx(spread, rel=0.06)


def test_the_correction_is_exact_for_its_own_model() -> None:
    """Expected sums of deviations, by matrices rather than by the closed form."""
    for n in (3, 8, 24):
        centre = np.eye(n) - 1.0 / n
        for rho in (-0.4, 0.0, 0.35, 0.9):
            shown = centre @ correlation_matrix(rho, n) @ centre
            ratio = float(np.trace(shown, offset=1) / np.trace(shown))
            assert unbiased_rho(ratio, n) == pytest.approx(rho, abs=1e-4)


def test_too_few_samples_or_windows_give_no_error() -> None:
    assert np.isnan(window_errors(CLOSES[:, :2], rising_weights(2))).all()
    assert np.isnan(window_errors(CLOSES[:10], rising_weights(8))).all()
    assert (window_errors(np.zeros((30, 8)), rising_weights(8)) == 0.0).all()
