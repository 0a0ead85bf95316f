"""Small core tables for tests of the estimators, with the columns that the contracts declare."""

from __future__ import annotations

import numpy as np
import pandas as pd

UTC_US = "datetime64[us, UTC]"


def ar1(n: int, phi: float, rng: np.random.Generator, sd: float = 1.0) -> np.ndarray:
    """Stationary AR(1) of unit innovations times sd."""
    x = rng.normal(size=n)
    x[0] /= (1 - phi**2) ** 0.5
    for t in range(1, n):
        x[t] += phi * x[t - 1]
    return sd * x


def payments(
    rates: np.ndarray,
    first: str = "2020-01-01T08:00",
    *,
    venue: str = "binance",
    symbol: str = "BTCUSDT",
    base: str = "BTC",
    hours: float = 8.0,
    lead_hours: float = 0.0,
    contract_type: str = "linear",
    margin_asset: str = "USDT",
) -> pd.DataFrame:
    """core_funding_payments of one symbol: rates a payment, one every ``hours`` from ``first``."""
    paid = pd.Series(
        pd.date_range(first, periods=len(rates), freq=pd.Timedelta(hours, "h"), tz="UTC").astype(UTC_US)
    )
    return pd.DataFrame(
        {
            "venue": venue,
            "symbol": symbol,
            "paid_at": paid,
            "base": base,
            "contract_type": contract_type,
            "margin_asset": margin_asset,
            "accrual_start": paid - pd.Timedelta(hours, "h"),
            "accrual_end": paid,
            "announced_at": paid - pd.Timedelta(lead_hours, "h"),
            "interval_hours": hours,
            "rate": rates,
            "rate_annual": rates * 8760 / hours,
            "perp_price": np.nan,
            "source": "test",
        }
    )


def daily(payments: pd.DataFrame) -> pd.DataFrame:
    """core_funding_daily of payments whose windows do not cross midnight."""
    day = payments["accrual_start"].dt.tz_localize(None).dt.normalize()
    table = payments.assign(day=day).groupby(["venue", "symbol", "base", "day"], as_index=False)
    out = table.agg(rate_day=("rate", "sum"), hours=("interval_hours", "sum"), n_payments=("rate", "size"))
    out["coverage"] = out["hours"] / 24
    out["rate_annual"] = out["rate_day"] * 365 / out["coverage"]
    return out


def grid_8h(payments: pd.DataFrame) -> pd.DataFrame:
    """core_funding_8h of 8-hour payments on the 00/08/16 grid."""
    out = payments[["venue", "symbol", "base", "rate_annual"]].copy()
    out["window_end"] = payments["paid_at"]
    out["rate_8h"] = payments["rate"]
    return out.assign(n_payments=1, coverage=1.0)


def returns_8h(base: str, closes: np.ndarray, first: str = "2020-01-01") -> pd.DataFrame:
    """core_returns_8h of one base: closes at ``first`` and every 8 hours after."""
    ends = pd.date_range(first, periods=len(closes), freq="8h", tz="UTC").astype(UTC_US)
    change = np.concatenate([[np.nan], closes[1:] / closes[:-1] - 1])
    return pd.DataFrame(
        {"base": base, "window_end": ends, "close": closes, "ret_8h": change, "source_venue": "binance"}
    )


def from_midnights(base: str, prices: np.ndarray, first: str = "2020-01-01") -> pd.DataFrame:
    """core_returns_8h whose closes at 00:00 UTC are ``prices`` (constant steps between)."""
    rows = returns_8h(base, np.repeat(prices, 3).astype(float), first)
    return rows.iloc[: 3 * len(prices) - 2]


def spot_1h(base: str, closes: np.ndarray, first: str = "2020-01-01", venue: str = "binance") -> pd.DataFrame:
    """core_spot_1h: bars from ``first``, each closing at the given price."""
    start = pd.date_range(first, periods=len(closes), freq="h", tz="UTC").astype(UTC_US)
    table = pd.DataFrame({"venue": venue, "base": base, "bar_start": start, "quote": "USDT"})
    for column in ("open", "high", "low", "close"):
        table[column] = closes
    return table.assign(volume_base=1.0)


NO_IMPLIED = pd.DataFrame(
    {
        "product": pd.Series(dtype="str"),
        "trade_date": pd.Series(dtype="datetime64[us]"),
        "method": pd.Series(dtype="str"),
        "rate_annual": pd.Series(dtype="float64"),
    }
)
NO_CURVE = pd.DataFrame(
    {
        "product": pd.Series(dtype="str"),
        "trade_date": pd.Series(dtype="datetime64[us]"),
        "rank": pd.Series(dtype="int32"),
        "spot_at_settle": pd.Series(dtype="float64"),
    }
)


def failed_checks(contract: object, frame: pd.DataFrame) -> dict[str, int]:
    """Rows that fail each check of a contract, by the check's name; and repeated keys, missing columns."""
    table = frame.sort_values(list(contract.key), ignore_index=True)
    failed = {
        check.name: int((~check.passes(table)).sum())
        for check in contract.checks
        if check.severity == "error"
    }
    failed["repeated_key"] = int(table.duplicated(list(contract.key)).sum())
    failed["columns"] = len(set(contract.schema.names) ^ set(table.columns))
    for column in contract.columns:
        if column.values:
            failed[column.name] = int((~table[column.name].isin(column.values)).sum())
        if not column.nullable:
            failed[f"{column.name}_null"] = int(table[column.name].isna().sum())
    return {name: count for name, count in failed.items() if count}
