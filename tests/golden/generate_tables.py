"""Write tables.json: rows of result tables by other routes than the library's.

Run ``python tests/golden/generate_tables.py`` (needs ``arch``, of the ``dev`` extra) after a change of the
cases. Long-run covariances come from arch's Bartlett kernel and from sums term by term, regressions from
statsmodels, skewness from scipy, decile errors also from arch's circular block bootstrap, critical values
from simulated noise. Nothing comes from the library.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
from generate_estimators import effect_scores, newey_west, persistent, prices

DAYS, LAGS, HORIZON, BEFORE = 600, 44, 7, 400


def funding_and_prices() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Daily annual funding, midnight prices from ``BEFORE`` days before, and returns of the 7 days before."""
    price = prices(DAYS + BEFORE + 1, 21, 0.08)
    at = np.arange(BEFORE, BEFORE + DAYS)
    past = price[at] / price[at - HORIZON] - 1
    return 0.1 + 0.4 * past + 0.03 * persistent(DAYS, 0.7, 22), price, past


def by_rank(past: np.ndarray) -> list[np.ndarray]:
    """Rows of each decile, lowest first, by sorting."""
    return np.array_split(np.argsort(past, kind="stable"), 10)


def decile_scores(funding: np.ndarray, past: np.ndarray, which: int) -> np.ndarray:
    """Influence of each day on the mean of a decile (0 to 9), row by row from the definition."""
    n, parts = len(funding), by_rank(past)
    order = np.concatenate(parts)
    inside = set(parts[which].tolist())
    mean = funding[parts[which]].mean()
    at_edge = {}
    for edge in (which, which + 1):
        if 0 < edge < 10:
            middle = edge * n // 10
            at_edge[edge] = funding[order[middle - n // 20 : middle + n // 20]].mean()
    rank = np.empty(n, dtype=int)
    rank[order] = np.arange(n)
    scores = np.zeros(n)
    for day in range(n):
        if day in inside:
            scores[day] += funding[day] - mean
        for edge, level in at_edge.items():
            below = float(rank[day] < edge * n // 10) - edge / 10
            scores[day] += (level - mean) * below * (1 if edge == which else -1)
    return scores * 10


def buckets() -> dict[str, float]:
    """Means of the lowest and highest decile and their difference, with errors by two routes."""
    from arch.bootstrap import CircularBlockBootstrap

    funding, _, past = funding_and_prices()
    low, high = (decile_scores(funding, past, which) for which in (0, 9))
    parts = by_rank(past)
    means = funding[parts[0]].mean(), funding[parts[9]].mean()

    def gap(f: np.ndarray, p: np.ndarray) -> np.ndarray:
        rows = by_rank(p)
        return np.array([f[rows[0]].mean(), f[rows[9]].mean(), f[rows[9]].mean() - f[rows[0]].mean()])

    draws = CircularBlockBootstrap(LAGS + 1, funding, past, seed=23).apply(gap, 4000)
    spread = draws.std(axis=0, ddof=1)
    out = {"d01": means[0], "d10": means[1], "d10_minus_d01": means[1] - means[0]}
    for place, (name, scores) in enumerate((("d01", low), ("d10", high), ("d10_minus_d01", high - low))):
        out[f"{name}_se"] = float(np.sqrt(newey_west(scores[:, None], LAGS)[0, 0])) / DAYS
        out[f"{name}_se_bootstrap"] = float(spread[place])
    return {name: float(value) for name, value in out.items()}


def long_run() -> list[list[float]]:
    """Long-run covariance of two series by arch."""
    from arch.covariance.kernel import Bartlett

    x = np.column_stack([persistent(500, 0.9, 24), persistent(500, 0.5, 25)])
    return Bartlett(x, bandwidth=LAGS, df_adjust=0, center=True).cov.long_run.tolist()


def events() -> tuple[np.ndarray, np.ndarray]:
    """Rates announced every 8 hours, and hourly closes (row 239 ends with the first announcement)."""
    hourly = prices(24 * 10 + 8 * 420 + 200, 26, 0.02)
    at = 239 + 8 * np.arange(420)
    return 1e-3 * (hourly[at] / hourly[at - 72] - 1) + 2e-5 * persistent(420, 0.5, 27), hourly


def correlation_scores(x: np.ndarray, y: np.ndarray) -> tuple[float, np.ndarray]:
    rho = float(np.corrcoef(x, y)[0, 1])
    zx, zy = (x - x.mean()) / x.std(), (y - y.mean()) / y.std()
    return rho, zx * zy - rho * (zx**2 + zy**2) / 2


def lead_lag() -> dict[str, float]:
    """Correlations of the rate with past, contemporaneous and future return; a difference; two deciles."""
    rate, hourly = events()
    at = 239 + 8 * np.arange(420)
    past = hourly[at] / hourly[at - 72] - 1
    future = hourly[at + 80] / hourly[at + 8] - 1
    (one, scores), (two, other) = correlation_scores(rate, past), correlation_scores(rate, future)
    parts = by_rank(rate)
    return {
        "past3d": one,
        "past3d_minus_future3d": one - two,
        "past3d_minus_future3d_se_90_lags": float(
            np.sqrt(newey_west((scores - other)[:, None], 90)[0, 0]) / len(rate)
        ),
        "decile_future3d_1": float(future[parts[0]].mean()),
        "decile_future3d_10": float(future[parts[9]].mean()),
        "decile_future3d_10_se_90_lags": float(
            np.sqrt(newey_west(decile_scores(future, rate, 9)[:, None], 90)[0, 0]) / len(rate)
        ),
    }


def spread() -> dict[str, float]:
    """Two venues' daily rates: difference with statsmodels' error, correlation, gaps, skewness by scipy."""
    import statsmodels.api as sm
    from scipy.stats import skew

    a = 0.1 + persistent(500, 0.9, 28)
    b = 0.05 + 0.5 * a + persistent(500, 0.8, 29)
    fit = sm.OLS(a - b, np.ones(500)).fit(cov_type="HAC", cov_kwds={"maxlags": LAGS, "use_correction": False})
    ordered = sorted(abs(a - b))
    place = 0.95 * 499
    low = int(place)
    return {
        "mean": float(fit.params[0]),
        "se_44_lags": float(fit.bse[0]),
        "correlation": float(np.corrcoef(a, b)[0, 1]),
        "gap_p95": float(ordered[low] + (place - low) * (ordered[low + 1] - ordered[low])),
        "gap_mean": float(sum(ordered) / 500),
        "skew_a": float(skew(a)),
        "share_negative_a": sum(value < 0 for value in a) / 500,
    }


def null_effects() -> dict[str, list[float]]:
    """Standardised effects on the same and the prior return and their contrast, by statsmodels; their t.

    The t of the contrast knows that the standard deviations are estimated.
    """
    import statsmodels.api as sm

    table = np.column_stack([persistent(400, 0.95, 30), persistent(400, 0.0, 31), persistent(400, 0.9, 32)])
    z = (table - table.mean(axis=0)) / table.std(axis=0)
    fit = sm.OLS(z[:, 0], sm.add_constant(z[:, 1:])).fit(
        cov_type="HAC", cov_kwds={"maxlags": 40, "use_correction": False}
    )
    contrast = np.array([-1.0, 1.0])
    difference = float(contrast @ fit.params[1:])
    error = float(contrast @ newey_west(effect_scores(table), 40) @ contrast) ** 0.5 / 400
    return {
        "effects": [*fit.params[1:].tolist(), difference],
        "t": [*fit.tvalues[1:].tolist(), difference / error],
    }


def critical_values() -> dict[str, float]:
    """97.5 % quantile of |mean| / HAC error for white noise at bandwidth shares b (absolute: 95 %)."""
    rng = np.random.default_rng(33)
    n, draws = 400, 20_000
    x = rng.normal(size=(draws, n))
    total = x.sum(axis=1)
    away = x - x.mean(axis=1, keepdims=True)
    out = {}
    for b in (0.05, 0.1, 0.2, 0.4, 0.8):
        width = round(b * n)
        padded = np.zeros((draws, n + 2 * width))
        padded[:, width : width + n] = away
        cumulated = np.cumsum(padded, axis=1)
        windows = cumulated[:, width:] - cumulated[:, :-width]
        variance = (windows**2).sum(axis=1) / width
        out[str(b)] = float(np.quantile(np.abs(total) / np.sqrt(variance), 0.95))
    return out


def main() -> None:
    found = {
        "buckets": buckets(),
        "long_run": long_run(),
        "lead_lag": lead_lag(),
        "spread": spread(),
        "null_effects": null_effects(),
        "critical_values": critical_values(),
    }
    Path(__file__).with_name("tables.json").write_text(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    main()
