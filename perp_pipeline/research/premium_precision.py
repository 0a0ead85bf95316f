"""How precisely premiums are known, and the map to rates that they show: out_premium_precision.

Claims 19, 24, 28, 30 and 56.

Quantities are listed in the contract. Bars of Binance are the finest in the lake; of venues that print a
window's average alone, quantities that need bars are missing. What a premium is compared with:

- its own window's scatter (``se_mean``): the samples against the window's level;
- the premium that the published rate implies (``error_*``): off the flat zone the map can be inverted, and
  the venue averaged samples every few seconds, so this is the error of coarse sampling itself.

What published rates show of the map without a premium is in every venue's rows (``rate_atoms``).

With ``_lags360`` behind it: what claims judge, with another bandwidth in windows.

Quantities that need the venue's map are estimated inside each of its eras (``ERAS``): where several maps were
in force in a period, one row each, named with the day from which the map was in force.

Weights: off the flat zone the implied premium is regressed on the premiums of the window's eighths, means of
open and close of their bars. ``weight_k_of_n`` is what part k adds, to be held against the venue's
(2 k - 1) / n^2 (``path_weights``, to 1 part in 1,000); neighbouring parts move together, so that single
weights are known less well than their sum. Where the premium stands still between samples the weights come
back exactly (simulated markets: to 2e-5). Where it does not, open and close are noisy measures of their
part's mean, and its weight is shared with its neighbours: with as much movement inside hours as Binance's
premium has (open less the close before it, seconds apart: sd 1.6e-4) the first weight is too high by 0.03
and the last two too low by 0.02, while their sum stays (tests/unit/test_premium_weights.py).

Bandwidths are :func:`~perp_pipeline.research.premium_windows.month_lags` throughout, in the windows used:
those off the flat zone for ``error_*`` and weights, hours for the half-life.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from perp_pipeline.funding.premium import (
    bar_weights,
    correlation_matrix,
    scatter_within,
    unbiased_rho,
)
from perp_pipeline.research.least_squares import ols_hac
from perp_pipeline.research.other_lags import lag_key
from perp_pipeline.research.premium_map import fit_map
from perp_pipeline.research.premium_windows import (
    HOURS_LEFT,
    MIN_WINDOWS,
    Windows,
    every,
    mean_over,
    month_lags,
    premium_windows,
    share_over,
    transformed,
)
from perp_pipeline.research.rate_atoms import atom_rows
from perp_pipeline.research.series import utc
from perp_pipeline.research.shares import above_zero, hac_explained
from perp_pipeline.research.statistics import Array, Estimate, hac_influence, hac_ratio
from perp_pipeline.research.trade_prints import trade_rows
from perp_pipeline.theory.funding_map import FundingMap

FEE = 0.002
"""Half-width of the zone that a fee of 0.2 % is said to leave free of arbitrage (claim 30)."""

SAMPLING_HOURS = (1, 2, 4, 8)

MINUTE = 1.0 / 60.0
_EIGHTHS = 8
MAP_JUDGED = ("interest", "clamp", "slope", "weight_4_of_8")
"""What claims judge of the map; told with other bandwidths as well, like share_inside_fee and se_mean."""

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
    raw_trades: pd.DataFrame | None = None,
    periods: Iterable[str] = (),
) -> pd.DataFrame:
    """Precision of premiums and the fitted map, by venue, base and period; see the contract.

    A venue and base are represented by the contract with most windows; what is read off rates alone, by the
    one with most payments.

    Args:
        raw_trades: single trades of venues that a file was declared of.
        periods: periods wanted beside the standard ones.
    """
    extra = tuple(periods)
    longest: dict[tuple[str, str], Windows] = {}
    for windows in premium_windows(core_premium, core_funding_payments, raw_binance_premium):
        key = windows.venue, windows.base
        if key not in longest or len(windows) > len(longest[key]):
            longest[key] = windows
    rows: list[dict[str, Any]] = []
    for windows in longest.values():
        for period, part in windows.periods(extra):
            others = (row for other in part.other_lags(period) for row in judged(other))
            for name, used, found in (*quantities(part), *others):
                about = {
                    "venue": part.venue,
                    "base": part.base,
                    "quantity": name,
                    "period": period,
                    "symbol": part.symbol,
                    "sampling_hours": used.sampling_hours,
                    "window_start": utc(used.ends[0]),
                    "window_end": utc(used.ends[-1]),
                }
                rows.append(about | vars(found))
    rows += atom_rows(core_funding_payments, extra)
    if raw_trades is not None:
        rows += trade_rows(raw_trades, extra)
    return pd.DataFrame(rows, columns=COLUMNS)


def quantities(windows: Windows) -> Iterator[tuple[str, Windows, Estimate]]:
    """Every quantity of one contract and period that its data allow, with the windows it is about."""
    rules = windows.rules()
    for since, rule, where in rules:
        era = windows.part(where)
        if len(era) < MIN_WINDOWS:
            continue
        ending = f"_since_{np.datetime_as_string(since, 'D')}" if len(rules) > 1 else ""
        for name, found in _of_the_map(era, rule):
            yield name + ending, era, found
    for name, found in _of_the_premium(windows):
        yield name, windows, found


def judged(windows: Windows) -> Iterator[tuple[str, Windows, Estimate]]:
    """What claims judge of one contract and period, with the bandwidth that its windows come with.

    Only where one map was in force, and where the sample of a quantity allows the bandwidth.
    """
    rules = windows.rules()
    samples = windows.closes if windows.sampled else windows.mean[:, None]
    found = {"share_inside_fee": _inside_fee(windows, samples)} | dict(_error_of_mean(windows))
    if len(rules) == 1:
        _, rule, where = rules[0]
        era = windows.part(where)
        fitted = fit_map(era, rule.interest)
        if era.sampled:
            part, implied = _implied(era, rule)
            fitted |= _weights((era.opens + era.closes)[part] / 2.0, implied, month_lags(era, implied))
        found |= {name: fitted[name] for name in MAP_JUDGED if name in fitted}
    for name, one in found.items():
        if one.hac_lags == windows.lags:
            yield lag_key(name, one.hac_lags), windows, one


def _of_the_map(windows: Windows, rule: FundingMap) -> Iterator[tuple[str, Estimate]]:
    yield from fit_map(windows, rule.interest).items()
    low, high = rule.flat_zone
    zone = (windows.mean >= low) & (windows.mean <= high)
    yield "share_inside_zone", share_over(windows, zone.astype(np.float64))
    if windows.sampled:
        yield from _sampling(windows, rule)
        yield from _explained(windows, rule)


def _of_the_premium(windows: Windows) -> Iterator[tuple[str, Estimate]]:
    samples = windows.closes if windows.sampled else windows.mean[:, None]
    yield "premium_mean", mean_over(windows, samples.mean(axis=1))
    yield "premium_sd", _spread(windows, samples)
    yield "share_inside_fee", _inside_fee(windows, samples)
    yield from _independent_windows(windows)
    yield from out_of_the_zone(windows, samples)
    if samples.shape[1] >= 3:
        yield from _errors_of_mean(windows)


def _inside_fee(windows: Windows, samples: Array) -> Estimate:
    return share_over(windows, (np.abs(samples) <= FEE).mean(axis=1))


def _spread(windows: Windows, samples: Array) -> Estimate:
    """Standard deviation of all samples."""
    square = ((samples - samples.mean()) ** 2).mean(axis=1)
    return _root(mean_over(windows, square))


def _root(found: Estimate) -> Estimate:
    return above_zero(transformed(found, lambda value: math.sqrt(max(value, 0.0))))


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
    """Standard error of a window's average, with and without the samples' autocorrelation (core_premium)."""
    n = windows.closes.shape[1]
    weights = bar_weights(n, windows.sampling_hours)
    products, squares = scatter_within(windows.closes)
    if squares.sum() <= 0.0:
        return
    seen = hac_ratio(products, squares, month_lags(windows, products))
    yield "autocorrelation", transformed(seen, lambda value: unbiased_rho(value, n))
    yield "n_effective", transformed(seen, lambda value: _worth(unbiased_rho(value, n), weights))
    independent = mean_over(windows, squares / (n - 1) * float(weights @ weights))
    yield "se_mean_independent", _root(independent)
    yield from _error_of_mean(windows)


def _error_of_mean(windows: Windows) -> Iterator[tuple[str, Estimate]]:
    """Standard error of a window's average (core_premium): root of the mean square."""
    known = np.isfinite(windows.se)
    if known.sum() >= MIN_WINDOWS:
        yield "se_mean", _root(mean_over(windows, np.where(known, windows.se**2, np.nan)))


def _worth(rho: float, weights: Array) -> float:
    """Independent samples, equally weighted, whose mean is as precise as the weighted mean of these."""
    return 1.0 / float(weights @ correlation_matrix(rho, len(weights)) @ weights)


def out_of_the_zone(windows: Windows, samples: Array) -> Iterator[tuple[str, Estimate]]:
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
    products = now * then
    phi = hac_ratio(products, now * now, month_lags(windows, products, step))
    if not 0.0 < phi.estimate < 1.0:
        return
    found = transformed(phi, lambda value: step * math.log(0.5) / math.log(min(max(value, 1e-9), 1 - 1e-9)))
    yield "half_life_outside_hours", replace(above_zero(found), n=int(outside.sum()))


def _sampling(windows: Windows, rule: FundingMap) -> Iterator[tuple[str, Estimate]]:
    """Error against the premium that the rate implies, by sampling, weights and definition of the price."""
    part, implied = _implied(windows, rule)
    if len(part) < MIN_WINDOWS:
        return
    n = windows.closes.shape[1]
    finest = windows.sampling_hours
    hours = [finest, *(hours for hours in SAMPLING_HOURS if hours > finest and n % (hours / finest) == 0)]
    square = {
        _span(length): _missed(windows.coarser(round(length / finest))[part], implied) for length in hours
    }
    square[f"{_span(finest)}_close"] = _missed(every(windows.closes, 1)[part], implied)
    middle = (windows.opens + windows.closes) / 2.0
    square[f"{_span(finest)}_flat"] = _missed(middle.mean(axis=1)[part], implied)
    for name, missed in square.items():
        yield f"error_{name}", _root(mean_over(windows, missed))
    if len(hours) > 1 and finest > MINUTE:
        yield from _extrapolated(windows, hours, [square[_span(length)] for length in hours])
    yield from _weights(middle[part], implied, month_lags(windows, implied)).items()


def _implied(windows: Windows, rule: FundingMap) -> tuple[npt.NDArray[np.intp], Array]:
    """Windows off the flat zone and below the cap, and the premiums that their rates imply."""
    rate = windows.rate_8h
    digit = windows.digit * 8.0 / windows.hours
    part = np.flatnonzero((np.abs(rate - rule.interest) > digit) & (np.abs(rate) < rule.cap - digit))
    return part, (rate + rule.clamp * np.sign(rate - rule.interest))[part]


def _missed(premium: Array, implied: Array) -> Array:
    return np.asarray((premium - implied) ** 2)


def _extrapolated(
    windows: Windows, hours: Sequence[float], square: Sequence[Array]
) -> Iterator[tuple[str, Estimate]]:
    """How the error falls with the bars' length, error = a hours^b (least squares of logs), and where that
    leads at bars of a minute.

    An extrapolation: it holds if the premium is as rough inside the finest bars as between them.
    """
    logs = np.log(hours)
    means = np.array([values.mean() for values in square])
    if not (means > 0.0).all():
        return
    design = np.column_stack([np.ones(len(logs)), logs])
    solve = np.linalg.pinv(design)
    level, slope = solve @ (np.log(means) / 2.0)
    moved = solve @ np.array(
        [(values / mean - 1.0) / 2.0 for values, mean in zip(square, means, strict=True)]
    )
    yield "error_exponent", hac_influence(float(slope), moved[1], month_lags(windows, moved[1]))
    at = math.log(MINUTE)
    there = moved[0] + moved[1] * at
    minute = hac_influence(float(level + slope * at), there, month_lags(windows, there))
    value, low, high = (math.exp(end) for end in (minute.estimate, minute.ci_low, minute.ci_high))
    yield (
        "error_1min_extrapolated",
        Estimate(value, value * minute.se, low, high, minute.n, minute.hac_lags),
    )


def _weights(middle: Array, implied: Array, lags: int) -> dict[str, Estimate]:
    """Weights of the parts of the window in the implied premium, by regression: eighths, or fewer bars."""
    n = middle.shape[1]
    if n % _EIGHTHS == 0:
        middle, n = middle.reshape(len(middle), _EIGHTHS, -1).mean(axis=2), _EIGHTHS
    if n > _EIGHTHS:
        return {}
    regressors = {f"weight_{k + 1}_of_{n}": middle[:, k] for k in range(n)}
    try:
        fit = ols_hac(implied, regressors, lags)[0]
    except ValueError:
        return {}
    return {name: fit.combine(np.eye(n + 1)[place]) for place, name in enumerate(fit.names[1:], start=1)}


def _span(hours: float) -> str:
    return f"{hours:g}h" if hours >= 1 else f"{round(hours * 60)}min"


def _explained(windows: Windows, rule: FundingMap) -> Iterator[tuple[str, Estimate]]:
    """Share of the rate's variance that the premium so far in the window explains, hours before its end."""
    rate = windows.rate_8h
    around = (rate - rate.mean()) ** 2
    if not around.any():
        return
    for left in HOURS_LEFT:
        known = windows.so_far(left)
        if known is None:
            continue
        for name, premium in zip(("", "instant_"), known, strict=True):
            miss = (rate - rule.rate_8h(premium)) ** 2
            found = hac_explained(miss, around, month_lags(windows, miss))
            yield f"share_explained_{name}{left}h_left", found
