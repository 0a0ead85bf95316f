"""Funding on same-day and prior returns: out_regressions (claims 12, 13, 16).

The equation is ``f(d) = a + b1 r(d) + b2 R(d-h..d-1) [+ c f(d-1)]`` with f the simple annual funding of day
d, r the simple return of the day and R the simple return of the h days before it: the windows do not overlap.
Covariances are Newey-West; :mod:`perp_pipeline.research.statistics` has the bandwidth and the intervals.

``spec`` is made of parts joined by underscores:

- ``h30``: length of the prior window in days (1, 3, 7, 30, 90);
- the day a rate belongs to: ``accrual`` (when it accrued), ``calendar`` (when it was paid), ``announced``
  (when it became known), or for CME ``settle-<method>`` (implied rate and spot at the settlement);
- ``lagged`` if f(d-1) is a regressor;
- ``std`` for effects of one standard deviation, in standard deviations, which are estimated too
  (:mod:`perp_pipeline.research.standardised`);
- ``lags120`` if the bandwidth is not the default.

The term ``prior_minus_same`` is b2 - b1 of the standardised effects; its t squared is the Wald statistic of
"prior stronger than same day".
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from perp_pipeline.research.daily import (
    accrual_funding,
    by_period,
    funding_by_day_of,
    main_symbols,
    midnight_prices,
)
from perp_pipeline.research.least_squares import OlsFit, ols_hac
from perp_pipeline.research.persistence_null import NULL_PERIODS, null_rows
from perp_pipeline.research.series import CME_BASES, utc
from perp_pipeline.research.standardised import standardised
from perp_pipeline.research.statistics import Array, critical_p

HORIZONS = (1, 3, 7, 30, 90)
HEADLINE_HORIZON = 30
OTHER_LAGS = (30, 60, 120, 250)
"""Bandwidths of the ``lags`` specs, which show whether the answer hangs on the default."""

MIN_DAYS = 90
SAME, PRIOR, LAGGED, DIFFERENCE = "same_day", "prior", "lagged_funding", "prior_minus_same"


def out_regressions(
    *,
    core_funding_daily: pd.DataFrame,
    core_funding_payments: pd.DataFrame,
    core_returns_8h: pd.DataFrame,
    core_cme_implied: pd.DataFrame,
    core_cme_curve: pd.DataFrame,
    periods: Iterable[str] = (),
    simulations: int = 400,
) -> pd.DataFrame:
    """Regressions of funding, and of CME-implied rates as the placebo, on returns; and the persistence null.

    A venue and base are represented by the contract with the longest history. Days without full funding
    coverage or without prices are left out.

    Args:
        periods: periods wanted beside the standard ones; the persistence null is drawn for them as well.
        simulations: draws of each persistence null (:mod:`perp_pipeline.research.persistence_null`).

    Returns:
        out_regressions.
    """
    rows: list[dict[str, Any]] = []
    extra = tuple(periods)
    simulated = {*NULL_PERIODS, *extra}
    for venue, base, symbol in main_symbols(core_funding_daily).itertuples(index=False):
        prices = midnight_prices(core_returns_8h, base)
        if prices.empty:
            continue
        own = core_funding_payments[
            (core_funding_payments["venue"] == venue) & (core_funding_payments["symbol"] == symbol)
        ]
        series = {
            "accrual": accrual_funding(core_funding_daily, venue, symbol),
            "calendar": funding_by_day_of(own, "paid_at"),
            "announced": funding_by_day_of(own, "announced_at"),
        }
        for alignment, funding in series.items():
            frame = daily_frame(funding, prices)
            for period, part in by_period(frame, extra).items():
                about = {"venue": venue, "base": base, "symbol": symbol, "period": period}
                rows += _families(part, alignment, about)
                if alignment == "accrual" and period in simulated and len(part) >= MIN_DAYS:
                    rows += [about | row for row in null_rows(part, HEADLINE_HORIZON, simulations)]
    rows += _cme_rows(core_cme_implied, core_cme_curve, extra)
    return pd.DataFrame(rows, columns=COLUMNS)


COLUMNS = [
    "venue",
    "base",
    "spec",
    "term",
    "period",
    "symbol",
    "estimate",
    "se",
    "ci_low",
    "ci_high",
    "n",
    "window_start",
    "window_end",
    "hac_lags",
    "t",
    "p",
    "critical",
    "r2",
    "standardised",
]


def daily_frame(funding: pd.Series, prices: pd.Series, horizons: Sequence[int] = HORIZONS) -> pd.DataFrame:
    """Funding beside the returns that explain it, one row per calendar day.

    Args:
        funding: simple annual rate by naive UTC day.
        prices: USD price at 00:00 UTC at the start of each day.

    Returns:
        day, funding, lagged_funding, same_day, and prior_1, prior_3, ... (simple returns); NaN where missing.
    """
    if funding.empty:
        return pd.DataFrame(columns=["day", "funding", LAGGED, SAME, *(f"{PRIOR}_{h}" for h in horizons)])
    # One more day at each end: the return of the last day needs the next midnight.
    days = pd.date_range(
        funding.index[0] - pd.Timedelta(max(horizons), "D"), funding.index[-1] + pd.Timedelta(1, "D")
    )
    price = prices.reindex(days)
    columns: dict[str, Any] = {
        "funding": funding.reindex(days),
        LAGGED: funding.reindex(days).shift(1),
        SAME: price.shift(-1) / price - 1.0,
    }
    for horizon in horizons:
        columns[f"{PRIOR}_{horizon}"] = price / price.shift(horizon) - 1.0
    frame = pd.DataFrame(columns)
    return frame.loc[funding.index].rename_axis("day").reset_index()


def settle_frame(implied: pd.Series, spot: pd.Series, horizons: Sequence[int] = HORIZONS) -> pd.DataFrame:
    """The same for futures: implied rate beside spot returns between settlements, one row per trading day.

    The prior window of h days ends at the settlement before and begins at the last one at least h calendar
    days earlier.

    Args:
        implied: simple annual rate by trade date.
        spot: spot price at the settlement, by trade date.
    """
    price = spot.where(spot > 0).dropna()
    dates = price.index
    before = price.shift(1)
    columns: dict[str, Any] = {
        "funding": implied.reindex(dates),
        LAGGED: implied.reindex(dates).shift(1),
        SAME: price / before - 1.0,
    }
    for horizon in horizons:
        start = np.full(len(dates), np.nan)
        if len(dates) > 1:
            place = dates.searchsorted(dates[:-1] - pd.Timedelta(horizon, "D"), side="right") - 1
            values = price.to_numpy()
            start[1:] = np.where(place >= 0, values[np.maximum(place, 0)], np.nan)
        columns[f"{PRIOR}_{horizon}"] = before / start - 1.0
    return pd.DataFrame(columns).rename_axis("day").reset_index()


def _cme_rows(
    core_cme_implied: pd.DataFrame, core_cme_curve: pd.DataFrame, extra: Sequence[str]
) -> Iterator[dict[str, Any]]:
    front = core_cme_curve[core_cme_curve["rank"] == 1].sort_values("trade_date")
    implied = core_cme_implied.sort_values("trade_date")
    standing = main_symbols(
        front.assign(venue="cme", symbol=front["product"], base=front["product"].map(CME_BASES)).dropna(
            subset="base"
        )
    ).set_index("symbol")["base"]
    for (product, method), part in implied.groupby(["product", "method"], observed=True):
        if product not in standing.index:
            continue
        curve = front[front["product"] == product]
        spot = pd.Series(
            curve["spot_at_settle"].to_numpy(dtype=np.float64), pd.DatetimeIndex(curve["trade_date"])
        )
        rate = pd.Series(part["rate_annual"].to_numpy(dtype=np.float64), pd.DatetimeIndex(part["trade_date"]))
        for period, rows in by_period(settle_frame(rate, spot), extra).items():
            about = {"venue": "cme", "base": standing[product], "symbol": product, "period": period}
            yield from _families(rows, f"settle-{method}", about)


def _families(frame: pd.DataFrame, alignment: str, about: dict[str, Any]) -> Iterator[dict[str, Any]]:
    days = frame["day"].to_numpy()
    names = ["funding", SAME, LAGGED, *(f"{PRIOR}_{horizon}" for horizon in HORIZONS)]
    columns = {name: frame[name].to_numpy(dtype=np.float64) for name in names}
    for horizon in HORIZONS:
        yield from _family(days, columns, horizon, alignment, about)


def _family(
    all_days: npt.NDArray[np.datetime64],
    columns: Mapping[str, Array],
    horizon: int,
    alignment: str,
    about: dict[str, Any],
) -> Iterator[dict[str, Any]]:
    """Rows of one horizon and alignment: with and without lagged funding, raw and standardised."""
    prior = f"{PRIOR}_{horizon}"
    for lagged in (False, True):
        used = ["funding", SAME, prior, *([LAGGED] if lagged else [])]
        table = np.column_stack([columns[name] for name in used])
        good = np.isfinite(table).all(axis=1)
        if good.sum() < MIN_DAYS:
            continue
        table = table[good]
        if not table.std(axis=0).all():
            continue
        days = all_days[good]
        row = about | {"window_start": utc(days[0]), "window_end": utc(days[-1])}
        names = [SAME, PRIOR, *([LAGGED] if lagged else [])]
        headline = horizon == HEADLINE_HORIZON and alignment in ("accrual", "settle-calendar")
        others = [lags for lags in OTHER_LAGS if lags <= len(table) // 3] if headline else []
        fits = ols_hac(table[:, 0], dict(zip(names, table[:, 1:].T, strict=True)), more_lags=others)
        spec = f"h{horizon}_{alignment}" + ("_lagged" if lagged else "")
        effects = standardised(fits, table)
        for place, (fit, effect) in enumerate(zip(fits, effects, strict=True)):
            suffix = f"_lags{fit.lags}" if place else ""
            yield from (row | part for part in _terms(fit, spec + suffix, False))
            yield from (row | part for part in _terms(effect, f"{spec}_std{suffix}", True))


def _terms(fit: OlsFit, spec: str, standardised: bool) -> Iterator[dict[str, Any]]:
    about = {"spec": spec, "r2": fit.r2, "standardised": standardised}
    unit = np.eye(len(fit.names))
    for place, name in enumerate(fit.names):
        if standardised and name == "const":
            continue
        yield about | _row(name, fit, unit[place])
    if standardised:
        yield about | _row(DIFFERENCE, fit, unit[2] - unit[1])


def _row(term: str, fit: OlsFit, weights: Array) -> dict[str, Any]:
    t, critical = fit.t(weights), fit.critical(weights)
    found = fit.combine(weights, critical)
    return {"term": term, **vars(found), "t": t, "p": critical_p(t, critical), "critical": critical}
