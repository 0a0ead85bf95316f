"""Funding windows with their premium samples and the rate that was paid: what precision and audit share."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import pandas as pd

from perp_pipeline.funding.premium import finest_samples, funding_windows, path_average, rising_weights
from perp_pipeline.research.other_lags import other_lags
from perp_pipeline.research.periods import standard_periods
from perp_pipeline.research.series import bounds
from perp_pipeline.research.shares import hac_share
from perp_pipeline.research.statistics import Array, Estimate, hac_mean, persistent_lags
from perp_pipeline.theory.funding_map import ERAS, FundingMap

MIN_WINDOWS = 60
"""Windows of a period from which on anything is estimated."""

HOURS_LEFT = (7, 6, 5, 4, 3, 2, 1, 0)
"""Hours before a payment at which the window so far is looked at, where bars fall on them."""

_LAG_DAYS = 30


@dataclass(frozen=True)
class Windows:
    """Complete windows of one contract, in time order.

    Attributes:
        ends: naive UTC.
        hours: length of the windows, all equal but where the venue printed the average itself.
        rate: fraction per payment, as published.
        mean: average premium (core_premium), fraction of the index.
        se: its standard error; NaN where unknown.
        opens, closes: (windows, n) first and last sample of each bar; n is 0 where the venue printed the
            average itself.
        sampling_hours: length of the bars in hours, or the median length of the windows.
        lags: bandwidth of the errors where it is not the values' own; see :func:`month_lags`.
    """

    venue: str
    symbol: str
    base: str
    ends: npt.NDArray[np.datetime64]
    hours: Array
    rate: Array
    mean: Array
    se: Array
    opens: Array
    closes: Array
    sampling_hours: float
    lags: int | None = None

    def __len__(self) -> int:
        return len(self.ends)

    @property
    def sampled(self) -> bool:
        """There are samples, not the venue's average alone."""
        return self.closes.size > 0

    @property
    def rate_8h(self) -> Array:
        """Rate per 8 hours."""
        return np.asarray(self.rate * 8.0 / self.hours)

    def part(self, where: slice) -> Windows:
        """Some of the windows."""
        arrays = {
            name: getattr(self, name)[where]
            for name in ("ends", "hours", "rate", "mean", "se", "opens", "closes")
        }
        return replace(self, **arrays)

    def periods(self, asked: Iterable[str]) -> Iterator[tuple[str, Windows]]:
        """The standard periods and those asked for, with the windows of each, where they are enough."""
        first, last = pd.Timestamp(self.ends[0]), pd.Timestamp(self.ends[-1])
        for period in standard_periods(first, last, tuple(asked)):
            part = self.part(bounds(self.ends, period))
            if len(part) >= MIN_WINDOWS:
                yield period, part

    def other_lags(self, period: str) -> Iterator[Windows]:
        """The same windows with each of the other bandwidths that a period of them allows."""
        per_day = 24.0 / float(np.median(self.hours))
        for lags in other_lags(len(self), per_day, period):
            yield replace(self, lags=lags)

    def coarser(self, step: int) -> Array:
        """Average premium of each window from bars ``step`` times as long."""
        opens, closes = self.opens[:, ::step], self.closes[:, step - 1 :: step]
        return path_average(opens, closes, step * self.sampling_hours)

    def so_far(self, hours_left: float) -> tuple[Array, Array] | None:
        """Average premium of the window so far, by the venue's weights on it, and its last sample.

        None where no bar ends then, or none has.
        """
        seen = self.closes.shape[1] - hours_left / self.sampling_hours
        count = round(seen)
        if count < 1 or abs(seen - count) > 1e-9:
            return None
        opens, closes = self.opens[:, :count], self.closes[:, :count]
        return path_average(opens, closes, self.sampling_hours), closes[:, -1]

    def rules(self) -> list[tuple[np.datetime64, FundingMap, slice]]:
        """The venue's published maps: from when on, the map, and the windows it was in force for.

        Empty for venues without one.
        """
        eras = ERAS.get(self.venue, ())
        starts = np.array([start for start, _ in eras], dtype="datetime64[us]")
        edges = [*np.searchsorted(self.ends, starts).tolist(), len(self)]
        spans = zip(eras, edges[:-1], edges[1:], strict=True)
        return [
            (np.datetime64(start), rule, slice(first, last))
            for (start, rule), first, last in spans
            if first < last
        ]

    def paid_for(self, premium: Array) -> Array:
        """Rates (fraction per payment) that the published maps give for premiums; NaN without a map."""
        rates = np.full(len(self), np.nan)
        for _, rule, where in self.rules():
            rates[where] = rule.rate_8h(premium[where]) * self.hours[where] / 8.0
        return rates

    def default(self) -> Array:
        """The rate of the flat zone, fraction per payment; NaN without a map."""
        rates = np.full(len(self), np.nan)
        for _, rule, where in self.rules():
            rates[where] = rule.interest * self.hours[where] / 8.0
        return rates

    @property
    def digit(self) -> Array:
        """One of the last decimal that the venue prints in the month of each window: of the eighth, or up to
        the twelfth where a rate has more."""
        months = self.ends.astype("datetime64[M]")
        found = np.full(len(self), 1e-8)
        for month in np.unique(months):
            own = months == month
            rate = self.rate[own]
            enough = [d for d in range(8, 12) if np.abs(np.round(rate, d) - rate).max() < 1e-14]
            found[own] = 10.0 ** -(enough[0] if enough else 12)
        return found


def premium_windows(
    core_premium: pd.DataFrame, core_funding_payments: pd.DataFrame, raw_binance_premium: pd.DataFrame
) -> Iterator[Windows]:
    """Each contract's windows whose premium is fully known; windows of other than the usual sampling are left
    out."""
    paid = funding_windows(core_funding_payments)
    keys = ["venue", "symbol", "window_end"]
    known = core_premium[core_premium["coverage"] >= 1.0 - 1e-9]
    rows = known.merge(paid[[*keys, "window_start", "rate"]], on=keys, validate="one_to_one")
    for (venue, symbol), own in rows.groupby(["venue", "symbol"], observed=True, sort=True):
        own = own.sort_values("window_end", ignore_index=True)
        raw = raw_binance_premium[raw_binance_premium["symbol"] == symbol]
        opens = closes = np.empty((len(own), 0))
        if venue == "binance":
            usual = own.groupby(["window_hours", "n_samples"]).size().idxmax()
            same = (own["window_hours"] == usual[0]) & (own["n_samples"] == usual[1])
            own = own[same].reset_index(drop=True)
            samples = finest_samples(raw, own)
            shape = (len(own), int(usual[1]))
            opens = samples["open"].to_numpy(dtype=np.float64).reshape(shape)
            closes = samples["close"].to_numpy(dtype=np.float64).reshape(shape)
        ends = own["window_end"].dt.tz_convert("UTC").dt.tz_localize(None).to_numpy()
        arrays = {
            name: own[column].to_numpy(dtype=np.float64)
            for name, column in (
                ("hours", "window_hours"),
                ("rate", "rate"),
                ("mean", "premium_mean"),
                ("se", "se"),
            )
        }
        yield Windows(
            venue=str(venue),
            symbol=str(symbol),
            base=str(own["base"].iloc[0]),
            ends=ends,
            opens=opens,
            closes=closes,
            sampling_hours=float(own["sampling_hours"].median()),
            **arrays,
        )


def every(samples: Array, step: int) -> Array:
    """Weighted mean (1 to n) of every step-th sample of each window, the last one included."""
    chosen = samples[:, step - 1 :: step]
    return np.asarray(chosen @ rising_weights(chosen.shape[1]))


def month_lags(windows: Windows, values: Array, hours: float | None = None) -> int:
    """Bartlett lags: a month of windows at least, more where the values' persistence asks for it.

    At most a third of the values where the windows come with a bandwidth of their own. Lags count values:
    where some windows are left out (those in the flat zone), 90 of those that remain are more than a month.

    Args:
        hours: between values, where they are not the windows'.
    """
    if windows.lags is not None:
        return min(windows.lags, len(values) // 3)
    month = round(_LAG_DAYS * 24 / (hours or float(np.median(windows.hours))))
    return max(persistent_lags(values), min(month, len(values) // 3))


def mean_over(windows: Windows, values: Array) -> Estimate:
    """Mean over windows with its HAC error."""
    return hac_mean(values, month_lags(windows, values))


def share_over(windows: Windows, values: Array) -> Estimate:
    """The same of shares, with an interval inside 0..1."""
    return hac_share(values, month_lags(windows, values))


def transformed(found: Estimate, to: Callable[[float], float]) -> Estimate:
    """A smooth function of an estimate, by the delta method (numerical slope)."""
    step = 1e-4 * max(abs(found.estimate), found.se if np.isfinite(found.se) else 0.0, 1e-12)
    slope = abs(to(found.estimate + step) - to(found.estimate - step)) / (2.0 * step)
    value = to(found.estimate)
    reach = slope * (found.ci_high - found.estimate)
    return Estimate(value, slope * found.se, value - reach, value + reach, found.n, found.hac_lags)
