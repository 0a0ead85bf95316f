"""How precisely premiums are known, and the map to rates that they show: out_premium_precision.

Claims 19, 24, 28, 30 and 56.

Quantities are listed in the contract. Samples of Binance are closes of the finest bars in the lake; of venues
that print a window's average alone, quantities that need samples are missing. What a premium is compared
with:

- its own window's scatter (``se_mean``): the samples against the window's level;
- the premium that the published rate implies (``error_*``): off the flat zone the map can be inverted, and
  the venue averaged samples every few seconds, so this is the error of coarse sampling itself.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
import pandas as pd

from perp_pipeline.funding.premium import (
    correlation_matrix,
    rising_weights,
    scatter_within,
    unbiased_rho,
)
from perp_pipeline.research.periods import standard_periods
from perp_pipeline.research.premium_map import fit_map
from perp_pipeline.research.premium_windows import (
    MIN_WINDOWS,
    Windows,
    every,
    mean_over,
    month_lags,
    premium_windows,
    transformed,
)
from perp_pipeline.research.series import bounds, utc
from perp_pipeline.research.statistics import Array, Estimate, hac_influence, hac_ratio, ols_hac
from perp_pipeline.theory.funding_map import FundingMap

FEE = 0.002
"""Half-width of the zone that a fee of 0.2 % is said to leave free of arbitrage (claim 30)."""

SAMPLING_HOURS = (1, 2, 4, 8)
HOURS_LEFT = (7, 6, 4, 2, 1, 0)

COLUMNS = [
    "venue",
    "base",
    "quantity",
    "period",
    "symbol",
    "sampling_hours",
    "estimate",
    "se",
    "ci_low",
    "ci_high",
    "n",
    "window_start",
    "window_end",
    "hac_lags",
]


def out_premium_precision(
    *,
    core_premium: pd.DataFrame,
    core_funding_payments: pd.DataFrame,
    raw_binance_premium: pd.DataFrame,
    periods: Iterable[str] = (),
) -> pd.DataFrame:
    """Precision of premiums and the fitted map, by venue, base and period; see the contract.

    A venue and base are represented by the contract with most windows.

    Args:
        periods: periods wanted beside the standard ones.
    """
    longest: dict[tuple[str, str], Windows] = {}
    for windows in premium_windows(core_premium, core_funding_payments, raw_binance_premium):
        key = windows.venue, windows.base
        if key not in longest or len(windows) > len(longest[key]):
            longest[key] = windows
    rows: list[dict[str, Any]] = []
    for windows in longest.values():
        first, last = pd.Timestamp(windows.ends[0]), pd.Timestamp(windows.ends[-1])
        for period in standard_periods(first, last, tuple(periods)):
            part = windows.part(bounds(windows.ends, period))
            if len(part) < MIN_WINDOWS:
                continue
            about = {
                "venue": part.venue,
                "base": part.base,
                "period": period,
                "symbol": part.symbol,
                "sampling_hours": part.sampling_hours,
                "window_start": utc(part.ends[0]),
                "window_end": utc(part.ends[-1]),
            }
            rows += [about | {"quantity": name} | vars(found) for name, found in quantities(part)]
    return pd.DataFrame(rows, columns=COLUMNS)


def quantities(windows: Windows) -> Iterator[tuple[str, Estimate]]:
    """Every quantity of one contract and period that its data allow."""
    rules = windows.rules()
    if len(rules) == 1:
        rule = rules[0][0]
        yield from fit_map(windows).items()
        low, high = rule.flat_zone
        zone = (windows.mean >= low) & (windows.mean <= high)
        yield "share_inside_zone", mean_over(windows, zone.astype(np.float64))
    samples = windows.closes if windows.sampled else windows.mean[:, None]
    yield "premium_mean", mean_over(windows, samples.mean(axis=1))
    yield "premium_sd", _spread(windows, samples)
    inside = (np.abs(samples) <= FEE).mean(axis=1)
    yield "share_inside_fee", mean_over(windows, inside)
    yield from _independent_windows(windows)
    yield from _return_to_zone(windows, samples)
    if samples.shape[1] >= 3:
        yield from _errors_of_mean(windows)
    if len(rules) == 1 and windows.sampled:
        yield from _sampling(windows, rules[0][0])
        yield from _explained(windows, rules[0][0])


def _spread(windows: Windows, samples: Array) -> Estimate:
    """Standard deviation of all samples."""
    square = ((samples - samples.mean()) ** 2).mean(axis=1)
    return _root(mean_over(windows, square))


def _root(found: Estimate) -> Estimate:
    return transformed(found, lambda value: math.sqrt(max(value, 0.0)))


def _independent_windows(windows: Windows) -> Iterator[tuple[str, Estimate]]:
    """Independent windows that the period is worth for the mean premium: variance over that of the mean."""
    variance = float(windows.mean.var())
    error = mean_over(windows, windows.mean).se
    if variance > 0 and error > 0:
        yield "n_effective_windows", _point(variance / error**2, len(windows))


def _point(value: float, n: int) -> Estimate:
    """A number without an error of its own."""
    return Estimate(value, math.nan, math.nan, math.nan, n, 0)


def _errors_of_mean(windows: Windows) -> Iterator[tuple[str, Estimate]]:
    """Standard error of a window's average, with and without its autocorrelation."""
    n = windows.closes.shape[1]
    weights = rising_weights(n)
    products, squares = scatter_within(windows.closes)
    if squares.sum() <= 0.0:
        return
    seen = hac_ratio(products, squares, month_lags(windows, products))
    yield "autocorrelation", transformed(seen, lambda value: unbiased_rho(value, n))
    yield "n_effective", transformed(seen, lambda value: _worth(unbiased_rho(value, n), weights))
    independent = mean_over(windows, squares / (n - 1) * float(weights @ weights))
    yield "se_mean_independent", _root(independent)
    known = np.isfinite(windows.se)
    if known.sum() >= MIN_WINDOWS:
        yield "se_mean", _root(mean_over(windows, np.where(known, windows.se**2, np.nan)))


def _worth(rho: float, weights: Array) -> float:
    """Independent samples, equally weighted, whose mean is as precise as the weighted mean of these."""
    return 1.0 / float(weights @ correlation_matrix(rho, len(weights)) @ weights)


def _return_to_zone(windows: Windows, samples: Array) -> Iterator[tuple[str, Estimate]]:
    """Half-life of premiums outside the fee's zone, from p(t + 1) = m + phi (p(t) - m), m the median."""
    step = windows.sampling_hours
    flat = samples.ravel()
    away = flat - float(np.median(flat))
    follows = np.ones(len(flat), dtype=np.bool_)
    follows[:: samples.shape[1]] = False
    adjoining = np.diff(windows.ends) == (windows.hours[1:] * 3600.0).astype("timedelta64[s]")
    follows[samples.shape[1] :: samples.shape[1]] = adjoining
    outside = (np.abs(flat[:-1]) > FEE) & follows[1:]
    if outside.sum() < 8:
        return
    now, then = np.where(outside, away[:-1], 0.0), np.where(outside, away[1:], 0.0)
    phi = hac_ratio(now * then, now * now)
    if not 0.0 < phi.estimate < 1.0:
        return
    found = transformed(phi, lambda value: step * math.log(0.5) / math.log(min(max(value, 1e-9), 1 - 1e-9)))
    low, high = max(found.ci_low, 0.0), found.ci_high
    yield (
        "half_life_outside_hours",
        Estimate(found.estimate, found.se, low, high, int(outside.sum()), found.hac_lags),
    )


def _sampling(windows: Windows, rule: FundingMap) -> Iterator[tuple[str, Estimate]]:
    """Error against the premium that the rate implies, by sampling, weights and definition of the price."""
    rate = windows.rate_8h
    digit = windows.digit * 8.0 / windows.hours
    off = (np.abs(rate - rule.interest) > digit) & (np.abs(rate) < rule.cap - digit)
    if off.sum() < MIN_WINDOWS:
        return
    implied = rate + rule.clamp * np.sign(rate - rule.interest)
    n = windows.closes.shape[1]
    finest = windows.sampling_hours
    made = {_span(finest): every(windows.closes, 1)}
    for hours in SAMPLING_HOURS:
        step = round(hours / finest)
        if hours > finest and step <= n and n % step == 0:
            made[_span(hours)] = every(windows.closes, step)
    made[f"{_span(finest)}_flat"] = windows.closes.mean(axis=1)
    made[f"{_span(finest)}_open_close"] = (windows.opens + windows.closes) / 2.0 @ rising_weights(n)
    part = np.flatnonzero(off)
    for name, premium in made.items():
        square = (premium - implied)[part] ** 2
        yield f"error_{name}", _root(hac_influence(float(square.mean()), square - square.mean()))
    yield from _weights(windows, implied, part)


def _weights(windows: Windows, implied: Array, part: np.ndarray) -> Iterator[tuple[str, Estimate]]:
    """Weights of the samples in the implied premium, by regression, where samples are few."""
    n = windows.closes.shape[1]
    if n > 8:
        return
    regressors = {f"weight_{k + 1}_of_{n}": windows.closes[part, k] for k in range(n)}
    try:
        fit = ols_hac(implied[part], regressors)[0]
    except ValueError:
        return
    for place, name in enumerate(fit.names[1:], start=1):
        yield name, fit.combine(np.eye(n + 1)[place])


def _span(hours: float) -> str:
    return f"{hours:g}h" if hours >= 1 else f"{round(hours * 60)}min"


def _explained(windows: Windows, rule: FundingMap) -> Iterator[tuple[str, Estimate]]:
    """Share of the rate's variance that the premium so far in the window explains, hours before its end."""
    rate = windows.rate_8h
    around = (rate - rate.mean()) ** 2
    if not around.any():
        return
    n = windows.closes.shape[1]
    for left in HOURS_LEFT:
        seen = n - left / windows.sampling_hours
        if seen < 1 or seen != round(seen):
            continue
        known = windows.closes[:, : round(seen)]
        for name, premium in (("", every(known, 1)), ("instant_", known[:, -1])):
            miss = (rate - rule.rate_8h(premium)) ** 2
            share = hac_ratio(miss, around, month_lags(windows, miss))
            yield f"share_explained_{name}{left}h_left", transformed(share, lambda value: 1.0 - value)
