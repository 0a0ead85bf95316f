"""Write hac_mean.json: means and Newey-West errors by statsmodels, which hac_mean must reproduce.

Run ``python tests/golden/generate_hac_mean.py`` after a change of the cases; the numbers are statsmodels' own
(OLS on a constant, HAC covariance with the Bartlett kernel, no small-sample correction).
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import statsmodels
import statsmodels.api as sm

CASES = [(12, 0.0, 2), (50, 0.5, 0), (200, 0.9, 30), (1000, 0.99, 42), (1000, 0.99, 120), (400, -0.4, 30)]


def series(n: int, phi: float) -> np.ndarray:
    """An AR(1) path that any NumPy draws alike: a linear congruential generator, uniform shocks."""
    state, x = 12345, np.empty(n)
    level = 0.0
    for t in range(n):
        state = (1103515245 * state + 12345) % 2**31
        level = phi * level + state / 2**31 - 0.5
        x[t] = 0.1 + level
    return x


def main() -> None:
    cases = []
    for n, phi, lags in CASES:
        fit = sm.OLS(series(n, phi), np.ones(n)).fit(
            cov_type="HAC", cov_kwds={"maxlags": lags, "kernel": "bartlett", "use_correction": False}
        )
        cases.append(
            {"n": n, "phi": phi, "lags": lags, "mean": float(fit.params[0]), "se": float(fit.bse[0])}
        )
    target = Path(__file__).with_name("hac_mean.json")
    target.write_text(json.dumps({"statsmodels": statsmodels.__version__, "cases": cases}, indent=1) + "\n")


if __name__ == "__main__":
    main()
