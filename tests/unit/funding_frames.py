"""Small core tables with known contents, for tests of what is computed from them."""

from __future__ import annotations

import numpy as np
import pandas as pd


def ar1(n: int, phi: float, seed: int, mean: float = 0.0, sd: float = 1.0) -> np.ndarray:
    """A persistent series with the given mean and unconditional standard deviation."""
    rng = np.random.default_rng(seed)
    x = np.empty(n)
    x[0] = rng.normal()
    for t in range(1, n):
        x[t] = phi * x[t - 1] + np.sqrt(1 - phi**2) * rng.normal()
    return mean + sd * x


def daily(
    venue: str, symbol: str, base: str, rates: np.ndarray, first: str = "2019-09-10", coverage: float = 1.0
) -> pd.DataFrame:
    """core_funding_daily of one contract from simple annual rates by day."""
    days = pd.date_range(first, periods=len(rates), freq="D", unit="us")
    return pd.DataFrame(
        {
            "venue": venue,
            "symbol": symbol,
            "day": days,
            "base": base,
            "rate_day": rates / 365.0,
            "rate_annual": rates,
            "n_payments": 3,
            "coverage": coverage,
        }
    )


def payments(
    venue: str, symbol: str, base: str, rates: np.ndarray, hours: int = 8, first: str = "2019-09-10"
) -> pd.DataFrame:
    """core_funding_payments of one contract from rates per payment."""
    starts = pd.date_range(first, periods=len(rates), freq=f"{hours}h", tz="UTC", unit="us")
    ends = starts + pd.Timedelta(hours, "h")
    return pd.DataFrame(
        {
            "venue": venue,
            "symbol": symbol,
            "paid_at": ends,
            "base": base,
            "accrual_start": starts,
            "accrual_end": ends,
            "announced_at": ends,
            "interval_hours": float(hours),
            "rate": rates,
            "rate_annual": rates * 8760 / hours,
        }
    )


def implied(rates: np.ndarray, first: str = "2019-09-10", product: str = "BTC") -> pd.DataFrame:
    """core_cme_implied on business days: calendar, and calendar_x12 that is a tenth higher."""
    days = pd.bdate_range(first, periods=len(rates), unit="us")
    parts = [
        pd.DataFrame({"product": product, "trade_date": days, "method": name, "rate_annual": rates * factor})
        for name, factor in (("calendar", 1.0), ("calendar_x12", 1.1))
    ]
    return pd.concat(parts, ignore_index=True)
