"""Result frames of known numbers, for the tests of figures and report."""

from __future__ import annotations

import math

import pandas as pd

SERIES = (
    ("binance", "BTCUSDT", "funding", "BTC", 0.142),
    ("bitmex", "XBTUSD", "funding", "BTC", 0.051),
    ("cme", "BTC", "calendar_x12", "BTC", 0.043),
    ("cme", "BTC", "calendar", "BTC", 0.041),
    ("binance", "ETHUSDT", "funding", "ETH", 0.17),
    ("bitmex", "ETHUSD", "funding", "ETH", -0.02),
)
PERIOD = "2019-09..2022-06"
MONTHS = [str(month) for month in pd.period_range("2019-09", "2022-06", freq="M")]


def _estimates(mean: float, days: int = 1025) -> dict[str, object]:
    return {
        "estimate": mean,
        "se": 0.01,
        "ci_low": mean - 0.03,
        "ci_high": mean + 0.03,
        "n": days,
        "window_start": pd.Timestamp("2019-09-10", tz="UTC"),
        "window_end": pd.Timestamp("2022-06-30", tz="UTC"),
        "hac_lags": 42,
        "share_negative": 0.1,
        "share_default": math.nan,
        "skew": 1.5,
        "coverage": 1.0,
    }


def averages() -> pd.DataFrame:
    """out_funding_averages with two periods."""
    rows = [
        {"venue": v, "symbol": s, "method": m, "period": period, "base": b} | _estimates(mean + shift)
        for v, s, m, b, mean in SERIES
        for period, shift in ((PERIOD, 0.0), ("all", 0.5))
    ]
    return pd.DataFrame(rows)


def monthly() -> pd.DataFrame:
    """out_funding_monthly: each series rises by a point a month from its mean."""
    rows = [
        {"venue": v, "symbol": s, "method": m, "month": month, "base": b} | _estimates(mean + 0.01 * k, 30)
        for v, s, m, b, mean in SERIES
        for k, month in enumerate(MONTHS)
    ]
    return pd.DataFrame(rows)


def spreads() -> pd.DataFrame:
    """out_venue_spreads: Binance against BitMEX and two CME methods, BTC."""
    rows = [
        {
            "venue_a": "binance",
            "venue_b": venue,
            "base": "BTC",
            "period": PERIOD,
            "symbol_a": "BTCUSDT",
            "symbol_b": symbol,
            "method_a": "funding",
            "method_b": method,
            "headline": headline,
            "correlation": 0.8,
            "gap_p95": 0.4,
            "gap_mean": 0.12,
        }
        | _estimates(mean)
        for venue, symbol, method, headline, mean in (
            ("bitmex", "XBTUSD", "funding", True, 0.091),
            ("bitmex", "XBTUSDT", "funding", False, 0.5),
            ("cme", "BTC", "calendar_x12", True, 0.099),
            ("cme", "BTC", "calendar", False, 0.101),
        )
    ]
    return pd.DataFrame(rows)


def monthly_spreads() -> pd.DataFrame:
    """out_venue_spreads_monthly: Binance 9.1 points above BitMEX in BTC; BitMEX 19 below Binance in ETH."""
    pairs = (
        ("binance", "BTCUSDT", "bitmex", "XBTUSD", "funding", "BTC", 0.091),
        ("binance", "BTCUSDT", "cme", "BTC", "calendar_x12", "BTC", 0.099),
        ("bitmex", "ETHUSD", "binance", "ETHUSDT", "funding", "ETH", -0.19),
    )
    return pd.DataFrame(
        {"venue_a": a, "venue_b": b, "base": base, "month": month, "symbol_a": x, "symbol_b": y}
        | {"method_a": "funding", "method_b": method}
        | _estimates(mean, 30)
        for a, x, b, y, method, base, mean in pairs
        for month in MONTHS
    )


def claims() -> pd.DataFrame:
    """out_claims: three claims, one without data, one whose text would be markup."""
    start, end = pd.Timestamp("2019-09-10", tz="UTC"), pd.Timestamp("2022-06-30", tz="UTC")
    columns = (
        *("claim_id", "source", "statement", "published", "unit", "estimate", "se", "ci_low", "ci_high"),
        *("n", "window_start", "window_end", "verdict", "decided_by", "table", "reason"),
    )
    nan = math.nan
    yearly = "fraction a year"
    rows: list[tuple[object, ...]] = [
        (1, "B", "Binance is dearer", "10 points", yearly, 0.091, 0.01, 0.07, 0.112, 1025, start, end,
         "holds", "the other number", "out_venue_spreads", "Inside."),
        (3, "B", "<script>alert(1)</script>", "10.95 %", yearly, 0.1095, 0.0, 0.1095, 0.1095, 0, pd.NaT,
         pd.NaT, "arithmetic", "", "theory.rates", "0.0001 * 3 * 365 & no more"),
        (46, "A", "Pool profit", "-0.48 bp", "bp of volume", nan, nan, nan, nan, 0, pd.NaT, pd.NaT,
         "no data", "", "out_amm_profit_per_volume", "Missing: swaps."),
    ]  # fmt: skip
    return pd.DataFrame(rows, columns=list(columns))


def every() -> dict[str, pd.DataFrame]:
    """All of them by table name."""
    return {
        "out_funding_averages": averages(),
        "out_funding_monthly": monthly(),
        "out_venue_spreads": spreads(),
        "out_venue_spreads_monthly": monthly_spreads(),
        "out_claims": claims(),
    }
