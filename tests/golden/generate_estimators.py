"""Write estimators.json: the estimators' numbers by another route, from loops over the definitions.

Run ``python tests/golden/generate_estimators.py`` after a change of the cases. Nothing here comes from the
library: normal equations by numpy.linalg, Newey-West sums term by term, forecasts by refitting at each step
with numpy.polyfit, correlations by numpy.corrcoef and the delta method, standardised effects and their
influences by fitting again with the weight of one day changed a little.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

DAYS, LAGS, HORIZON = 400, 35, 30


def uniform(n: int, seed: int) -> np.ndarray:
    """Shocks in -0.5..0.5 that any machine draws alike: a linear congruential generator."""
    state, x = seed, np.empty(n)
    for t in range(n):
        state = (1103515245 * state + 12345) % 2**31
        x[t] = state / 2**31 - 0.5
    return x


def persistent(n: int, phi: float, seed: int) -> np.ndarray:
    """AR(1) of those shocks."""
    x = uniform(n, seed)
    for t in range(1, n):
        x[t] += phi * x[t - 1]
    return x


def prices(n: int, seed: int, size: float) -> np.ndarray:
    """A price path of simple returns in -size/2..size/2."""
    return 100 * np.cumprod(1 + size * uniform(n, seed))


def newey_west(scores: np.ndarray, lags: int) -> np.ndarray:
    """Sum over pairs of rows of w(t - s) u_t u_s', w falling to zero past ``lags``."""
    n, k = scores.shape
    total = np.zeros((k, k))
    for t in range(n):
        for s in range(max(0, t - lags), min(n, t + lags + 1)):
            total += (1 - abs(t - s) / (lags + 1)) * np.outer(scores[t], scores[s])
    return total


def effects(table: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Least-squares effects of the other columns on the first, all standardised, rows weighted."""
    z = table - np.average(table, axis=0, weights=weights)
    z = z / np.sqrt(np.average(z**2, axis=0, weights=weights))
    root = np.sqrt(weights)[:, None]
    return np.linalg.lstsq(root * z[:, 1:], root[:, 0] * z[:, 0], rcond=None)[0]


def effect_scores(table: np.ndarray, step: float = 1e-4) -> np.ndarray:
    """Influence of each day on the effects: what they change by as the day gains weight, by differences."""
    n = len(table)
    scores = []
    for day in range(n):
        ends = []
        for change in (step, -step):
            weights = np.ones(n)
            weights[day] += change
            ends.append(effects(table, weights))
        scores.append((ends[0] - ends[1]) / (2 * step) * n)
    return np.array(scores)


def standardised(table: np.ndarray, contrast: list[float]) -> dict[str, object]:
    """Effects, their errors with those of the standard deviations, and a contrast of them."""
    n = len(table)
    found = effects(table, np.ones(n))
    cov = newey_west(effect_scores(table), LAGS) / n**2
    return {
        "params": found.tolist(),
        "se": np.sqrt(np.diag(cov)).tolist(),
        "difference": float(contrast @ found),
        "difference_se": float(np.sqrt(contrast @ cov @ contrast)),
    }


def regression() -> dict[str, object]:
    """f on the same day's and the prior month's return, lagged f; raw and standardised, and the contrast."""
    price = prices(DAYS + HORIZON + 1, 7, 0.1)
    at = np.arange(HORIZON, HORIZON + DAYS)
    same, prior = price[at + 1] / price[at] - 1, price[at] / price[at - HORIZON] - 1
    funding = 0.1 + 0.5 * same + 0.3 * prior + 0.05 * persistent(DAYS, 0.8, 8)
    columns = np.column_stack([funding[1:], same[1:], prior[1:], funding[:-1]])
    design = np.column_stack([np.ones(DAYS - 1), columns[:, 1:]])
    bread = np.linalg.inv(design.T @ design)
    beta = bread @ design.T @ columns[:, 0]
    cov = bread @ newey_west(design * (columns[:, 0] - design @ beta)[:, None], LAGS) @ bread
    raw = {"params": beta.tolist(), "se": np.sqrt(np.diag(cov)).tolist()}
    return {"raw": raw, "standardised": standardised(columns, [-1.0, 1.0, 0.0])}


def correlation() -> dict[str, float]:
    """Pearson correlation with its delta-method Newey-West error."""
    x, y = persistent(300, 0.7, 9), persistent(300, 0.4, 10)
    y = y + 0.5 * x
    rho = float(np.corrcoef(x, y)[0, 1])
    zx, zy = (x - x.mean()) / x.std(), (y - y.mean()) / y.std()
    influence = (zx * zy - rho * (zx**2 + zy**2) / 2)[:, None]
    return {"rho": rho, "se": float(np.sqrt(newey_west(influence, LAGS)[0, 0])) / 300}


def race() -> dict[str, dict[str, float]]:
    """Out-of-sample R2 of the nine-payment mean for the next payment and the next day's mean."""
    rate = persistent(700, 0.6, 11)
    out = {}
    for target, horizon in (("next", 1), ("mean_1d", 3)):
        errors, rivals = [], []
        for i in range(8, 700 - horizon):
            pairs = range(8, i - horizon + 1)
            if len(pairs) < 270:
                continue
            x = [rate[j - 8 : j + 1].mean() for j in pairs]
            y = [rate[j + 1 : j + 1 + horizon].mean() for j in pairs]
            slope, level = np.polyfit(x, y, 1)
            actual = rate[i + 1 : i + 1 + horizon].mean()
            errors.append((actual - level - slope * rate[i - 8 : i + 1].mean()) ** 2)
            rivals.append((actual - rate[i]) ** 2)
        out[target] = {"r2": 1 - sum(errors) / sum(rivals), "n": len(errors)}
    return out


def quanto() -> dict[str, float]:
    """Annual figures of a quanto contract from two price paths at 8 hours, with the covariance's error."""
    eth, btc = prices(601, 12, 0.08), prices(601, 13, 0.06)
    eth = eth * btc**0.8
    e, b = eth[1:] / eth[:-1] - 1, btc[1:] / btc[:-1] - 1
    cov = np.cov(e, b, bias=True)
    product = ((e - e.mean()) * (b - b.mean()) - cov[0, 1])[:, None]
    return {
        "asset_return": 1095 * float(e.mean()),
        "perp_return": 1095 * float((e * (1 + b)).mean()),
        "covariance": 1095 * float(cov[0, 1]),
        "vol_base": float((1095 * cov[0, 0]) ** 0.5),
        "vol_margin": float((1095 * cov[1, 1]) ** 0.5),
        "corr": float(np.corrcoef(e, b)[0, 1]),
        "covariance_se_90_lags": 1095 * float(np.sqrt(newey_west(product, 90)[0, 0])) / 600,
    }


def main() -> None:
    found = {"regression": regression(), "correlation": correlation(), "race": race(), "quanto": quanto()}
    Path(__file__).with_name("estimators.json").write_text(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    main()
