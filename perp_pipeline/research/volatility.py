"""Volatility of daily returns by calendar month (claim 17)."""

from __future__ import annotations

import numpy as np
import pandas as pd

from perp_pipeline.research.statistics import Estimate, hac_influence, hac_mean, persistent_lags

MONTHS_FLOOR = 1
"""Thirty days, in months: the fewest lags of a monthly series (:func:`.statistics.hac_lags`)."""
LEAST_DAYS = 20
"""Daily returns that a month needs."""


def monthly_volatility(core_returns_8h: pd.DataFrame) -> pd.DataFrame:
    """Standard deviation of the daily log returns of each calendar month that has 20 of them.

    Days are UTC days, from closes at 00:00; a close at 00:00 ends the day before. Only returns between two
    days that follow each other count: a hole is not a day.

    Args:
        core_returns_8h: rows of one base, by window_end.

    Returns:
        month (``2021-02``), volatility (fraction a day) with se, ci_low and ci_high (Newey-West within the
        month, by the delta method), n (days), first and last (naive UTC times of the first and last daily
        close used).
    """
    midnight = core_returns_8h[core_returns_8h["window_end"].dt.hour == 0]
    closes = pd.DatetimeIndex(midnight["window_end"].dt.tz_localize(None))
    log_price = pd.Series(np.log(midnight["close"].to_numpy(dtype=np.float64)), index=closes)
    steps = log_price.index.to_series().diff() == pd.Timedelta(1, "D")
    returns = log_price.diff()[steps].dropna()
    frame = pd.DataFrame(
        {
            "month": (returns.index - pd.Timedelta(1, "D")).strftime("%Y-%m"),
            "ret": returns.to_numpy(),
            "close": returns.index,
        }
    )
    by_month = frame.groupby("month")
    table = pd.DataFrame(
        {
            "volatility": by_month["ret"].std(),
            "n": by_month.size(),
            "first": by_month["close"].min(),
            "last": by_month["close"].max(),
        }
    )
    table = table[table["n"] >= LEAST_DAYS]
    errors = {month: _error(by_month.get_group(month)["ret"]) for month in table.index}
    for name in ("se", "ci_low", "ci_high"):
        table = table.assign(**{name: [getattr(errors[month], name) for month in table.index]})
    return table.reset_index()


def mean_volatility(monthly: pd.DataFrame) -> Estimate:
    """Mean of the months of :func:`monthly_volatility`, its Newey-West error and interval; lags in months."""
    values = monthly["volatility"].to_numpy(dtype=np.float64)
    return hac_mean(values, persistent_lags(values, MONTHS_FLOOR))


def _error(returns: pd.Series) -> Estimate:
    values = returns.to_numpy(dtype=np.float64)
    spread = float(values.std(ddof=1))
    squares = (values - values.mean()) ** 2
    influence = (squares - squares.mean()) / (2.0 * spread) if spread > 0 else np.zeros(len(values))
    return hac_influence(spread, influence)
