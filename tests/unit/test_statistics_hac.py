"""The shared HAC estimators against their definitions."""

from __future__ import annotations

import math

import numpy as np
import pytest

from perp_pipeline.research.least_squares import ols_hac
from perp_pipeline.research.statistics import (
    bartlett_covariance,
    bartlett_variance,
    critical_of,
    critical_p,
    fixed_b_critical,
    fixed_b_p,
    hac_correlation,
    hac_influence,
    hac_mean,
    hac_ratio,
)


def ar1(n: int, phi: float, seed: int) -> np.ndarray:
    shocks = np.random.default_rng(seed).normal(size=n)
    for t in range(1, n):
        shocks[t] += phi * shocks[t - 1]
    return shocks


@pytest.mark.parametrize("lags", [0, 1, 5, 49, 400])
def test_bartlett_variance_is_the_weighted_sum_of_autocovariances(lags: int) -> None:
    x = ar1(50, 0.8, 1)
    x -= x.mean()
    by_hand = sum(
        (1 - abs(j) / (min(lags, 49) + 1)) * sum(x[t] * x[t - abs(j)] for t in range(abs(j), 50)) / 50
        for j in range(-min(lags, 49), min(lags, 49) + 1)
    )
    assert bartlett_variance(x, lags) == pytest.approx(by_hand, rel=1e-12)


def test_bartlett_covariance_is_symmetric_and_holds_the_variances() -> None:
    scores = np.column_stack([ar1(200, 0.5, 1), ar1(200, 0.9, 2)])
    cov = bartlett_covariance(scores, 20)
    assert np.allclose(cov, cov.T)
    assert cov[1, 1] == pytest.approx(bartlett_variance(scores[:, 1], 20))


def test_ols_is_statsmodels_and_agrees_with_the_sandwich_by_hand() -> None:
    import statsmodels.api as sm

    x, y = ar1(300, 0.7, 3), ar1(300, 0.9, 4)
    fit, wide = ols_hac(y, {"x": x}, 30, more_lags=(90,))
    theirs = sm.OLS(y, sm.add_constant(x)).fit(
        cov_type="HAC", cov_kwds={"maxlags": 30, "use_correction": False}
    )
    assert np.allclose(fit.params, theirs.params)
    assert np.allclose(fit.cov, theirs.cov_params())
    assert fit.r2 == pytest.approx(theirs.rsquared)
    design = np.column_stack([np.ones(300), x])
    bread = np.linalg.inv(design.T @ design)
    meat = bartlett_covariance(design * (y - design @ fit.params)[:, None], 90) * 300
    assert np.allclose(wide.cov, bread @ meat @ bread)
    assert (fit.lags, wide.lags) == (30, 90)


def test_wald_of_a_combination_is_statsmodels_wald() -> None:
    import statsmodels.api as sm

    a, b, y = ar1(300, 0.1, 3), ar1(300, 0.5, 5), ar1(300, 0.9, 4)
    fit = ols_hac(y, {"a": a, "b": b}, 30)[0]
    difference = fit.combine([0, -1, 1])
    theirs = (
        sm.OLS(y, np.column_stack([np.ones(300), a, b]))
        .fit(cov_type="HAC", cov_kwds={"maxlags": 30, "use_correction": False})
        .wald_test([[0, -1, 1]], use_f=False, scalar=True)
    )
    assert (difference.estimate / difference.se) ** 2 == pytest.approx(float(theirs.statistic))


def test_ols_refuses_what_it_cannot_answer() -> None:
    with pytest.raises(ValueError, match="too few"):
        ols_hac(np.zeros(5), {"x": np.arange(5.0)})
    with pytest.raises(ValueError, match="linearly dependent"):
        ols_hac(np.arange(50.0), {"x": np.arange(50.0), "twice": 2 * np.arange(50.0)})


def test_correlation_value_and_error() -> None:
    rng = np.random.default_rng(0)
    x = rng.normal(size=4000)
    y = 0.6 * x + 0.8 * rng.normal(size=4000)
    found = hac_correlation(x, y, 0)
    assert found.estimate == pytest.approx(np.corrcoef(x, y)[0, 1])
    # For independent normal draws the standard error is (1 - rho^2) / sqrt(n).
    assert found.se == pytest.approx((1 - 0.36) / math.sqrt(4000), rel=0.1)
    x[5] = np.nan
    assert hac_correlation(x, y).n == 3999
    with pytest.raises(ValueError, match="does not vary"):
        hac_correlation(np.ones(20), y[:20])


def test_ratio_of_means() -> None:
    rng = np.random.default_rng(0)
    bottom = rng.uniform(1, 2, size=500)
    found = hac_ratio(3 * bottom, bottom)
    assert (found.estimate, found.se) == (pytest.approx(3), pytest.approx(0, abs=1e-12))
    with pytest.raises(ValueError, match="mean zero"):
        hac_ratio(bottom, np.zeros(500))


def test_p_is_5_percent_at_the_edge_of_the_interval() -> None:
    for lags, n in ((30, 1000), (60, 300)):
        assert fixed_b_p(fixed_b_critical(lags, n), lags, n) == pytest.approx(0.05, abs=1e-6)
    assert math.isnan(fixed_b_p(math.nan, 30, 100))


def test_mean_is_the_influence_of_deviations() -> None:
    x = ar1(100, 0.5, 9)
    assert hac_mean(x) == hac_influence(float(x.mean()), x - x.mean())
    assert math.isnan(hac_influence(1.0, np.zeros(3)).se)


@pytest.mark.slow
def test_intervals_of_a_persistent_mean_cover() -> None:
    covered = 0
    for seed in range(400):
        found = hac_mean(ar1(1500, 0.9, seed))
        covered += found.ci_low <= 0.0 <= found.ci_high
    assert covered >= 360


def test_equal_weights_have_the_plain_critical_value_and_few_visits_a_larger_one() -> None:
    assert critical_of(np.ones(1000), 44) == pytest.approx(fixed_b_critical(44, 1000))
    alternating = np.where(np.arange(1000) % 2, 1.0, -1.0)
    assert critical_of(alternating, 44) == pytest.approx(fixed_b_critical(44, 1000), rel=1e-3)
    once, thrice = np.zeros(1000), np.zeros(1000)
    once[100:130] = 1.0
    for start in (100, 500, 900):
        thrice[start : start + 30] = 1.0
    assert fixed_b_critical(44, 1000) < critical_of(thrice, 44) < critical_of(once, 44)
    # Three visits count as a sample of three blocks.
    b = 1 / 3 * (45 / 1000) / (sum(size**2 for size in [45] * 22 + [10]) / 1000**2)
    wide = fixed_b_critical(round(1000 * b) - 1, 1000) * math.sqrt((1 - 0.045) / (1 - b))
    assert critical_of(thrice, 44) == pytest.approx(wide, rel=2e-3)


def test_a_slope_that_hangs_on_few_days_has_a_wider_interval() -> None:
    rng = np.random.default_rng(5)
    calm = rng.normal(size=900)
    burst = 0.01 * calm
    burst[400:420] = 1.0 + rng.normal(size=20)
    for x, wider in ((calm, False), (burst, True)):
        found = ols_hac(rng.normal(size=900), {"x": x}, 30)[0].combine([0, 1])
        critical = (found.ci_high - found.estimate) / found.se
        assert (critical > 1.5 * fixed_b_critical(30, 900)) == wider
        assert critical_p(found.estimate / found.se, critical) == pytest.approx(
            math.erfc(abs(found.estimate / found.se) * 1.959964 / critical / math.sqrt(2)), rel=1e-9
        )
