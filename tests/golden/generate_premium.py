"""Write premium.json: errors of forecasts, maps, quantiles and half-lives, from loops over the definitions.

Run ``python tests/golden/generate_premium.py`` after a change of the cases. Nothing comes from the library.
"""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
from generate_estimators import newey_west, persistent, uniform

N = 400
LAGS = {"clamp": 90, "slope": 71, "p50": 90, "p95": 90, "half_life": 720, "race": 30}
"""Bartlett lags of each error; the tests check that the library takes as many."""

INTEREST, CLAMP = 0.0001, 0.0005


def error_of_mean(influence: list[float], lags: int) -> float:
    """Newey-West error of a mean, from its influences."""
    values = np.array(influence)
    return float(np.sqrt(newey_west((values - values.mean())[:, None], lags)[0, 0])) / len(values)


def series() -> tuple[list[float], list[float]]:
    """Premiums as seen, with noise, and the rates that the venue made of them without."""
    true = 0.0002 + 0.0020 * persistent(N, 0.6, 21)
    seen = true + 0.0002 * uniform(N, 22)
    rates = []
    for p in true.tolist():
        clamped = min(max(INTEREST - p, -CLAMP), CLAMP)
        rates.append(round(p + clamped, 8))
    return seen.tolist(), rates


def premium_map() -> dict[str, float]:
    """Clamp as a mean over the windows off the flat zone, slope by regression, with their errors."""
    seen, rates = series()
    away = [abs(rate - INTEREST) > 1.5e-8 for rate in rates]
    side = [1.0 if rate > INTEREST else -1.0 for rate in rates]
    gaps = [s * (p - r) if off else 0.0 for s, p, r, off in zip(side, seen, rates, away, strict=True)]
    count = sum(away)
    clamp = sum(gaps) / count
    influence = [(gap - clamp if off else 0.0) * N / count for gap, off in zip(gaps, away, strict=True)]
    rows = [i for i in range(N) if away[i]]
    design = np.array([[1.0, side[i], rates[i]] for i in rows])
    y = np.array([seen[i] for i in rows])
    bread = np.linalg.inv(design.T @ design)
    beta = bread @ design.T @ y
    cov = bread @ newey_west(design * (y - design @ beta)[:, None], LAGS["slope"]) @ bread
    return {
        "clamp": clamp,
        "clamp_se": error_of_mean(influence, LAGS["clamp"]),
        "slope": float(beta[2]),
        "slope_se": float(np.sqrt(cov[2, 2])),
    }


def sorted_quantile(values: list[float], share: float) -> float:
    """Between the two order statistics around share (n - 1)."""
    ranked = sorted(values)
    place = share * (len(ranked) - 1)
    below = min(int(place), len(ranked) - 2)
    return ranked[below] + (place - below) * (ranked[below + 1] - ranked[below])


def normal_quantile(share: float) -> float:
    """By bisection of the distribution function."""
    low, high = -8.0, 8.0
    for _ in range(200):
        middle = (low + high) / 2
        if 0.5 * (1 + math.erf(middle / math.sqrt(2))) < share:
            low = middle
        else:
            high = middle
    return low


def quantiles() -> dict[str, dict[str, float]]:
    """Median and 95th percentile, their errors from the slope of the quantiles around them."""
    values = [abs(x) for x in persistent(N, 0.5, 23).tolist()]
    out = {}
    for name, share in (("p50", 0.5), ("p95", 0.95)):
        at, z = sorted_quantile(values, share), normal_quantile(share)
        density = math.exp(-z * z / 2) / math.sqrt(2 * math.pi)
        width = N ** (-1 / 3) * 1.959964 ** (2 / 3) * (1.5 * density**2 / (2 * z * z + 1)) ** (1 / 3)
        low, high = max(share - width, 0.0), min(share + width, 1.0)
        sparsity = (sorted_quantile(values, high) - sorted_quantile(values, low)) / (high - low)
        influence = [(share - (1.0 if x <= at else 0.0)) * sparsity for x in values]
        out[name] = {"at": at, "se": error_of_mean(influence, LAGS[name])}
    return out


def half_life() -> dict[str, float]:
    """ln(1/2) / ln(phi), phi by regression through zero of the deviation that follows one outside 0.2 %."""
    values = (0.0008 + 0.002 * persistent(8 * N, 0.7, 24)).tolist()
    middle = sorted_quantile(values, 0.5)
    top, bottom = [], []
    for i in range(len(values) - 1):
        outside = abs(values[i]) > 0.002
        now = values[i] - middle if outside else 0.0
        then = values[i + 1] - middle if outside else 0.0
        top.append(now * then)
        bottom.append(now * now)
    phi = sum(top) / sum(bottom)
    mean = sum(bottom) / len(bottom)
    influence = [(t - phi * b) / mean for t, b in zip(top, bottom, strict=True)]
    hours = math.log(0.5) / math.log(phi)
    slope = -math.log(0.5) / (phi * math.log(phi) ** 2)
    return {"hours": hours, "se": abs(slope) * error_of_mean(influence, LAGS["half_life"])}


def diebold_mariano() -> dict[str, float]:
    """Two forecasts of one series: the mean difference in squared errors over its error, and its p value."""
    actual, first, second = (persistent(300, 0.5, seed) for seed in (25, 26, 27))
    gain = [(a - s) ** 2 - (a - 0.8 * f) ** 2 for a, f, s in zip(actual, first, second, strict=True)]
    mean = sum(gain) / len(gain)
    statistic = mean / error_of_mean(gain, LAGS["race"])
    errors = [(a - 0.8 * f) ** 2 for a, f in zip(actual, first, strict=True)]
    rivals = [(a - s) ** 2 for a, s in zip(actual, second, strict=True)]
    ratio, unit = sum(errors) / sum(rivals), sum(rivals) / len(rivals)
    influence = [(e - ratio * r) / unit for e, r in zip(errors, rivals, strict=True)]
    b = (LAGS["race"] + 1) / len(gain)
    critical = 1.96 + 2.9694 * b + 0.416 * b**2 - 0.5324 * b**3
    return {
        "r2": 1 - sum((actual - 0.8 * first) ** 2) / sum((actual - second) ** 2),
        "r2_se": error_of_mean(influence, LAGS["race"]),
        "statistic": statistic,
        "p": math.erfc(abs(statistic) * 1.959964 / critical / math.sqrt(2)),
    }


def main() -> None:
    found = {
        "map": premium_map(),
        "quantiles": quantiles(),
        "half_life": half_life(),
        "race": diebold_mariano(),
    }
    Path(__file__).with_name("premium.json").write_text(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    main()
