"""The skewness of a mean: its laws, and which side of an interval it moves."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from perp_pipeline.research.skewness import lengthened, skewness_of_mean
from perp_pipeline.research.statistics import Estimate, hac_mean

SERIES = arrays(np.float64, st.integers(10, 60), elements=st.floats(-5, 5, width=32))


def test_without_lags_it_is_the_moment_skewness_over_root_n() -> None:
    x = np.random.default_rng(0).exponential(size=300)
    u = x - x.mean()
    by_hand = (u**3).mean() / (u**2).mean() ** 1.5 / math.sqrt(300)
    assert skewness_of_mean(u, 0) == pytest.approx(by_hand, rel=1e-12)


def test_triples_have_the_weight_that_the_kernel_gives_them() -> None:
    """Third and second long-run cumulants as sums over rows, term by term from the definition."""
    u = np.random.default_rng(1).exponential(size=25) - 1.0
    lags, rows = 4, range(25)

    def weight(*at: int) -> float:
        return max(0.0, 1.0 - (max(at) - min(at)) / (lags + 1))

    third = sum(weight(s, t, v) * u[s] * u[t] * u[v] for s in rows for t in rows for v in rows)
    second = sum(weight(s, t) * u[s] * u[t] for s in rows for t in rows)
    assert skewness_of_mean(u, lags) == pytest.approx(third / second**1.5, rel=1e-9)


@given(SERIES, st.integers(0, 12), st.floats(0.01, 100))
def test_it_turns_with_the_sign_and_has_no_unit(x: np.ndarray, lags: int, scale: float) -> None:
    u = x - x.mean()
    if (u**2).sum() < 1e-6:
        u = np.zeros(len(x))
    found = skewness_of_mean(u, lags)
    assert abs(found) <= math.sqrt(lags + 1) + 1e-9
    assert skewness_of_mean(-u, lags) == pytest.approx(-found, abs=1e-9)
    assert skewness_of_mean(scale * u, lags) == pytest.approx(found, rel=1e-6, abs=1e-9)


@given(SERIES, st.integers(0, 3))
def test_only_the_longer_side_moves(x: np.ndarray, lags: int) -> None:
    plain = hac_mean(x, lags)
    found = lengthened(plain, x - x.mean())
    assert (found.estimate, found.se, found.n, found.hac_lags) == (
        plain.estimate,
        plain.se,
        plain.n,
        plain.hac_lags,
    )
    assert found.ci_low <= plain.ci_low + 1e-12 and found.ci_high >= plain.ci_high - 1e-12
    assert found.ci_low == pytest.approx(plain.ci_low) or found.ci_high == pytest.approx(plain.ci_high)


def test_a_symmetric_series_and_one_without_error_stay() -> None:
    x = np.array([-2.0, -1.0, 0.0, 1.0, 2.0] * 4)
    assert lengthened(hac_mean(x, 0), x) == hac_mean(x, 0)
    assert skewness_of_mean(np.zeros(20), 3) == 0.0
    none = Estimate(1.0, math.nan, math.nan, math.nan, 5, 0)
    assert lengthened(none, np.zeros(5)) is none
