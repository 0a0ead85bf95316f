"""What a quanto perpetual earns and what funding takes back: out_quanto (claims 34 to 40).

BitMEX ETHUSD pays in bitcoin, 1e-6 XBT per dollar, so its dollar return is ``rE (1 + rB)`` and its mean
exceeds the asset's by ``E[rE rB]``: the covariance (divisor n) plus the product of the means, reported apart.

``frequency`` is ``8h`` or ``daily`` on spot prices; ``8h_perp`` or ``daily_perp`` on the venue's own traded
prices (for ``8h_perp`` bitcoin is at spot where the venue's is missing); ``8h_paid`` on its price at each
payment, so that the return of a window and its funding cover the same hours. Positions are rebalanced at the
frequency. Means and variances are a year's (1095 or 365 periods), arithmetic; quantities ending in ``_log``
are those of log returns. The product of the means has the interval of :mod:`perp_pipeline.research.products`.
With ``_lags360`` behind it: a quantity that claims judge with another bandwidth, in windows.
One period more than the usual holds the full months that all price sources cover, so that they can be
compared over the same days.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd

from perp_pipeline.contracts.positions import QUANTO_JUDGED
from perp_pipeline.research.daily import main_symbols
from perp_pipeline.research.other_lags import lag_key, other_lags
from perp_pipeline.research.periods import standard_periods
from perp_pipeline.research.products import hac_product, product_of_means
from perp_pipeline.research.quanto_prices import Prices, paid_prices, spot_prices, traded_prices
from perp_pipeline.research.series import COMPLETE, bounds, utc
from perp_pipeline.research.statistics import (
    Array,
    Estimate,
    correlation_influence,
    hac_influence,
    persistent_lags,
)
from perp_pipeline.steps import DROPPED_COLUMNS, Built
from perp_pipeline.theory.quanto import dollar_return

PERIODS_A_YEAR = {"8h": 1095.0, "daily": 365.0}
FREQUENCIES = {
    "8h": "8-hour spot prices",
    "8h_perp": "8-hour trades of the venue",
    "8h_paid": "8-hour prices at the payments",
    "daily": "daily spot prices",
    "daily_perp": "daily trades of the venue",
}
"""Window length and prices, in words."""

C19_WINDOW = "2017-06..2019-03"
"""From June 2017 to the last full month before the April 2019 post."""

HEADLINE = "8h"
"""The frequency that claims are judged on: windows that funding is paid for, on spot prices."""
MIN_ROWS = 90
_LAG_DAYS = 30
_SHARED_MONTHS = 12

COLUMNS = [
    "symbol",
    "frequency",
    "quantity",
    "period",
    "venue",
    "base",
    "estimate",
    "se",
    "ci_low",
    "ci_high",
    "n",
    "window_start",
    "window_end",
    "hac_lags",
    "n_kept_out",
]


def out_quanto(
    *,
    core_funding_payments: pd.DataFrame,
    core_funding_8h: pd.DataFrame,
    core_funding_daily: pd.DataFrame,
    core_returns_8h: pd.DataFrame,
    raw_bitmex_bucketed: pd.DataFrame | None = None,
    periods: Iterable[str] = (),
) -> Built:
    """Returns, covariances, volatilities and funding of quanto contracts whose asset has prices.

    Prices that are zero or negative, or that stand still, do not enter: they are named in ``dropped`` and
    counted in ``n_kept_out``.

    Args:
        raw_bitmex_bucketed: traded prices of the venue; without it the ``_perp`` frequencies are missing.
        periods: periods wanted beside the standard ones.
    """
    rows: list[dict[str, Any]] = []
    dropped: list[pd.DataFrame] = []
    extra = (C19_WINDOW, *periods)
    spot = {
        (str(base), frequency): spot_prices(core_returns_8h, str(base), frequency)
        for base in core_returns_8h["base"].unique()
        for frequency in PERIODS_A_YEAR
    }
    dropped += [prices.dropped for (_, frequency), prices in spot.items() if frequency == "8h"]
    contracts = core_funding_payments[core_funding_payments["contract_type"] == "quanto"]
    for (venue, symbol), payments in contracts.groupby(["venue", "symbol"], observed=True):
        base = str(payments["base"].iloc[0])
        margin = str(payments["margin_asset"].iloc[0]).replace("XBT", "BTC")
        if (base, "8h") not in spot or (margin, "8h") not in spot:
            continue
        about = {"venue": venue, "symbol": symbol, "base": base}
        funding = {
            "8h": _funding(core_funding_8h, venue, symbol, "window_end"),
            "daily": _funding(core_funding_daily, venue, symbol, "day"),
        }
        sets = [
            (frequency, frequency, spot[base, frequency], spot[margin, frequency])
            for frequency in PERIODS_A_YEAR
        ]
        own, coin = paid_prices(payments), paid_prices(_inverse(core_funding_payments, venue, margin))
        if not (own.close.empty or coin.close.empty):
            dropped += [own.dropped, coin.dropped]
            sets.append(("8h", "8h_paid", own, coin))
            stamps = payments["paid_at"].dt.tz_convert("UTC").dt.tz_localize(None)
            funding["8h_paid"] = pd.Series(payments["rate_annual"].to_numpy(), pd.DatetimeIndex(stamps))
        if raw_bitmex_bucketed is not None and venue == "bitmex":
            for frequency, bar in (("8h", "1h"), ("daily", "1d")):
                own = traded_prices(raw_bitmex_bucketed, str(symbol), bar, frequency)
                coin = traded_prices(raw_bitmex_bucketed, "XBTUSD", bar, frequency)
                dropped += [own.dropped] if coin.close.empty else [own.dropped, coin.dropped]
                sets.append(
                    (
                        frequency,
                        f"{frequency}_perp",
                        own,
                        spot[margin, frequency] if coin.close.empty else coin,
                    )
                )
        sets = [priced for priced in sets if not priced[2].close.empty]
        shared = shared_months([prices.close for *_, asset, coin in sets for prices in (asset, coin)])
        for frequency, name, asset, coin in sets:
            rows += [
                about | {"frequency": name} | row
                for row in _quantities(
                    asset,
                    coin,
                    funding.get(name, funding[frequency]),
                    frequency,
                    (*extra, *shared),
                    QUANTO_JUDGED if name == HEADLINE else (),
                )
            ]
    rows += _margin_spreads(core_funding_payments, core_funding_8h, core_funding_daily, extra)
    named = [part for part in dropped if len(part)]
    out = pd.concat(named)[list(DROPPED_COLUMNS)] if named else pd.DataFrame(columns=list(DROPPED_COLUMNS))
    return Built(pd.DataFrame(rows, columns=COLUMNS), out.drop_duplicates(ignore_index=True))


def shared_months(series: Iterable[pd.Series]) -> tuple[str, ...]:
    """The period of full months that all price series cover; none if it is shorter than a year.

    Args:
        series: by naive UTC time, ascending.
    """
    known = [prices.dropna().index for prices in series]
    if not known or any(times.empty for times in known):
        return ()
    day = pd.Timedelta(1, "D")
    first = max(times[0] for times in known).normalize() + day
    last = min(times[-1] for times in known).normalize() - day
    months = pd.period_range(first, last, freq="M")
    months = months[(months.start_time >= first) & (months.end_time <= last + day)]
    return (f"{months[0]}..{months[-1]}",) if len(months) >= _SHARED_MONTHS else ()


def _inverse(payments: pd.DataFrame, venue: str, base: str) -> pd.DataFrame:
    """Payments of the venue's inverse contract on ``base``: the one with the longest history."""
    rows = payments[
        (payments["venue"] == venue) & (payments["base"] == base) & (payments["contract_type"] == "inverse")
    ]
    return rows[rows["symbol"].isin(main_symbols(rows)["symbol"])]


def _funding(table: pd.DataFrame, venue: str, symbol: str, time: str) -> pd.Series:
    """Simple annual funding by the end of its window (naive UTC); uncovered windows are absent."""
    rows = table[(table["venue"] == venue) & (table["symbol"] == symbol) & (table["coverage"] >= COMPLETE)]
    stamps = (
        rows["day"] + pd.Timedelta(1, "D")
        if time == "day"
        else rows[time].dt.tz_convert("UTC").dt.tz_localize(None)
    )
    return pd.Series(rows["rate_annual"].to_numpy(dtype=np.float64), pd.DatetimeIndex(stamps))


def _quantities(
    asset: Prices,
    margin: Prices,
    funding: pd.Series,
    frequency: str,
    extra: Iterable[str],
    judged: Collection[str],
) -> Iterator[dict[str, Any]]:
    per_year = PERIODS_A_YEAR[frequency]
    r_asset = asset.close / asset.close.shift(1) - 1.0
    r_margin = (margin.close / margin.close.shift(1) - 1.0).reindex(r_asset.index)
    both = r_asset.notna() & r_margin.notna()
    if not both.any():
        return
    times = r_asset.index[both]
    e, b = r_asset[both].to_numpy(), r_margin[both].to_numpy()
    f = funding.reindex(times).to_numpy()
    # A window belongs to the period it starts in, like the payment of 00:00 to the day before.
    starts = (times - pd.Timedelta(24 * 365 / per_year, "h")).to_numpy()
    bad = np.concatenate([part.dropped["time"].to_numpy() for part in (asset, margin)])
    for period in standard_periods(pd.Timestamp(starts[0]), pd.Timestamp(starts[-1]), extra):
        span = bounds(starts, period)
        kept_out = len(np.sort(bad)[bounds(np.sort(bad), period)])
        for quantity in _estimates(e[span], b[span], f[span], per_year):
            when = starts[span][quantity.rows]
            n = len(when)
            if n < MIN_ROWS:
                continue
            lags = {quantity.name: _lags(quantity.influence, per_year / 365)}
            if quantity.name in judged:
                others = other_lags(n, per_year / 365)
                lags |= {lag_key(quantity.name, other): other for other in others}
            for name, own in lags.items():
                yield {
                    "quantity": name,
                    "period": period,
                    **vars(quantity.at(own)),
                    "window_start": utc(when[0]),
                    "window_end": utc(when[-1]),
                    "n_kept_out": kept_out,
                }


class _Quantity(NamedTuple):
    """A quantity a year: estimate, influence (n,), rows used; ``factors`` (n,) of a product of means."""

    name: str
    value: float
    influence: Array
    rows: npt.NDArray[np.bool_]
    factors: tuple[Array, Array] | None = None

    def at(self, lags: int) -> Estimate:
        """The estimate with its error by so many lags."""
        if self.factors is None:
            return hac_influence(self.value, self.influence, lags)
        return hac_product(*self.factors, lags)


def _estimates(e: Array, b: Array, f: Array, per_year: float) -> Iterator[_Quantity]:
    """Every quantity of returns ``e`` of the asset and ``b`` of the margin coin, and funding ``f``."""
    every = np.ones(len(e), dtype=bool)
    if len(e) < MIN_ROWS or not (e.std() and b.std()):
        return
    perp = dollar_return(e, b)
    with np.errstate(invalid="ignore", divide="ignore"):
        logs = (np.log1p(e), np.log1p(b), np.log1p(perp))
    for suffix, (x, y, z) in {"": (e, b, perp), "_log": logs}.items():
        c = covariance(x, y)
        scaled = {
            "asset_return": mean(x),
            "perp_return": mean(z),
            "difference": mean(z - x),
            "covariance": c,
        }
        for name, (value, influence) in scaled.items():
            yield _Quantity(name + suffix, value * per_year, influence * per_year, every)
        factors = (x * per_year, y)
        yield _Quantity("product_of_means" + suffix, *product_of_means(*factors), every, factors)
        for name, series in (("vol_base", x), ("vol_margin", y)):
            value, influence = deviation(series)
            yield _Quantity(name + suffix, value * per_year**0.5, influence * per_year**0.5, every)
        yield _Quantity("corr" + suffix, *correlation_influence(x, y), every)
    known = np.isfinite(f)
    if known.sum() >= MIN_ROWS:
        rate = mean(f[known])
        value, influence = covariance(e[known], b[known])
        yield _Quantity("funding", *rate, known)
        yield _Quantity("net_funding", rate[0] - value * per_year, rate[1] - influence * per_year, known)


def _lags(influence: Array, per_day: float) -> int:
    """Bandwidth of an estimate: at least 30 days, and what its persistence asks for."""
    return max(persistent_lags(influence), min(round(_LAG_DAYS * per_day), len(influence) // 3))


def mean(x: Array) -> tuple[float, Array]:
    """Mean and influence."""
    value = float(x.mean())
    return value, x - value


def covariance(x: Array, y: Array) -> tuple[float, Array]:
    """Covariance (divisor n) and influence."""
    product = (x - x.mean()) * (y - y.mean())
    value = float(product.mean())
    return value, product - value


def deviation(x: Array) -> tuple[float, Array]:
    """Standard deviation (divisor n) and influence."""
    square = (x - x.mean()) ** 2
    value = float(square.mean()) ** 0.5
    return value, (square - value**2) / (2.0 * value)


def _margin_spreads(
    payments: pd.DataFrame, funding_8h: pd.DataFrame, funding_daily: pd.DataFrame, extra: Iterable[str]
) -> Iterator[dict[str, Any]]:
    """Linear minus inverse funding of one venue and base: quantity ``linear_minus_inverse`` (claim 40)."""
    tables = (("8h", funding_8h, "window_end"), ("daily", funding_daily, "day"))
    for venue in payments["venue"].unique():
        own = payments[payments["venue"] == venue]
        sides = {
            kind: main_symbols(own[own["contract_type"] == kind]).set_index("base")["symbol"]
            for kind in ("linear", "inverse")
        }
        for base, linear in sides["linear"].items():
            if base not in sides["inverse"].index:
                continue
            for frequency, table, time in tables:
                gap = (
                    _funding(table, venue, linear, time)
                    - _funding(table, venue, sides["inverse"][base], time)
                ).dropna()
                if gap.empty:
                    continue
                times = gap.index.to_numpy()
                for period in standard_periods(gap.index[0], gap.index[-1], extra):
                    x = gap.to_numpy()[bounds(times, period)]
                    if len(x) < MIN_ROWS:
                        continue
                    when = times[bounds(times, period)]
                    value, influence = mean(x)
                    lags = _lags(influence, PERIODS_A_YEAR[frequency] / 365)
                    yield {
                        "venue": venue,
                        "symbol": linear,
                        "base": base,
                        "frequency": frequency,
                        "quantity": "linear_minus_inverse",
                        "period": period,
                        **vars(hac_influence(value, influence, lags)),
                        "window_start": utc(when[0]),
                        "window_end": utc(when[-1]),
                        "n_kept_out": 0,
                    }
