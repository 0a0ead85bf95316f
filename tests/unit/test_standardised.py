"""Standardised effects know that their standard deviations are estimated: laws, and what they cover."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from research_frames import ar1

from perp_pipeline.research.standardised import effect_influence, standardised
from perp_pipeline.research.statistics import hac_correlation, ols_hac


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
