"""What persistence alone gives: null distributions of the funding regression (claim 13).

Funding is a slow component and daily noise, ``f = s + e`` with ``s(d) = phi s(d-1) + b r(d) + u(d)``, so
that its autocorrelation is ``share * phi^k``. Returns are the real ones. Three nulls:

- ``null-fitted``: b = 0, phi and share fitted to funding's autocorrelation: no link to returns at all;
- ``null-ar99``: b = 0, phi = 0.99, no noise: the essays' degree of persistence;
- ``null-sameday``: phi and share fitted, and b drawn from the estimated slope of funding on the same day's
  return with its HAC error: funding reacts to the present only, and the past enters through persistence
  alone. The whole reaction is put into the slow component.

The third is the one against which "the past is stronger than the present" is to be judged: a shock that
decays slowly has been felt on many past days, and their sum is the prior month's return.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from perp_pipeline.research.least_squares import ols_hac
from perp_pipeline.research.series import utc
from perp_pipeline.research.statistics import Array, bounded, hac_lags, weighted_critical

NULL_PERIODS = ("all", "2019-09..2022-06")
"""Periods that out_regressions always holds nulls of; for those that a user asks for they are drawn too."""

_CHUNK = 100
_CONTRASTS = np.array([[1.0, 0.0], [0.0, 1.0], [-1.0, 1.0]])
"""Of the effects on the same day and on the prior window: each, and prior minus same."""


@dataclass(frozen=True)
class Persistence:
    """A slow component in noise.

    Attributes:
        phi: autoregression of the slow component, per day.
        share: its share of the variance.
        sd: standard deviation of the whole, in the series' unit.
    """

    phi: float
    share: float
    sd: float


def fit_persistence(series: Array, lags: int = 30) -> Persistence:
    """Fit ``share * phi^k`` to the autocorrelations at lags 1 to ``lags`` (log-linear least squares).

    Autocorrelations from the first that is below 0.05 on are left out. phi is kept in [0, 0.999].

    Args:
        series: (n,), one value per day, NaN where missing.

    Raises:
        ValueError: fewer than 60 finite values, or a series that does not vary.
    """
    finite = np.isfinite(series)
    if finite.sum() < 60:
        raise ValueError(f"{int(finite.sum())} days are too few to fit persistence to")
    x = series - series[finite].mean()
    variance = float(np.nanmean(x**2))
    if variance == 0.0:
        raise ValueError("a series that does not vary has no autocorrelation")
    rho = np.array([float(np.nanmean(x[k:] * x[:-k])) / variance for k in range(1, lags + 1)])
    low = np.flatnonzero(~(rho > 0.05))
    used = int(low[0]) if len(low) else lags
    if used < 2:
        return Persistence(max(0.0, float(rho[0])), 1.0, variance**0.5)
    slope, level = np.polyfit(np.arange(1, used + 1), np.log(rho[:used]), 1)
    phi = float(np.clip(np.exp(slope), 0.0, 0.999))
    return Persistence(phi, float(np.clip(np.exp(level), 0.0, 1.0)), variance**0.5)


def simulate_funding(
    persistence: Persistence,
    returns: Array,
    link: Array,
    rng: np.random.Generator,
) -> Array:
    """Draw funding series.

    Args:
        returns: (n,) same-day returns, zero where unknown.
        link: (simulations,) effect of a return on the same day's slow component, in funding's unit per unit
            of return; cut to what the slow component's variance can hold.

    Returns:
        (simulations, n). The slow component has the stated variance, the link's part of it included.
    """
    n, simulations = len(returns), len(link)
    p = persistence
    slow_variance = p.share * p.sd**2
    shocks = slow_variance * (1 - p.phi**2)
    most = (shocks / max(float(returns.var()), 1e-300)) ** 0.5
    link = np.clip(link, -most, most)
    shock_sd = np.sqrt(np.maximum(0.0, shocks - link**2 * float(returns.var())))
    drive = rng.normal(0.0, 1.0, (n, simulations)) * shock_sd + np.outer(returns - returns.mean(), link)
    drive[0] = rng.normal(0.0, slow_variance**0.5, simulations)
    for t in range(1, n):
        drive[t] += p.phi * drive[t - 1]
    if p.share < 1.0:
        drive += rng.normal(0.0, p.sd * (1.0 - p.share) ** 0.5, (n, simulations))
    return np.ascontiguousarray(drive.T)


def standardised_effects(funding: Array, same: Array, prior: Array, lags: int) -> tuple[Array, Array]:
    """Standardised effects and HAC t statistics of many funding series on the same returns.

    The test is that of the regression's rows (:mod:`perp_pipeline.research.standardised`): of an effect that
    of its slope.

    Args:
        funding: (simulations, n).
        same, prior: (n,) regressors.

    Returns:
        effects and t statistics, each (simulations, 3): same day, prior, prior minus same. The t are divided
        by their critical value at 5 %.
    """
    n = funding.shape[1]
    width = lags + 1
    blocks = -(-n // width)
    design = np.column_stack([np.ones(n), same, prior])
    bread = np.linalg.inv(design.T @ design)
    to_effects = np.array([[0.0, same.std(), 0.0], [0.0, 0.0, prior.std()]]) @ bread
    weights = design @ to_effects.T
    squares = ((design[:, 1:] - design[:, 1:].mean(axis=0)) / design[:, 1:].std(axis=0)).T ** 2 / (2 * n)
    effects, statistics = [], []
    for start in range(0, len(funding), _CHUNK):
        part = funding[start : start + _CHUNK]
        part = part / part.std(axis=1, keepdims=True)
        moments = part @ design
        residual = part - moments @ bread @ design.T
        effect = moments @ to_effects.T
        own_square = (part - part.mean(axis=1, keepdims=True)) ** 2 / (2 * n)
        usual = bounded(residual)
        every = effect @ _CONTRASTS.T
        t = np.empty_like(every)
        for place, contrast in enumerate(_CONTRASTS):
            weight = weights @ contrast
            influence = residual * weight
            if np.count_nonzero(contrast) > 1:
                influence += (effect * contrast) @ squares - every[:, [place]] * own_square
            # Bartlett sums as in statistics.bartlett_covariance.
            total = np.zeros((len(part), n + 2 * width))
            np.cumsum(influence, axis=1, out=total[:, width : width + n])
            total[:, width + n :] = total[:, [lags + n]]
            windows = total[:, width:] - total[:, :-width]
            error = np.sqrt(np.einsum("it,it->i", windows, windows) / width)
            added = np.zeros((len(part), blocks * width))
            added[:, :n] = (usual * weight) ** 2
            sums = added.reshape(len(part), blocks, width).sum(axis=2)
            critical = np.array([weighted_critical(one, n, lags) for one in sums])
            t[:, place] = every[:, place] / error / critical
        effects.append(every)
        statistics.append(t)
    return np.concatenate(effects), np.concatenate(statistics)


def is_null(rows: pd.DataFrame) -> pd.Series:
    """Which rows of out_regressions are of a simulation."""
    return rows["spec"].str.contains("_null-", regex=False)


def null_rows(
    frame: pd.DataFrame, horizon: int, simulations: int, seed: int = 57
) -> Iterator[dict[str, Any]]:
    """Rows of out_regressions that hold the null distributions, without venue, base, symbol and period.

    Args:
        frame: :func:`perp_pipeline.research.regressions.daily_frame`, consecutive days.
        horizon: prior window in days.
        seed: all draws follow from it and from the number of days.

    Yields:
        terms same_day, prior, prior_minus_same: estimate, se, ci are mean, standard deviation and 2.5 to
        97.5 % quantiles of the standardised effect under the null; t is the real effect's distance from
        that mean in those standard deviations; p the share of draws at least as far from it as the real one.
        Terms size_same_day, size_prior, size_prior_minus_same: share of draws that the 5 % HAC test rejects.
        n is the number of draws. None for fewer than 90 days, or funding that does not vary.
    """
    funding, same, prior = (
        frame[name].to_numpy(dtype=np.float64) for name in ("funding", "same_day", f"prior_{horizon}")
    )
    good = np.isfinite(funding) & np.isfinite(same) & np.isfinite(prior)
    if good.sum() < 90 or funding[good].std() == 0.0:
        return
    lags = hac_lags(int(good.sum()))
    real = standardised_effects(funding[None, good], same[good], prior[good], lags)[0][0]
    fitted = fit_persistence(funding)
    slope = ols_hac(funding[good], {"same_day": same[good]})[0].combine([0.0, 1.0])
    days = frame["day"].to_numpy()[good]
    window = {"window_start": utc(days[0]), "window_end": utc(days[-1])}
    nulls = {
        "null-fitted": (fitted, False),
        "null-ar99": (Persistence(0.99, 1.0, fitted.sd), False),
        "null-sameday": (fitted, True),
    }
    for name, (persistence, linked) in nulls.items():
        rng = np.random.default_rng([seed, zlib.crc32(name.encode()), len(frame)])
        link = rng.normal(slope.estimate, slope.se, simulations) if linked else np.zeros(simulations)
        drawn = simulate_funding(persistence, np.nan_to_num(same), link, rng)[:, good]
        effects, t = standardised_effects(drawn, same[good], prior[good], lags)
        about = window | {
            "spec": f"h{horizon}_accrual_std_{name}",
            "r2": None,
            "standardised": True,
            "n": simulations,
            "hac_lags": lags,
        }
        for place, term in enumerate(("same_day", "prior", "prior_minus_same")):
            draws = effects[:, place]
            mean, sd = float(draws.mean()), float(draws.std(ddof=1))
            low, high = np.quantile(draws, [0.025, 0.975])
            far = np.abs(draws - mean) >= abs(real[place] - mean)
            yield about | {
                "term": term,
                "estimate": mean,
                "se": sd,
                "ci_low": float(low),
                "ci_high": float(high),
                "t": (float(real[place]) - mean) / sd,
                "p": float((far.sum() + 1) / (simulations + 1)),
            }
            size = float((np.abs(t[:, place]) > 1.0).mean())
            error = (size * (1 - size) / simulations) ** 0.5
            yield about | {
                "term": f"size_{term}",
                "estimate": size,
                "se": error,
                "ci_low": max(0.0, size - 1.96 * error),
                "ci_high": min(1.0, size + 1.96 * error),
                "t": None,
                "p": None,
            }
