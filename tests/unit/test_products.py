"""The interval of a product of two means: what it is, its laws, and that it holds near zero."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from research_frames import ar1

from perp_pipeline.research.products import hac_product, product_of_means, products_within
from perp_pipeline.research.statistics import fixed_b_critical, hac_influence

MEANS = st.tuples(st.floats(-3, 3), st.floats(-3, 3))
SPREAD = st.floats(0.01, 2.0)
CORRELATION = st.floats(-0.99, 0.99)


def covariance(sx: float, sy: float, rho: float) -> np.ndarray:
    return np.array([[sx**2, rho * sx * sy], [rho * sx * sy, sy**2]])


@given(MEANS, SPREAD, SPREAD, CORRELATION, st.floats(0.5, 4.0))
def test_the_ends_are_those_of_a_walk_round_the_ellipse(
    means: tuple[float, float], sx: float, sy: float, rho: float, distance: float
) -> None:
    matrix = covariance(sx, sy, rho)
    turn = np.linspace(0, 2 * np.pi, 20_001)
    pairs = np.array(means)[:, None] + distance * np.linalg.cholesky(matrix) @ [np.cos(turn), np.sin(turn)]
    walked = pairs[0] * pairs[1]
    low, high = products_within(means, matrix, distance)
    assert low == pytest.approx(walked.min(), abs=1e-5) and low <= walked.min() + 1e-9
    assert high == pytest.approx(walked.max(), abs=1e-5) and high >= walked.max() - 1e-9
    assert low <= means[0] * means[1] <= high


@given(MEANS, SPREAD, SPREAD, CORRELATION, st.floats(0.1, 10.0))
def test_units_order_and_sign_of_the_factors(
    means: tuple[float, float], sx: float, sy: float, rho: float, scale: float
) -> None:
    low, high = products_within(means, covariance(sx, sy, rho), 2.0)
    p, q = means
    assert products_within((q, p), covariance(sy, sx, rho), 2.0) == pytest.approx((low, high), abs=1e-7)
    larger = products_within((scale * p, q), covariance(scale * sx, sy, rho), 2.0)
    assert larger == pytest.approx((scale * low, scale * high), abs=1e-6)
    turned = products_within((-p, q), covariance(sx, sy, -rho), 2.0)
    assert turned == pytest.approx((-high, -low), abs=1e-7)


def test_known_factors_and_none_known() -> None:
    """One factor exact: plus and minus so many errors of the other. Both at zero: half the area's radius."""
    assert products_within((2.0, 3.0), covariance(0.0, 0.5, 0.0), 2.0) == pytest.approx((4.0, 8.0))
    assert products_within((2.0, 3.0), covariance(0.5, 0.0, 0.0), 2.0) == pytest.approx((3.0, 9.0))
    assert products_within((2.0, 3.0), np.zeros((2, 2)), 2.0) == (6.0, 6.0)
    assert products_within((0.0, 0.0), np.eye(2), 2.0) == pytest.approx((-2.0, 2.0))


def test_far_from_zero_it_is_the_usual_interval() -> None:
    rng = np.random.default_rng(0)
    x, y = 1 + 0.1 * ar1(800, 0.5, rng), 2 + 0.1 * ar1(800, 0.5, rng)
    found, usual = hac_product(x, y, 40), hac_influence(*product_of_means(x, y), 40)
    assert (found.estimate, found.se, found.n, found.hac_lags) == (
        usual.estimate,
        usual.se,
        usual.n,
        usual.hac_lags,
    )
    assert found.ci_low == pytest.approx(usual.ci_low, rel=1e-3)
    assert found.ci_high == pytest.approx(usual.ci_high, rel=1e-3)
    assert math.isnan(hac_product(x[:7], y[:7], 2).ci_low)


def test_both_means_at_zero_leave_no_error_but_an_interval() -> None:
    x = np.tile([1.0, -1.0, 1.0, -1.0], 50)
    y = np.tile([1.0, 1.0, -1.0, -1.0], 50)
    found = hac_product(x, y, 0)
    assert found.se == 0.0
    reach = fixed_b_critical(0, 200) ** 2 / 200 / 2
    assert (found.ci_low, found.ci_high) == pytest.approx((-reach, reach))


@pytest.mark.slow
@pytest.mark.parametrize(("p", "q"), [(0.0, 0.0), (0.05, 0.02), (0.1, 0.0), (0.3, 0.3)])
def test_it_holds_the_product_near_zero_and_away(p: float, q: float) -> None:
    held = 0
    for seed in range(300):
        rng = np.random.default_rng(seed)
        common = rng.normal(size=1000)
        x, y = p + common, q + 0.6 * common + 0.8 * rng.normal(size=1000)
        found = hac_product(x, y, 10)
        held += found.ci_low <= p * q <= found.ci_high
    assert held >= 276, held
