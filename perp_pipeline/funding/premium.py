"""Premium samples -> premiums of funding windows, with their standard errors: core_premium.

Binance samples its premium index every 5 seconds and averages a window with weights 1 to N, the last sample
the heaviest (venue's "Introduction to funding rates": N = 5,760 in 8 hours). Public are bars: of each only
the first and the last sample count here, the highest and lowest have no time. The samples between are put on
the straight line from one to the other, and the venue's weights then apply to all of them
(:func:`path_weights`). One close a bar with weights 1 to n is not the same rule: it dates a bar's premium to
the bar's end and so the whole window 20 minutes late (of 8 hours, at hourly bars), while the straight
line is exact wherever the premium moves evenly. docs/adr has the argument; the other ways to average are
kept as sampling variants in out_funding_audit and out_premium_precision.

The premium of a window is a weighted mean of n bars. As an estimate of the window's level it has the error of
the samples' scatter about the level, u, taken at the closes: with u stationary, of variance v and
autocorrelation rho at the distance of closes, Var(mean) = v w'Rw, R_ij = rho^|i-j|, w the bars' weights. What
the opens add is left out, so that the error is on the safe side. Deviations from a
window's own mean show too little of both: with M = I - 11'/n their sum of squares has expectation
v tr(MR), and their lag-one products v sum_i (MRM)_{i,i+1}. rho is the one at which the ratio of the two
equals that of a month of windows pooled; v follows from the window's own sum of squares.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import numpy.typing as npt
import pandas as pd

from perp_pipeline.contracts.premium import PREMIUM_INTERVALS
from perp_pipeline.sources.complete import times_of

Array = npt.NDArray[np.float64]

SAMPLE_SECONDS = 5
"""Seconds between Binance's samples of the premium index."""

MIN_SAMPLES = 3
MIN_WINDOWS = 20
"""Windows of a month from which on their autocorrelation is estimated."""

_RHOS = np.linspace(-0.5, 0.99, 299)
_COLUMNS = [
    "venue",
    "symbol",
    "window_end",
    "base",
    "window_hours",
    "premium_mean",
    "premium_last",
    "n_samples",
    "sampling_hours",
    "coverage",
    "se",
]


def core_premium(
    *,
    core_funding_payments: pd.DataFrame,
    raw_binance_premium: pd.DataFrame,
    raw_hyperliquid_funding: pd.DataFrame,
) -> pd.DataFrame:
    """Premiums of the windows that set the payments; see the contract of core_premium.

    A window ends when its rate becomes known and is as long as the payment's interval. Windows without a
    sample are left out; nothing is filled.
    """
    windows = funding_windows(core_funding_payments)
    parts = [_sampled(windows, raw_binance_premium), _printed(windows, raw_hyperliquid_funding)]
    found = pd.concat([part for part in parts if len(part)] or parts[:1], ignore_index=True)
    return found[_COLUMNS]


def funding_windows(payments: pd.DataFrame) -> pd.DataFrame:
    """The window that sets each payment.

    Args:
        payments: core_funding_payments.

    Returns:
        venue, symbol, base, window_start, window_end (UTC), window_hours, rate (fraction per payment).
    """
    length = pd.to_timedelta(payments["interval_hours"], unit="h").astype("timedelta64[us]")
    return pd.DataFrame(
        {
            "venue": payments["venue"],
            "symbol": payments["symbol"],
            "base": payments["base"],
            "window_start": payments["announced_at"] - length,
            "window_end": payments["announced_at"],
            "window_hours": payments["interval_hours"],
            "rate": payments["rate"],
        }
    )


def rising_weights(n: int) -> Array:
    """Weights 1 to n over their sum: the venue's time-weighted average, were these all its samples."""
    weights = np.arange(1.0, n + 1.0)
    return np.asarray(weights / weights.sum())


def path_weights(n: int, hours: float) -> tuple[Array, Array]:
    """Weights of the opens and of the closes of n bars in the venue's average of the window that they fill.

    With m samples a bar, sample j of bar k has the venue's weight (k - 1) m + j over the sum of all, and
    the value open + (close - open) (j - 1) / (m - 1). A bar's two weights add up to its samples'.

    Args:
        hours: length of a bar.

    Returns:
        (n,) each; all together they sum to one.

    >>> [weights.round(4).tolist() for weights in path_weights(2, 1.0)]
    [[0.0835, 0.3333], [0.1667, 0.4165]]
    """
    m = max(1, round(hours * 3600 / SAMPLE_SECONDS))
    before = m * np.arange(n, dtype=np.float64)
    total = n * m * (n * m + 1) / 2
    bars = (before * m + m * (m + 1) / 2) / total
    if m == 1:
        return np.zeros(n), bars
    # sum over j of (before + j) (j - 1) / (m - 1)
    closes = (before * m / 2 + m * (m + 1) / 3) / total
    return bars - closes, closes


def bar_weights(n: int, hours: float) -> Array:
    """Weight of each of n bars in the venue's average: (n,), summing to one."""
    first, last = path_weights(n, hours)
    return first + last


def path_average(opens: Array, closes: Array, hours: float) -> Array:
    """The venue's average over each row's bars, samples taken on the line from open to close.

    Args:
        opens, closes: (windows, n), in time order; the bars of a window so far make its average so far.
        hours: length of a bar.

    Returns:
        (windows,).
    """
    first, last = path_weights(opens.shape[1], hours)
    return np.asarray(opens @ first + closes @ last)


def finest_samples(raw_binance_premium: pd.DataFrame, windows: pd.DataFrame) -> pd.DataFrame:
    """Bars of the finest interval that falls into each window, with the window's row number.

    Args:
        raw_binance_premium: symbol, interval, open_time, open, close.
        windows: of Binance; symbol, window_start, window_end; those of a symbol do not overlap.

    Returns:
        window (row number in ``windows``), symbol, minutes (length of the bar), open_time, open, close,
        sorted by window and time.
    """
    bars = raw_binance_premium[["symbol", "interval", "open_time", "open", "close"]].copy()
    bars["minutes"] = bars.pop("interval").map(PREMIUM_INTERVALS).astype("int64")
    place = np.full(len(bars), -1, dtype=np.int64)
    for symbol, at in windows.groupby("symbol", observed=True).indices.items():
        own = np.flatnonzero((bars["symbol"] == symbol).to_numpy())
        order = at[np.argsort(windows["window_start"].to_numpy()[at])]
        starts, ends = times_of(windows["window_start"])[order], times_of(windows["window_end"])[order]
        opened = times_of(bars["open_time"])[own]
        closed = opened + bars["minutes"].to_numpy()[own] * 60_000_000
        row = np.searchsorted(starts, opened, side="right") - 1
        inside = (row >= 0) & (closed <= ends[np.maximum(row, 0)])
        place[own[inside]] = order[row[inside]]
    bars["window"] = place
    bars = bars[bars["window"] >= 0]
    finest = bars.groupby("window", sort=False)["minutes"].transform("min")
    chosen = bars[bars["minutes"] == finest]
    return chosen.sort_values(["window", "open_time"], ignore_index=True)


def _sampled(windows: pd.DataFrame, raw: pd.DataFrame) -> pd.DataFrame:
    windows = windows[windows["venue"] == "binance"].reset_index(drop=True)
    samples = finest_samples(raw, windows)
    if samples.empty:
        return pd.DataFrame(columns=_COLUMNS)
    frames = []
    at = samples["window"].to_numpy()
    count = np.bincount(at, minlength=len(windows))
    minutes = np.zeros(len(windows), dtype=np.int64)
    minutes[at] = samples["minutes"].to_numpy()
    opens, closes = (samples[name].to_numpy(dtype=np.float64) for name in ("open", "close"))
    for n, length in sorted(set(zip(count[at].tolist(), minutes[at].tolist(), strict=True))):
        rows = np.flatnonzero((count == n) & (minutes == length))
        chosen = (count[at] == n) & (minutes[at] == length)
        first, last = opens[chosen].reshape(-1, n), closes[chosen].reshape(-1, n)
        hours = length / 60.0
        frame = windows.iloc[rows].reset_index(drop=True)
        frames.append(
            frame.assign(
                premium_mean=path_average(first, last, hours),
                premium_last=last[:, -1],
                n_samples=np.int32(n),
                sampling_hours=hours,
                coverage=n * hours / frame["window_hours"],
                se=_errors(last, frame, hours),
            )
        )
    return pd.concat(frames, ignore_index=True)


def _errors(values: Array, windows: pd.DataFrame, hours: float) -> Array:
    """Standard errors by symbol and month of the window's end, of bars of one length."""
    out = np.full(len(values), np.nan)
    month = windows["window_end"].dt.strftime("%Y-%m")
    weights = bar_weights(values.shape[1], hours)
    for at in windows.assign(month=month).groupby(["symbol", "month"], observed=True).indices.values():
        out[at] = window_errors(values[at], weights)
    return out


def window_errors(values: Array, weights: Array) -> Array:
    """Standard error of each window's weighted mean; see the module's text.

    Args:
        values: (windows, n) samples in time order, equally spaced.
        weights: (n,), summing to one.

    Returns:
        (windows,); NaN with fewer than 3 samples a window or 20 windows.
    """
    count, n = values.shape
    if n < MIN_SAMPLES or count < MIN_WINDOWS:
        return np.full(count, np.nan)
    rho = autocorrelation_within(values)
    kernel = correlation_matrix(rho, n)
    squares = ((values - values.mean(axis=1, keepdims=True)) ** 2).sum(axis=1)
    variance = squares / (np.trace(kernel) - kernel.sum() / n)
    return np.asarray(np.sqrt(variance * (weights @ kernel @ weights)))


def autocorrelation_within(values: Array) -> float:
    """First-order autocorrelation of samples about their windows' levels, corrected for estimated levels.

    Args:
        values: (windows, n) samples in time order, equally spaced; n of at least 3.

    Returns:
        a value from -0.5 to 0.99; 0 where samples do not vary.
    """
    products, squares = scatter_within(values)
    total = float(squares.sum())
    return unbiased_rho(float(products.sum()) / total, values.shape[1]) if total > 0.0 else 0.0


def scatter_within(values: Array) -> tuple[Array, Array]:
    """Lag-one products and squares of deviations from the window's mean, by window: (windows,) each."""
    away = values - values.mean(axis=1, keepdims=True)
    return (away[:, 1:] * away[:, :-1]).sum(axis=1), (away**2).sum(axis=1)


def unbiased_rho(seen: float, n: int) -> float:
    """The autocorrelation at which windows of n samples show, in expectation, the ratio ``seen``."""
    return float(np.interp(seen, _expected(n), _RHOS))


def correlation_matrix(rho: float, n: int) -> Array:
    """rho^|i-j|, (n, n)."""
    steps = np.arange(n)
    apart = np.abs(steps[:, None] - steps[None, :])
    return np.asarray(np.where(apart == 0, 1.0, np.float64(rho) ** apart))


@lru_cache(maxsize=16)
def _expected(n: int) -> Array:
    return np.array([_ratio(rho, n) for rho in _RHOS])


def _ratio(rho: float, n: int) -> float:
    """Lag-one products over squares of deviations from the mean of n samples, in expectation.

    (MRM)_ij = R_ij - r_i - r_j + r, with r_i the mean of row i and r that of all.
    """
    kernel = correlation_matrix(rho, n)
    rows = kernel.mean(axis=1)
    whole = float(rows.mean())
    squares = n - n * whole
    products = (n - 1) * (rho + whole) - float(rows[1:].sum() + rows[:-1].sum())
    return products / squares


def _printed(windows: pd.DataFrame, raw: pd.DataFrame) -> pd.DataFrame:
    """Windows whose average premium the venue prints beside the rate."""
    told = raw.loc[raw["premium"].notna(), ["symbol", "timestamp", "premium"]]
    told = told.assign(window_end=told["timestamp"].dt.round("h"))[["symbol", "window_end", "premium"]]
    own = windows[windows["venue"] == "hyperliquid"]
    rows = own.merge(told, on=["symbol", "window_end"], validate="one_to_one")
    return rows.assign(
        premium_mean=rows["premium"],
        premium_last=np.nan,
        n_samples=np.int32(1),
        sampling_hours=rows["window_hours"],
        coverage=1.0,
        se=np.nan,
    )
