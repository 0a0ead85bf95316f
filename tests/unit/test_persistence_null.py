"""The persistence null: what is fitted, what is drawn, and that its statistics are the regressions'."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from research_frames import ar1

from perp_pipeline.research.least_squares import ols_hac
from perp_pipeline.research.persistence_null import (
    Persistence,
    fit_persistence,
    null_rows,
    simulate_funding,
    standardised_effects,
)
from perp_pipeline.research.standardised import standardised


def frame(days: int, seed: int, same: float = 0.0) -> pd.DataFrame:
    """Slow funding in noise that moves with same-day returns only."""
    rng = np.random.default_rng(seed)
    returns = rng.normal(0, 0.04, days + 30)
    prices = np.concatenate([[1.0], np.cumprod(1 + returns)])
    slow = rng.normal(0, 0.02, days)
    for t in range(days):
        slow[t] += same * returns[30 + t] + (0.97 * slow[t - 1] if t else 0.0)
    month = prices[30 : 30 + days] / prices[:days] - 1
    funding = 0.1 + slow + rng.normal(0, 0.03, days)
    day = pd.date_range("2020-01-01", periods=days)
    return pd.DataFrame({"day": day, "funding": funding, "same_day": returns[30:], "prior_30": month})


def test_persistence_in_noise_is_recovered() -> None:
    rng = np.random.default_rng(1)
    slow = ar1(20_000, 0.97, rng, (1 - 0.97**2) ** 0.5)
    found = fit_persistence(slow * 0.8 + rng.normal(0, 0.6, 20_000))
    assert found.phi == pytest.approx(0.97, abs=0.01)
    assert found.share == pytest.approx(0.64, abs=0.05)
    assert found.sd == pytest.approx(1.0, abs=0.1)


def test_persistence_needs_days_that_vary() -> None:
    with pytest.raises(ValueError, match="too few"):
        fit_persistence(np.zeros(20))
    with pytest.raises(ValueError, match="does not vary"):
        fit_persistence(np.ones(100))
    assert fit_persistence(np.random.default_rng(0).normal(size=500)).phi < 0.3


def test_draws_have_the_stated_persistence_with_and_without_a_link() -> None:
    rng = np.random.default_rng(2)
    returns = rng.normal(0, 0.04, 1500)
    wanted = Persistence(0.95, 0.7, 0.3)
    for link in (0.0, 1.0):
        drawn = simulate_funding(wanted, returns, np.full(300, link), rng)
        assert drawn.shape == (300, 1500)
        assert drawn.std() == pytest.approx(0.3, rel=0.05)
        centred = drawn - drawn.mean(axis=1, keepdims=True)
        rho = (centred[:, 5:] * centred[:, :-5]).mean() / centred.var()
        assert rho == pytest.approx(0.7 * 0.95**5, abs=0.05)
        slope = np.mean([np.polyfit(returns, row, 1)[0] for row in drawn])
        # All draws share the returns, and with them the chance autocorrelation that moves the slope.
        assert slope == pytest.approx(link, abs=0.25)


def test_a_link_cannot_exceed_the_variance() -> None:
    rng = np.random.default_rng(2)
    drawn = simulate_funding(Persistence(0.95, 1.0, 0.3), rng.normal(0, 0.04, 2000), np.full(50, 100.0), rng)
    assert 0.2 < drawn.std() < 0.4


def test_effects_and_t_are_those_of_the_regression() -> None:
    rng = np.random.default_rng(3)
    same, prior = rng.normal(size=400), ar1(400, 0.9, rng)
    funding = np.stack([ar1(400, 0.95, rng) for _ in range(3)])
    effects, t = standardised_effects(funding, same, prior, 40)
    for place, f in enumerate(funding):
        fit = ols_hac(f, {"same": same, "prior": prior}, 40)[0]
        std = standardised([fit], np.column_stack([f, same, prior]))[0]
        for column, weights in enumerate(([0, 1, 0], [0, 0, 1], [0, -1, 1])):
            by_regression = std.combine(weights)
            assert effects[place, column] == pytest.approx(by_regression.estimate, rel=1e-9)
            assert t[place, column] == pytest.approx(std.t(weights) / std.critical(weights), rel=1e-7)


def test_rows_are_the_same_each_time() -> None:
    data = frame(300, 4)
    assert list(null_rows(data, 30, 50)) == list(null_rows(data, 30, 50))


def test_a_reaction_to_the_present_alone_makes_the_past_look_stronger() -> None:
    """Funding that answers to the same day only: its prior month 'beats' the present, as the null expects."""
    rows = pd.DataFrame(null_rows(frame(1500, 5, same=0.5), 30, 200))
    contrast = rows[rows["term"] == "prior_minus_same"].set_index("spec")
    sameday = contrast.loc["h30_accrual_std_null-sameday"]
    assert sameday["ci_low"] > 0.1
    assert sameday["p"] > 0.05
    assert contrast.loc["h30_accrual_std_null-fitted", "p"] < 0.05


def test_too_few_days_give_no_rows() -> None:
    assert list(null_rows(frame(60, 6), 30, 10)) == []


@pytest.mark.slow
def test_the_null_rejects_as_often_as_it_says() -> None:
    """Persistent funding without a link: p below 5 % in few of 60 seeds."""
    rejected = 0
    for seed in range(60):
        rows = pd.DataFrame(null_rows(frame(700, 100 + seed), 30, 100))
        one = rows[(rows["spec"] == "h30_accrual_std_null-fitted") & (rows["term"] == "prior")].iloc[0]
        rejected += one["p"] < 0.05
    assert rejected <= 8
