"""The map from premium to rate, recovered from data: interest, clamp, slope and cap, with errors.

Off the flat zone the rate is P -+ c, so P = rate + c sign(rate - I). The rate is exact and the premium at
hand is a sample, so the premium is taken for the dependent variable: the other way round, errors of the
premium move windows across the kinks and bias the clamp. ``*_nls`` are that other way, for comparison.

The slope is that of the premium at hand on the rate, Cov(P', P) / Var(P) with P' the average made of public
bars and P the venue's own: one, if P' weighs the window as the venue does, to the error of a quadrature of
the smooth function Cov(p(t), P); below one, if P' dates its samples late and premiums revert meanwhile.
"""

from __future__ import annotations

import numpy as np

from perp_pipeline.research.least_squares import ols_hac
from perp_pipeline.research.premium_windows import Windows, month_lags
from perp_pipeline.research.statistics import Array, Estimate, hac_ratio

MIN_WINDOWS = 30
"""Windows in the flat zone, and off it, from which on the map is fitted."""

_AT_CAP = 3
"""Windows that must share the largest rate for it to be a cap."""

_ROUNDS = 100


def fit_map(windows: Windows, published: float) -> dict[str, Estimate]:
    """interest, clamp, slope, cap, interest_nls, clamp_nls: fractions per 8 hours; slope: of premium on rate.

    Fewer where data do not tell: a cap shows only where several windows share the largest rate, and the
    interest only where the flat zone and its outside were visited. Without a flat zone in the data (no
    rate is shared by many windows) clamp and slope stand on the sides of the ``published`` interest, per 8
    hours: a clamp of zero then means that the venue had none.
    """
    rate, premium = windows.rate_8h, windows.mean
    digit = windows.digit * 8.0 / windows.hours
    mode = _mode(rate)
    if (np.abs(rate - mode) <= digit).sum() < MIN_WINDOWS:
        mode = published
    flat = np.abs(rate - mode) <= digit
    found = {}
    capped = _capped(rate, premium, mode, digit)
    if capped.sum() >= _AT_CAP:
        found["cap"] = _average(windows, np.abs(rate), capped)
    off = ~flat & ~capped
    if off.sum() < MIN_WINDOWS:
        return found
    side = np.sign(rate - mode)
    found["clamp"] = _average(windows, side * (premium - rate), off)
    if flat.sum() < MIN_WINDOWS:
        return found | _slope(windows, rate, premium, side, off)
    deep = np.abs(premium - mode) <= found["clamp"].estimate / 2.0
    if deep.sum() >= MIN_WINDOWS:
        found["interest"] = _average(windows, rate, deep)
    found |= _slope(windows, rate, premium, side, off)
    interest, clamp = _least_squares(rate[~capped], premium[~capped], mode, found["clamp"].estimate)
    region = np.where(np.abs(premium - interest) <= clamp, 0.0, np.sign(premium - interest))
    inside, outside = (region == 0.0) & ~capped, (region != 0.0) & ~capped
    if min(inside.sum(), outside.sum()) >= MIN_WINDOWS:
        found["interest_nls"] = _average(windows, rate, inside)
        found["clamp_nls"] = _average(windows, region * (premium - rate), outside)
    return found


def _mode(rate: Array) -> float:
    values, counts = np.unique(rate, return_counts=True)
    return float(values[counts.argmax()])


def _capped(rate: Array, premium: Array, mode: float, digit: Array) -> np.ndarray:
    """Windows at a largest rate that several share while premiums go further, or at its negative."""
    capped = np.zeros(len(rate), dtype=np.bool_)
    for edge in (float(rate.max()), float(rate.min())):
        at = np.abs(rate - edge) <= digit
        if edge != mode and at.sum() >= _AT_CAP and np.ptp(premium[at]) > 10.0 * float(digit.max()):
            capped |= np.abs(np.abs(rate) - abs(edge)) <= digit
    return capped


def _average(windows: Windows, values: Array, chosen: np.ndarray) -> Estimate:
    """Mean over some of the windows, with the HAC error over all of them; n counts those averaged."""
    flag = chosen.astype(np.float64)
    values = np.where(chosen, values, 0.0)
    found = hac_ratio(values, flag, month_lags(windows, values - values.sum() / flag.sum() * flag))
    return Estimate(found.estimate, found.se, found.ci_low, found.ci_high, int(flag.sum()), found.hac_lags)


def _slope(
    windows: Windows, rate: Array, premium: Array, side: Array, off: np.ndarray
) -> dict[str, Estimate]:
    """Slope of the premium on the rate off the flat zone; one, if the map is the published one."""
    both_sides = {"side": side[off]} if np.ptp(side[off]) > 0 else {}
    regressors = both_sides | {"rate": rate[off]}
    try:
        fit = ols_hac(premium[off], regressors, month_lags(windows, premium[off]))[0]
    except ValueError:
        return {}
    return {"slope": fit.combine([0.0] * len(regressors) + [1.0])}


def _least_squares(rate: Array, premium: Array, interest: float, clamp: float) -> tuple[float, float]:
    """Least squares of rate = P + clamp(I - P, -c, c): means by region, in turn, until regions stand still.

    Each region's residual has one parameter, of which the sum of squares is least at the region's mean.
    """
    for _ in range(_ROUNDS):
        inside = np.abs(premium - interest) <= clamp
        if not inside.any() or inside.all():
            break
        side = np.sign(premium - interest)[~inside]
        new = float(rate[inside].mean()), float((side * (premium - rate)[~inside]).mean())
        if new == (interest, clamp):
            break
        interest, clamp = new
    return interest, clamp
