"""Premium tables with known contents: planted maps, hourly bars, and a simulated market downloaded whole."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
from funding_frames import ar1

from perp_pipeline.theory.funding_map import FundingMap


def hourly_premium(windows: int, seed: int, mean: float = 0.0002, sd: float = 0.0006) -> np.ndarray:
    """(windows, 8) hourly premiums: a level that lasts, and noise of the hour."""
    noise = np.random.default_rng(seed + 1).normal(0.0, 0.00015, 8 * windows)
    return np.round(ar1(8 * windows, 0.98, seed, mean, sd) + noise, 8).reshape(-1, 8)


def opens_of(closes: np.ndarray) -> np.ndarray:
    """Opens of bars that each start where the one before closed; the first stands still."""
    values = closes.ravel()
    return np.concatenate([values[:1], values[:-1]]).reshape(closes.shape)


def bars(closes: np.ndarray, symbol: str = "BTCUSDT", first: str = "2023-06-01",
         opens: np.ndarray | None = None) -> pd.DataFrame:  # fmt: skip
    """raw_binance_premium at 1h from closes by window; a bar opens at the close before it."""
    values = closes.ravel()
    opened = pd.date_range(first, periods=len(values), freq="1h", tz="UTC", unit="us")
    return pd.DataFrame(
        {
            "symbol": symbol,
            "interval": "1h",
            "open_time": opened,
            "open": (opens_of(closes) if opens is None else opens).ravel(),
            "high": values + 1e-4,
            "low": values - 1e-4,
            "close": values,
        }
    )


def paid(rate: np.ndarray, venue: str = "binance", symbol: str = "BTCUSDT", hours: int = 8,
         first: str = "2023-06-01", ahead: int = 0) -> pd.DataFrame:  # fmt: skip
    """core_funding_payments whose first window begins at ``first``."""
    length = pd.Timedelta(hours, "h")
    ends = pd.date_range(first, periods=len(rate), freq=f"{hours}h", tz="UTC", unit="us") + length
    return pd.DataFrame(
        {
            "venue": venue,
            "symbol": symbol,
            "base": symbol[:3],
            "paid_at": ends + ahead * length,
            "announced_at": ends,
            "interval_hours": float(hours),
            "rate": rate,
        }
    )


def weighted(closes: np.ndarray, opens: np.ndarray | None = None, samples: int = 720) -> np.ndarray:
    """The venue's average by its definition: every sample of every bar, weights 1 to N."""
    first = opens_of(closes) if opens is None else opens
    path = np.concatenate(
        [np.linspace(first[:, k], closes[:, k], samples, axis=1) for k in range(closes.shape[1])], axis=1
    )
    weights = np.arange(1.0, path.shape[1] + 1)
    return path @ weights / weights.sum()


def rates(rule: FundingMap, premium: np.ndarray) -> np.ndarray:
    """What a venue would publish, to eight decimals."""
    return np.round(rule.rate_8h(premium), 8)


def no_hyperliquid() -> pd.DataFrame:
    """raw_hyperliquid_funding without rows."""
    return pd.DataFrame(
        {
            "symbol": pd.Series(dtype="str"),
            "timestamp": pd.Series(dtype="datetime64[us, UTC]"),
            "premium": pd.Series(dtype="float64"),
        }
    )


def simulated(folder: Path, first: str, last: str, seed: int) -> dict[str, pd.DataFrame]:
    """Raw tables of Binance from a simulated market, through the real sources."""
    from perp_pipeline.months import Span
    from perp_pipeline.simulation import open_market
    from perp_pipeline.sources.binance import BinanceFunding
    from perp_pipeline.sources.binance_premium import BinancePremium
    from perp_pipeline.sources.http import Http
    from perp_pipeline.sources.known_gaps import load_known_gaps
    from perp_pipeline.sources.store import BodyStore

    span = Span.parse(first, last)
    opened = open_market(seed, span)
    gaps = load_known_gaps()
    found = {}
    with Http(BodyStore(folder), transport=opened.transport, now=lambda: span.end) as http:
        for dataset in (BinanceFunding(opened.universe, gaps), BinancePremium(opened.universe, gaps)):
            rows = list(dataset.fetch(http, span, span.end))
            found[dataset.contract.name] = pd.concat(rows, ignore_index=True)
    return found
