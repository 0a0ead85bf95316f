"""Standardised effects know that their standard deviations are estimated: laws, and what they cover."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from research_frames import ar1

from perp_pipeline.research.least_squares import ols_hac
from perp_pipeline.research.standardised import effect_influence, interval_ends, standardised
from perp_pipeline.research.statistics import critical_of, hac_correlation


def series(n: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    x = np.column_stack([rng.normal(size=n), ar1(n, 0.9, rng)])
    return 0.4 * x[:, 0] + 0.2 * x[:, 1] + ar1(n, 0.8, rng), x


def test_with_one_regressor_the_effect_is_the_correlation_and_so_is_its_error() -> None:
    y, x = series(400, 0)
    fit = standardised(ols_hac(y, {"x": x[:, 1]}, 30), np.column_stack([y, x[:, 1]]))[0]
    found, rho = fit.combine([0, 1]), hac_correlation(x[:, 1], y, 30)
    assert found.estimate == pytest.approx(rho.estimate, rel=1e-10)
    assert found.se == pytest.approx(rho.se, rel=1e-10)


def test_the_wald_statistic_is_that_of_the_joint_influence() -> None:
    y, x = series(400, 1)
    fits = ols_hac(y, {"a": x[:, 0], "b": x[:, 1]}, 30, more_lags=[60])
    for fit in standardised(fits, np.column_stack([y, x])):
        assert fit.names == ("const", "a", "b")
        contrast = fit.combine([0, -1, 1])
        gap = np.array([0.0, -1.0, 1.0])
        wald = (gap @ fit.params) ** 2 / (gap @ fit.cov @ gap)
        assert (contrast.estimate / contrast.se) ** 2 == pytest.approx(wald)
        assert (contrast.n, contrast.hac_lags) == (400, fit.lags)


@given(
    st.integers(0, 50),
    st.lists(st.floats(0.01, 100), min_size=3, max_size=3),
    st.lists(st.floats(-10, 10), min_size=3, max_size=3),
)
def test_units_and_levels_do_not_matter(seed: int, scale: list[float], shift: list[float]) -> None:
    y, x = series(120, seed)

    def fitted(y: np.ndarray, x: np.ndarray):
        return standardised(ols_hac(y, {"a": x[:, 0], "b": x[:, 1]}, 10), np.column_stack([y, x]))[0]

    one = fitted(y, x)
    other = fitted(shift[0] + scale[0] * y, np.array(shift[1:]) + np.array(scale[1:]) * x)
    np.testing.assert_allclose(other.params[1:], one.params[1:], rtol=1e-6, atol=1e-9)
    np.testing.assert_allclose(other.cov, one.cov, rtol=1e-6, atol=1e-12)
    np.testing.assert_allclose(other.loadings, one.loadings, rtol=1e-6, atol=1e-9)


def crash(n: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Three years with one crash of four days: returns and errors as large as in all other days together."""
    rng = np.random.default_rng(seed)
    returns = 0.03 * rng.normal(size=n)
    returns[300:304] = [-0.15, -0.4, -0.2, 0.2]
    month = np.convolve(returns, np.ones(30))[:n]
    funding = 0.1 + 0.5 * month + 0.03 * ar1(n, 0.9, rng)
    funding[300:304] -= [0.3, 1.5, 1.0, 0.5]
    return funding, np.column_stack([returns, month])


@pytest.mark.parametrize("seed", range(20))
def test_one_crash_neither_widens_intervals_twice_nor_sets_raw_and_standardised_against_each_other(
    seed: int,
) -> None:
    y, x = crash(1000, seed)
    fits = ols_hac(y, {"same_day": x[:, 0], "prior": x[:, 1]}, 42, more_lags=[30, 120])
    for raw, effect in zip(fits, standardised(fits, np.column_stack([y, x])), strict=True):
        for unit in ([0.0, 1.0, 0.0], [0.0, 0.0, 1.0]):
            assert effect.t(unit) == pytest.approx(raw.t(unit))
            assert effect.critical(unit) == pytest.approx(raw.critical(unit))
            found = [fit.combine(unit) for fit in (raw, effect)]
            signs = [one.ci_low > 0 or one.ci_high < 0 for one in found]
            assert signs == [abs(raw.t(unit)) > raw.critical(unit)] * 2
            assert all(one.ci_low < one.estimate < one.ci_high for one in found)
            assert abs(raw.t(unit)) < 4.0 or all(signs)
        # By squares of the errors found, most of the sample would be the crash.
        scores = np.column_stack([np.ones(1000), x])
        away = (scores @ np.linalg.inv(scores.T @ scores)) * (y - scores @ raw.params)[:, None]
        if raw.lags == 42:
            assert raw.critical([0, 1, 0]) < 0.75 * critical_of(away[:, 1], 42)


@given(st.floats(0.05, 10), st.floats(0.05, 10), st.floats(2, 5))
def test_an_effects_interval_goes_from_its_slopes_test_to_its_own_error(
    null: float, here: float, critical: float
) -> None:
    near, far = interval_ends(1.0, null**2, here**2, critical)
    assert near < 1.0 < far == pytest.approx(1.0 + critical * here)
    assert (near > 0) == (critical * null < 1.0)
    if near > 0:
        between = near * here**2 + (1.0 - near) * null**2
        assert (1.0 - near) ** 2 == pytest.approx(critical**2 * between)
    if null == here:
        assert near == pytest.approx(1.0 - critical * here)


@given(st.integers(0, 50))
def test_influences_add_up_to_nothing(seed: int) -> None:
    y, x = series(100, seed)
    fit = ols_hac(y, {"a": x[:, 0], "b": x[:, 1]}, 10)[0]
    influence = effect_influence(fit.params[1:], np.column_stack([y, x]))[1]
    assert np.abs(influence.sum(axis=0)).max() < 1e-8
    assert not influence[:, 0].any()


def test_influence_is_what_leaving_a_row_out_changes() -> None:
    """Jackknife: n times the effect less that without the row, to the order of 1 / n."""
    y, x = series(300, 2)

    def effects(y: np.ndarray, x: np.ndarray) -> np.ndarray:
        z, w = (x - x.mean(axis=0)) / x.std(axis=0), (y - y.mean()) / y.std()
        return np.linalg.lstsq(z, w, rcond=None)[0]

    every = effects(y, x)
    fit = ols_hac(y, {"a": x[:, 0], "b": x[:, 1]}, 10)[0]
    influence = effect_influence(fit.params[1:], np.column_stack([y, x]))[1][:, 1:]
    left = [300 * (every - effects(np.delete(y, row), np.delete(x, row, axis=0))) for row in range(300)]
    np.testing.assert_allclose(left, influence, atol=0.05 * np.abs(influence).max())


@pytest.mark.slow
def test_a_large_effect_of_a_persistent_regressor_is_covered() -> None:
    """An effect of 0.9: the slope's error alone, in standard deviations, is another than the effect's."""
    n, held, ratios = 800, 0, []
    noise = (1 / 0.9**2 - 1) ** 0.5
    for seed in range(300):
        rng = np.random.default_rng(seed)
        x = ar1(n, 0.9, rng) * (1 - 0.9**2) ** 0.5
        y = x + noise * rng.normal(size=n)
        fits = ols_hac(y, {"x": x}, 40)
        found = standardised(fits, np.column_stack([y, x]))[0].combine([0, 1])
        held += found.ci_low <= 0.9 <= found.ci_high
        ratios.append(found.se / (fits[0].combine([0, 1]).se * x.std() / y.std()))
    assert held >= 273, held
    assert abs(float(np.median(ratios)) - 1) > 0.1
