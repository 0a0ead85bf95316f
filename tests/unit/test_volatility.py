"""Daily volatility by month: its error, and that of the mean."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from perp_pipeline.research.statistics import hac_lags, hac_mean, persistent_lags
from perp_pipeline.research.volatility import mean_volatility, monthly_volatility


def _prices(days: int, daily: float = 0.04) -> pd.DataFrame:
    ends = pd.date_range("2015-01-01", periods=3 * days + 1, freq="8h", tz="UTC")
    steps = np.random.default_rng(8).normal(0, daily / np.sqrt(3), len(ends))
    return pd.DataFrame({"window_end": ends, "close": 1000 * np.exp(np.cumsum(steps))})


def test_each_month_has_the_error_of_a_standard_deviation() -> None:
    months = monthly_volatility(_prices(3600))
    # With a third of the sample as lags Newey-West is low; the fixed-b critical value makes up for it.
    assert 0.6 <= months["se"].mean() / (0.04 / np.sqrt(2 * 30.4)) <= 1.0
    held = (months["ci_low"] <= 0.04) & (months["ci_high"] >= 0.04)
    assert 0.85 <= held.mean() <= 0.99


def test_the_mean_of_the_months_has_a_newey_west_interval() -> None:
    months = monthly_volatility(_prices(900))
    values = months["volatility"].to_numpy()
    found = mean_volatility(months)
    assert found == hac_mean(values, persistent_lags(values, 1))
    # 29 months: lags are months, at least one and no thirty of them.
    assert found.hac_lags == hac_lags(len(values), 1) == 8
    few = mean_volatility(months.head(5))
    assert few.estimate == pytest.approx(values[:5].mean())
    assert np.isnan(few.se)


def test_a_price_that_does_not_move_has_no_error() -> None:
    still = _prices(60).assign(close=100.0)
    months = monthly_volatility(still)
    assert (months[["volatility", "se"]] == 0).all(axis=None)
