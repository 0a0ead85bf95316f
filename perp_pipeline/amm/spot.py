"""Dollar prices of tokens from the exchanges' hourly bars."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from perp_pipeline.amm.minutes import micros

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
HOUR_US = 3_600_000_000
VENUES = ("binance", "bitstamp", "gemini", "coinbase", "kraken")
"""Whose bar is taken where several venues have the hour, best first; others after them by name. A venue that
has both tokens comes first: two would put the premium of a dollar token into their ratio."""
_STALE_HOURS = 12


@dataclass(frozen=True)
class Spot:
    """Hourly closes of one base asset.

    Attributes:
        ends: ends of the bars, epoch microseconds, ascending.
        closes: USD (or a dollar token, as the venue quotes).
    """

    ends: Ints
    closes: Floats

    def at(self, moments: Ints) -> Floats:
        """The last close at or before each moment; NaN where none is within twelve hours."""
        if not len(self.ends):
            return np.full(len(moments), np.nan)
        place = np.searchsorted(self.ends, moments, side="right") - 1
        found = self.closes[np.maximum(place, 0)]
        stale = (place < 0) | (moments - self.ends[np.maximum(place, 0)] > _STALE_HOURS * HOUR_US)
        return np.where(stale, np.nan, found)

    def between(self, moments: Ints) -> Floats:
        """The price at each moment, log-linear between the closes around it; a close itself at its bar's end.

        NaN where those are more than twelve hours apart, or where there is none on one side.
        """
        if not len(self.ends):
            return np.full(len(moments), np.nan)
        last = len(self.ends) - 1
        after = np.searchsorted(self.ends, moments, side="left")
        before = np.searchsorted(self.ends, moments, side="right") - 1
        unknown = (after > last) | (before < 0)
        after, before = np.minimum(after, last), np.maximum(before, 0)
        apart = self.ends[after] - self.ends[before]
        gone = (moments - self.ends[before]) / np.maximum(apart, 1)
        logs = np.log(self.closes)
        found = np.exp(logs[before] + gone * (logs[after] - logs[before]))
        return np.where(unknown | (apart > _STALE_HOURS * HOUR_US), np.nan, found)


def spot_by_base(core_spot_1h: pd.DataFrame) -> dict[str, Spot]:
    """Hourly closes of each base, from the best venue that has the hour."""
    if core_spot_1h.empty:
        return {}
    rank = core_spot_1h["venue"].map({venue: place for place, venue in enumerate(VENUES)}).fillna(len(VENUES))
    ordered = core_spot_1h.assign(_rank=rank).sort_values(["base", "bar_start", "_rank", "venue"])
    best = ordered.drop_duplicates(["base", "bar_start"])
    return {
        str(base): Spot(micros(rows["bar_start"]) + HOUR_US, rows["close"].to_numpy(dtype=np.float64))
        for base, rows in best.groupby("base", sort=True)
    }


def token_usd(tracks: str, spot: dict[str, Spot], moments: Ints, *, between: bool = False) -> Floats | None:
    """Dollar value of a token: 1 for a dollar token, the spot of what it tracks, None for neither.

    Args:
        between: interpolate between closes, in place of the last one.
    """
    if tracks == "USD":
        return np.ones(len(moments))
    if tracks not in spot:
        return None
    return spot[tracks].between(moments) if between else spot[tracks].at(moments)
