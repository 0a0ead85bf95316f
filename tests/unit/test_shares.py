"""Intervals of shares and of skill: they stay in range, cover, and agree with the test they stand for."""

from __future__ import annotations

import numpy as np
import pytest
from research_frames import ar1

from perp_pipeline.research.shares import above_zero, hac_explained, hac_share, skill
from perp_pipeline.research.statistics import Estimate, bartlett_variance, fixed_b_critical, hac_mean


def test_without_lags_the_share_has_wilsons_interval() -> None:
    values = np.zeros(50)
    values[:2] = 1.0
    found = hac_share(values, 0)
    z = fixed_b_critical(0, 50)
    # Wilson's own equation: the ends are the shares whose score test is just not rejected.
    for end in (found.ci_low, found.ci_high):
        assert abs(0.04 - end) / (end * (1 - end) / 50) ** 0.5 == pytest.approx(z, rel=1e-9)
    assert found.estimate == pytest.approx(0.04) and 0.0 < found.ci_low < 0.04 < found.ci_high


def test_an_unbroken_share_still_has_a_width() -> None:
    found = hac_share(np.ones(100), 10)
    assert found.estimate == found.ci_high == 1.0 and found.se == 0.0
    assert 0.94 < found.ci_low < 0.99


def test_one_rare_event_is_known_no_better_than_none() -> None:
    """Of values that are themselves means of eight: their number is the most that counts as draws."""
    one = np.ones(3000)
    one[1000] = 7 / 8
    found, none = hac_share(one, 90), hac_share(np.ones(3000), 90)
    assert found.ci_low < none.ci_low < found.estimate <= found.ci_high


def test_shares_of_persistent_events_cover() -> None:
    held = 0
    for seed in range(200):
        events = (0.6 * ar1(2000, 0.8, np.random.default_rng(seed)) > 1.6448536).astype(np.float64)
        share = 0.05
        found = hac_share(events, 60)
        assert 0.0 <= found.ci_low <= found.estimate <= found.ci_high <= 1.0
        held += found.ci_low <= share <= found.ci_high
    assert held >= 180, held


def test_explained_share_covers_and_stays_below_one() -> None:
    held = 0
    for seed in range(200):
        rng = np.random.default_rng(seed)
        size = np.exp(0.2 * ar1(1500, 0.9, rng))
        around, missed = (size * rng.normal(size=1500)) ** 2, (0.4 * size * rng.normal(size=1500)) ** 2
        found = hac_explained(missed, around, 60)
        assert found.ci_low <= found.estimate <= found.ci_high < 1.0
        held += found.ci_low <= 1 - 0.16 <= found.ci_high
    assert held >= 180, held
    perfect = hac_explained(np.zeros(50), np.ones(50), 5)
    assert (perfect.estimate, perfect.ci_low, perfect.ci_high) == (1.0, 1.0, 1.0)


def test_sizes_have_intervals_above_zero() -> None:
    wide = above_zero(Estimate(1.0, 1.0, -1.5, 3.5, 50, 5))
    assert (wide.ci_low, wide.ci_high) == (pytest.approx(np.exp(-2.5)), pytest.approx(np.exp(2.5)))
    sharp = above_zero(Estimate(1.0, 0.01, 0.98, 1.02, 50, 5))
    assert (sharp.ci_low, sharp.ci_high) == (pytest.approx(0.98, abs=1e-3), pytest.approx(1.02, abs=1e-3))
    none = above_zero(hac_mean(np.zeros(50)))
    assert (none.estimate, none.ci_low, none.ci_high) == (0.0, 0.0, 0.0)
    assert np.isnan(above_zero(Estimate(1.0, np.nan, np.nan, np.nan, 3, 0)).ci_low)
    assert np.isfinite(above_zero(Estimate(1e-6, 1.0, -3.0, 3.0, 50, 5)).ci_high)


def test_skill_is_the_diebold_mariano_test() -> None:
    for seed in range(40):
        rng = np.random.default_rng(seed)
        errors, rivals = rng.standard_t(4, 400) ** 2, (1.1 * rng.standard_t(4, 400)) ** 2
        found = skill(errors, rivals, 20)
        gain = rivals - errors
        by_hand = gain.mean() / (bartlett_variance(gain - gain.mean(), 20) / 400) ** 0.5
        assert found.dm_stat == pytest.approx(by_hand)
        assert found.found.estimate == pytest.approx(1 - errors.sum() / rivals.sum())
        excluded = found.found.ci_low > 0.0 or found.found.ci_high < 0.0
        assert excluded == (abs(by_hand) > fixed_b_critical(20, 400)) == (found.dm_p < 0.05)
        assert found.found.ci_high <= 1.0


@pytest.mark.parametrize(("scale", "share"), [(0.3, 0.0), (0.5, 0.9), (1.5, 0.9), (1.0, 0.5)])
def test_skill_away_from_zero_covers(scale: float, share: float) -> None:
    """Errors that move with the rival's, and errors of their own: the error is that of the ratio.

    That of the difference has the rival's own uncertainty in it, or lacks it.
    """
    held, sds, estimates = 0, [], []
    for seed in range(200):
        rng = np.random.default_rng(seed)
        size = np.exp(0.15 * ar1(2500, 0.95, rng))
        common = rng.normal(size=2500)
        own = share * common + (1.0 - share**2) ** 0.5 * rng.normal(size=2500)
        found = skill((scale * size * own) ** 2, (size * common) ** 2, 90).found
        held += found.ci_low <= 1.0 - scale**2 <= found.ci_high
        sds.append(found.se)
        estimates.append(found.estimate)
    assert held >= 180, held
    assert np.mean(sds) == pytest.approx(np.std(estimates), rel=0.25)


def test_skill_needs_a_rival_that_errs() -> None:
    with pytest.raises(ValueError, match="errs"):
        skill(np.ones(10), np.zeros(10), 2)
