"""How far prices jump from one trade to the next (claim 29)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
import pandas as pd

from perp_pipeline.research.periods import standard_periods
from perp_pipeline.research.series import bounds, utc
from perp_pipeline.research.sides import standard_deviation

MIN_TRADES = 60


def trade_rows(raw_trades: pd.DataFrame, extra: Iterable[str] = ()) -> Iterator[dict[str, Any]]:
    """Rows ``trade_sd`` of out_premium_precision: standard deviation of log price from trade to trade.

    Args:
        raw_trades: trades of any venues.
        extra: periods wanted beside the standard ones.
    """
    for (venue, base, symbol), own in raw_trades.groupby(["venue", "base", "symbol"], observed=True):
        own = own.sort_values(["time", "place"])
        times = own["time"].dt.tz_convert("UTC").dt.tz_localize(None).to_numpy()[1:]
        jumps = np.diff(np.log(own["price"].to_numpy(dtype=np.float64)))
        if len(jumps) < MIN_TRADES:
            continue
        for period in standard_periods(pd.Timestamp(times[0]), pd.Timestamp(times[-1]), extra):
            span = bounds(times, period)
            if span.stop - span.start >= MIN_TRADES:
                yield {
                    "venue": venue,
                    "base": base,
                    "symbol": symbol,
                    "quantity": "trade_sd",
                    "period": period,
                    "sampling_hours": 0.0,
                    "window_start": utc(times[span][0]),
                    "window_end": utc(times[span][-1]),
                    **vars(standard_deviation(jumps[span])),
                }
