"""Made-up dated futures beside a perpetual, in the form of the core tables."""

from __future__ import annotations

import numpy as np
import pandas as pd
from research_frames import UTC_US

EXPIRIES = ("2023-03-31 08:00", "2023-06-30 08:00")
FIRST = "2023-01-01 00:00"
SYMBOLS = ("BTCUSDT_230331", "BTCUSDT_230630")


def market(seed: int = 1, carry: float = 0.10) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    """core_delivery_futures, core_funding_8h and core_funding_daily of a path on which futures cost ``carry``
    a year and funding is 12 % a year with noise."""
    rng = np.random.default_rng(seed)
    moments = pd.date_range(FIRST, EXPIRIES[-1], freq="8h", tz="UTC").astype(UTC_US)
    spot = 20_000 * np.exp(np.cumsum(rng.normal(0, 0.01, len(moments))))
    perp = spot * (1 + rng.normal(0, 2e-4, len(moments)))
    rows = []
    for symbol, end in zip(SYMBOLS, EXPIRIES, strict=True):
        expiry = pd.Timestamp(end, tz="UTC")
        days = np.asarray((expiry - moments) / pd.Timedelta(days=1))
        with np.errstate(divide="ignore", invalid="ignore"):
            future = spot * (1 + carry * days / 365)
            rate = np.where(days > 0, (future / spot - 1) * 365 / days, np.nan)
        frame = pd.DataFrame(
            {
                "venue": "binance",
                "symbol": symbol,
                "bar_end": moments,
                "base": "BTC",
                "expiry": expiry.as_unit("us"),
                "close": future,
                "spot": spot,
                "perp_close": perp,
                "days_to_expiry": days,
                "rate_annual": rate,
            }
        )
        rows.append(frame[moments <= expiry])
        rows.append(last_day(rows[-1].iloc[-1], carry))
    funding = pd.DataFrame(
        {
            "venue": "binance",
            "symbol": "BTCUSDT",
            "base": "BTC",
            "window_end": moments,
            "rate_8h": 0.12 * 8 / 8760 + rng.normal(0, 2e-5, len(moments)),
            "n_payments": 1,
            "coverage": 1.0,
        }
    )
    funding["rate_annual"] = funding["rate_8h"] * 8760 / 8
    start = (funding["window_end"] - pd.Timedelta(hours=8)).dt.tz_localize(None)
    by_day = funding.groupby(start.dt.normalize())["rate_8h"].agg(["sum", "size"])
    whole = by_day[by_day["size"] == 3]
    daily = pd.DataFrame(
        {
            "venue": "binance",
            "symbol": "BTCUSDT",
            "base": "BTC",
            "day": whole.index.astype("datetime64[us]"),
            "rate_day": whole["sum"].to_numpy(),
            "rate_annual": whole["sum"].to_numpy() * 365,
            "n_payments": 3,
            "coverage": 1.0,
        }
    )
    return pd.concat(rows, ignore_index=True), funding, daily


def last_day(delivery: pd.Series, carry: float) -> pd.DataFrame:
    """The hours of a contract's last day that are not on the 8-hour grid, at the spot price of its delivery.

    The perpetual is 3 basis points above it.
    """
    hours = np.array([hour for hour in range(1, 24) if hour % 8])
    frame = pd.DataFrame([delivery] * len(hours)).reset_index(drop=True)
    frame["bar_end"] = (delivery["expiry"] - pd.to_timedelta(hours, "h")).astype(UTC_US)
    frame["days_to_expiry"] = hours / 24
    frame["close"] = delivery["spot"] * (1 + carry * hours / 24 / 365)
    frame["perp_close"] = delivery["spot"] * 1.0003
    return frame.assign(rate_annual=carry)


def reference(daily: pd.DataFrame, **series: float) -> pd.DataFrame:
    """core_reference_rates with constant series on the weekdays of a core_funding_daily table."""
    days = pd.DatetimeIndex(daily["day"])
    days = days[days.day_of_week < 5]
    frames = [
        pd.DataFrame({"series": name, "day": days, "rate_annual": rate}) for name, rate in series.items()
    ]
    return pd.concat(frames, ignore_index=True)
