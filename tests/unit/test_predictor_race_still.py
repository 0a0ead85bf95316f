"""The predictor race where rates stand still for long: rounding is neither a regressor nor an error."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from research_frames import payments

from perp_pipeline.contracts.model import Severity
from perp_pipeline.contracts.research import OUT_PREDICTOR_RACE
from perp_pipeline.research.forecasts import mean_ahead, mean_behind, ols_forecast, payment_grid
from perp_pipeline.research.predictor_race import out_predictor_race, race


@pytest.mark.parametrize("count", [3, 21, 90, 720])
def test_the_mean_of_equal_values_is_that_value(count: int) -> None:
    """After values of any size: no dust of running sums is left."""
    x = np.concatenate([1e3 * np.random.default_rng(count).normal(size=300), np.full(1500, 0.1095)])
    assert (mean_behind(x, count)[300 + count - 1 :] == 0.1095).all()
    assert (mean_ahead(x, count)[299:-count] == 0.1095).all()


@pytest.mark.parametrize("window", [None, 200])
def test_dust_is_no_regressor(window: int | None) -> None:
    """A regressor that varies by rounding alone, after one value of another size, gives the mean of y."""
    rng = np.random.default_rng(1)
    dust = 0.1095 + 1e-16 * rng.integers(-3, 4, size=1000)
    x, y = np.where(np.arange(1000) < 3, 4.0, dust), 0.1 + 0.01 * rng.normal(size=1000)
    x = dust if window is None else x
    found = ols_forecast(x, y, 1, 90, window)
    for i in range(400, 1000):
        assert found[i] == pytest.approx(y[0 if window is None else i - window : i].mean(), abs=1e-12)


def drifting(seed: int | None = None) -> pd.DataFrame:
    """Payments at the default, 500 of them, that then drift away (with noise, where a seed is given)."""
    steps = np.full(700, 1e-7)
    if seed is not None:
        steps = steps + 1e-6 * np.random.default_rng(seed).normal(size=700)
    return payments(np.concatenate([np.full(500, 1e-4), 1e-4 + np.cumsum(steps)]))


def test_rates_that_stood_still_and_then_drift() -> None:
    """Forecasts keep to the size of rates, where dust would have a slope of billions."""
    for paid in (drifting(), drifting(1)):
        annual = paid["rate_annual"].to_numpy()
        for contest in race(payment_grid(paid), "binance"):
            forecast = contest.forecast[np.isfinite(contest.forecast)]
            assert np.abs(forecast).max() < 100.0 * annual.max(), (contest.target, contest.predictor)


def test_where_nothing_moves_nothing_is_scored() -> None:
    """Rates at the default, off it by rounding: no row tells one rounding from another."""
    dust = 1e-20 * np.random.default_rng(2).integers(-3, 4, size=1000)
    assert out_predictor_race(core_funding_payments=payments(1e-4 + dust)).empty
    moving = 1e-4 + 1e-5 * np.random.default_rng(3).normal(size=1000)
    rates = np.concatenate([1e-4 + dust, 1e-4 + dust, moving])
    table = out_predictor_race(core_funding_payments=payments(rates))
    assert not table["dm_stat"].isna().any()
    assert "2020" not in set(table["period"]) and {"2021", "2022"} <= set(table["period"])


def test_a_forecast_far_below_no_change_is_warned_of() -> None:
    (check,) = (check for check in OUT_PREDICTOR_RACE.checks if check.name == "not_far_below_no_change")
    assert check.severity == Severity.WARN
    table = pd.DataFrame(
        {"predictor": ["ma3", "ma3", "last_vs_premium_formula"], "estimate": [-99.0, -1e6, -1e6]}
    )
    assert check.passes(table).tolist() == [True, False, True]
