"""The stated population law is that of the simulated processes; intervals are tested in test_recovery.py.

The many-market tests simulate the premium process alone, all markets at once: one column per market.
"""

from __future__ import annotations

from functools import cache

import numpy as np
import numpy.typing as npt
import pytest

from perp_pipeline.months import Month
from perp_pipeline.simulation.market import SimulatedMarket
from perp_pipeline.simulation.parameters import HOURS_A_DAY, Perp, Planted
from perp_pipeline.simulation.premium import (
    MEMORY,
    WINDOW,
    WindowPremium,
    hourly_premium,
    quanto_covariance,
    window_premium,
    window_weights,
)
from perp_pipeline.simulation.processes import ar1, stream, trailing_sum

Array = npt.NDArray[np.float64]

MARKETS = 100
DAYS = 1095
PLANTED = Planted()
BTCUSDT, XBTUSD, ETHUSD = (
    PLANTED.perp(*key) for key in (("binance", "BTCUSDT"), ("bitmex", "XBTUSD"), ("bitmex", "ETHUSD"))
)


@cache
def many_markets(perp: Perp, seed: int = 0) -> tuple[Array, Array]:
    """Rates (windows ending 08, 16, 24 h; markets) and hourly log returns less drift (with warm-up)."""
    law, process = WindowPremium(perp, PLANTED), PLANTED.premium
    hours = MEMORY + DAYS * HOURS_A_DAY
    z = stream(seed, f"{perp.venue} {perp.symbol}").standard_normal((4, hours, MARKETS))
    shocks = z[0] * law.asset.daily_vol / np.sqrt(HOURS_A_DAY)
    persistence = np.full(MARKETS, process.persistence_1h)
    common = ar1(z[1], persistence, np.full(MARKETS, process.common_sd))
    own = ar1(z[2], persistence, np.full(MARKETS, process.own_sd))
    hourly = hourly_premium(process, law.mean, shocks, common, own, z[3])
    ends = np.arange(MEMORY + WINDOW - 1, hours, WINDOW)
    return perp.rate_map(window_premium(hourly, window_weights(perp), ends)), shocks


@pytest.mark.slow
@pytest.mark.parametrize("perp", [BTCUSDT, XBTUSD, ETHUSD], ids=lambda perp: perp.symbol)
def test_population_law_of_the_rate_is_that_of_many_markets(perp: Perp) -> None:
    rates, _ = many_markets(perp)
    law = WindowPremium(perp, PLANTED)
    means = rates.mean(axis=0)
    exact_sd = law.mean_sd(len(rates))
    assert abs(means.mean() - law.rate_mean) < 3.5 * exact_sd / np.sqrt(MARKETS)
    assert means.std(ddof=1) == pytest.approx(exact_sd, rel=0.25)
    default, negative = (rates == 0.0001).mean(), (rates < 0).mean()
    assert default == pytest.approx(perp.rate_map.share_default(law.mean, law.sd), abs=0.01)
    assert negative == pytest.approx(perp.rate_map.share_negative(law.mean, law.sd), abs=0.01)
    centred = rates - law.rate_mean
    found = [(centred[lag:] * centred[: len(centred) - lag]).mean() for lag in (0, 1, 3, 30)]
    expected = law.rate_autocovariances(30)
    assert found == pytest.approx(list(expected[[0, 1, 3, 30]]), abs=0.05 * expected[0])


@pytest.mark.slow
def test_planted_return_sensitivity_is_the_regression_of_funding_on_returns() -> None:
    rates, shocks = many_markets(BTCUSDT)
    law = WindowPremium(BTCUSDT, PLANTED)
    drift = (law.asset.mean_annual - 0.5 * law.asset.daily_vol**2 * 365.0) / 365.0
    ends = np.arange(MEMORY + HOURS_A_DAY - 1, len(shocks), HOURS_A_DAY)
    same = np.expm1(trailing_sum(shocks, 24)[ends] + drift)
    prior = np.expm1(trailing_sum(shocks, 720, lag=24)[ends] + 30 * drift)
    daily = rates.reshape(DAYS, 3, MARKETS).sum(axis=1)
    slopes = []
    for market in range(MARKETS):
        x = np.column_stack([np.ones(DAYS), same[:, market], prior[:, market]])
        slopes.append(np.linalg.lstsq(x, daily[:, market], rcond=None)[0][1:])
    found = np.array(slopes)
    # A regression in a finite sample is biased by the persistence of both sides: the median is nearest.
    error = found.std(axis=0, ddof=1) / np.sqrt(MARKETS)
    assert np.abs(np.median(found, axis=0) - law.return_slopes()) == pytest.approx(
        np.zeros(2), abs=4 * error.max()
    )
    same_day, prior_month = law.return_slopes()
    assert (
        prior_month * np.sqrt(30) > same_day
    )  # standardised, the prior month is planted as the stronger one


@pytest.mark.slow
def test_quanto_covariance_is_that_of_simulated_prices() -> None:
    found, hourly = [], []
    for seed in range(12):
        market = SimulatedMarket(seed, Month(2020, 1), Month(2022, 12))
        found.append(market.truth.realised_quanto_covariance_annual)
        hourly.append(market.truth.realised_daily_vol["BTC"])
    error = np.std(found, ddof=1) / np.sqrt(len(found))
    assert abs(np.mean(found) - quanto_covariance(PLANTED)) < 3.5 * error
    assert np.mean(hourly) == pytest.approx(PLANTED.btc.daily_vol, rel=0.03)


@pytest.mark.parametrize("perp", PLANTED.perps, ids=lambda perp: f"{perp.venue}-{perp.symbol}")
def test_published_means_of_one_market_lie_near_the_planted_ones(perp: Perp) -> None:
    truth = SimulatedMarket(11, Month(2019, 9), Month(2022, 6)).truth.perp(perp.venue, perp.symbol)
    assert abs(truth.realised_mean_annual - truth.mean_annual) < 4 * truth.mean_annual_sd
