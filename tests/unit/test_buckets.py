"""Means over buckets: by hand, against refitting, and the edges of deciles."""

from __future__ import annotations

import numpy as np
import pytest
from research_frames import ar1

from perp_pipeline.research.buckets import bucket_mean, decile_means
from perp_pipeline.research.statistics import fixed_b_critical


def test_influence_of_a_decile_is_what_leaving_a_row_out_changes() -> None:
    """Jackknife: (n - 1)(T - T without row i) is the influence of row i, edges and all, on average."""
    rng = np.random.default_rng(0)
    n = 2000
    z = rng.normal(size=n)
    y = z + 0.5 * rng.normal(size=n)
    found = decile_means(y, z)
    again = np.array([[m.value for m in resampled(y, z, rng).values()] for _ in range(400)])
    for decile in (1, 4, 10):
        error = float(np.sqrt((found[decile].influence ** 2).mean() / n))
        assert again[:, decile - 1].std() == pytest.approx(error, rel=0.12)
    # Without the edges the error of the lowest decile would be far too small.
    fixed = bucket_mean(y, z <= np.sort(z)[n // 10 - 1]).influence
    assert float(np.sqrt((fixed**2).mean() / n)) < 0.85 * again[:, 0].std()


def resampled(y: np.ndarray, z: np.ndarray, rng: np.random.Generator) -> dict:
    rows = rng.integers(0, len(y), len(y))
    # A little noise keeps repeated rows from being ties.
    return decile_means(y[rows], z[rows] + 1e-9 * rng.normal(size=len(y)))


def test_influences_have_mean_zero() -> None:
    rng = np.random.default_rng(1)
    for mean in decile_means(ar1(500, 0.9, rng), ar1(500, 0.9, rng)).values():
        assert abs(mean.influence.mean()) < 1e-12


def test_the_interval_counts_visits_by_what_they_add_and_is_longer_on_the_skewed_side() -> None:
    rng = np.random.default_rng(5)
    inside = np.arange(900) % 90 < 30
    calm = 0.1 * rng.normal(size=900)
    wild = calm - np.where((np.arange(900) >= 450) & (np.arange(900) < 480), 3.0, 0.0)
    crash = calm - np.where(np.arange(900) == 465, 30.0, 0.0)
    even, few = bucket_mean(calm, inside).estimate(30), bucket_mean(wild, inside).estimate(30)
    plain = fixed_b_critical(30, 900)
    assert (even.ci_high - even.ci_low) / even.se < (few.ci_high - few.ci_low) / few.se
    assert (few.ci_high - few.estimate) / few.se > 1.2 * plain
    # What a day of a crash adds to the error is not held against the number of visits as well.
    one = bucket_mean(crash, inside).estimate(30)
    assert (one.ci_high - one.estimate) / one.se < 1.2 * (even.ci_high - even.ci_low) / 2 / even.se
    # One visit far below the others: the mean may be further down still, rather than further up.
    assert few.estimate - few.ci_low > 1.3 * (few.ci_high - few.estimate)
    assert few.ci_low < few.estimate < few.ci_high


@pytest.mark.slow
@pytest.mark.parametrize("sign", [-1.0, 1.0])
def test_skewed_rates_of_a_bucket_are_covered(sign: float) -> None:
    """Rates that are flat for weeks and then move, in buckets that come and go: 92 of 100 and more."""
    truth = bucket_mean(*skewed(400_000, sign, np.random.default_rng(0))).value
    held = 0
    for seed in range(300):
        found = bucket_mean(*skewed(1096, sign, np.random.default_rng(seed + 1))).estimate(44)
        held += found.ci_low <= truth <= found.ci_high
    assert held >= 276, held


def skewed(n: int, sign: float, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    state = ar1(n, 0.9, rng) * (1 - 0.9**2) ** 0.5
    rate = sign * np.maximum(state + 0.3 * rng.normal(size=n) - 0.5, 0.0)
    return rate, state > 1.0


def test_an_edge_inside_equal_values_does_not_move() -> None:
    """Half of the rows share a value: the deciles beside them are fixed sets, those further up are not."""
    rng = np.random.default_rng(2)
    z = np.maximum(rng.normal(size=1000), 0.0)
    y = z + rng.normal(size=1000)
    found = decile_means(y, z)
    assert sorted(found) == [3, 6, 7, 8, 9, 10] or len(found) in (6, 7)
    tied = found[min(found)]
    assert tied.n == int((z == 0).sum())
    assert tied.influence == pytest.approx(bucket_mean(y, z == 0).influence)


def test_a_difference_adds_up() -> None:
    rng = np.random.default_rng(3)
    means = decile_means(ar1(400, 0.5, rng), rng.normal(size=400))
    gap = means[10] - means[1]
    assert gap.value == pytest.approx(means[10].value - means[1].value)
    assert gap.n == 80
    assert gap.estimate(30).estimate == gap.value


def test_fewer_than_eight_rows_have_no_error() -> None:
    inside = np.arange(300) < 7
    found = bucket_mean(ar1(300, 0.5, np.random.default_rng(4)), inside).estimate(30)
    assert found.n == 7
    assert np.isnan([found.se, found.ci_low, found.ci_high]).all()
