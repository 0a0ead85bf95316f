"""How claims read tables: rows or a message that says what is missing, and parts from numbers."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from perp_pipeline.research.claims.lacks import no_rows, no_table
from perp_pipeline.research.claims.lags import MONTH, at_other_lags, lag_unit
from perp_pipeline.research.claims.model import (
    DAY,
    Answer,
    Expected,
    Lack,
    MissingData,
    Part,
    Printed,
    Tables,
)
from perp_pipeline.research.other_lags import other_lags
from perp_pipeline.research.periods import parse_period, slice_period
from perp_pipeline.research.rate_atoms import FROM_RATES
from perp_pipeline.research.series import RateSeries, bounds, daily_rates, rate_series, utc
from perp_pipeline.research.shares import hac_share
from perp_pipeline.research.statistics import Estimate, hac_mean, persistent_lags
from perp_pipeline.sources.universe import load_universe

Days = npt.NDArray[np.datetime64]
Again = Callable[[int], Estimate]
"""The same estimate with so many lags."""
MONTHS = (3, 6, 12)
"""Other lags of a monthly series."""


def rows(tables: Tables, table: str, **where: Any) -> pd.DataFrame:
    """Rows of a table whose columns have the given values (a value, or a list of values).

    Raises:
        MissingData: the lake has no such table, or it has no such rows.
    """
    frame = tables.get(table)
    if frame is None or frame.empty:
        raise MissingData(no_table(table))
    unknown = [column for column in where if column not in frame.columns]
    if unknown:
        raise MissingData(no_rows(table, where))
    keep = np.ones(len(frame), dtype=bool)
    for column, wanted in where.items():
        keep &= frame[column].isin(wanted if isinstance(wanted, list) else [wanted]).to_numpy(dtype=bool)
    if not keep.any():
        about = {column: where[column] for column in ("venue", "period") if column in where}
        rest = frame[~frame["quantity"].isin(FROM_RATES)] if "quantity" in frame.columns else frame
        covered = bool(np.logical_and.reduce([rest[name] == wanted for name, wanted in about.items()]).any())
        raise MissingData(no_rows(table, where, covered=covered))
    return frame[keep]


def rows_in(tables: Tables, table: str, time: str, period: str, **where: Any) -> pd.DataFrame:
    """The same, and inside a period of the column ``time``; sorted by it."""
    found = slice_period(rows(tables, table, **where), time, period)
    if found.empty:
        raise MissingData(no_rows(table, where, period))
    return found.sort_values(time)


def mean_of(values: npt.ArrayLike) -> Estimate:
    """Mean with the Newey-West error that the persistence of the values asks for."""
    return hac_mean(values, persistent_lags(values))


def row_part(
    tables: Tables, table: str, label: str, unit: str, expected: Expected | None = None, **where: Any
) -> Part:
    """A part from the one row of a result table that ``where`` singles out.

    A judged part has its variants by other lags than its own, as far as the table tells them.

    Raises:
        MissingData: no such row, or several.
    """
    found = rows(tables, table, **where)
    if len(found) > 1:
        raise MissingData(f"one row of {no_rows(table, where, covered=True)}, where there are {len(found)}")
    steps = lag_unit(table, where)
    part = replace(_part_of(found.iloc[0], label, unit, steps), expected=expected, listed_from=_listed(where))
    if expected is None:
        return part
    others = at_other_lags(tables[table], table, where)
    variants = tuple(
        _part_of(row, f"{lags} lags", unit, steps) for lags, row in others.items() if lags != part.hac_lags
    )
    return replace(part, variants=variants)


def _part_of(row: Mapping[Any, Any] | pd.Series, label: str, unit: str, steps: str) -> Part:
    lags = row.get("hac_lags")
    # Tables have no lags, or 0 where the error is not Newey-West.
    return Part(
        label=label,
        unit=unit,
        estimate=float(row["estimate"]),
        se=float(row["se"]),
        ci_low=float(row["ci_low"]),
        ci_high=float(row["ci_high"]),
        n=int(row["n"]),
        window_start=row["window_start"],
        window_end=row["window_end"],
        hac_lags=int(lags) if lags else None,
        lag_unit=steps,
    )


def estimate_part(
    label: str,
    unit: str,
    estimate: Estimate,
    days: Days,
    expected: Expected | None = None,
    *,
    again: Again | None = None,
    listed_from: pd.Timestamp | None = None,
    steps: str = DAY,
) -> Part:
    """A part from an estimate over ascending naive UTC days.

    Args:
        again: the estimate at other lags; a judged part gets a variant at each of them that the sample is
            long enough for.
        listed_from: see :class:`Part`.
        steps: what one lag is.
    """
    part = replace(_estimate_part(label, unit, estimate, days, steps), expected=expected)
    part = replace(part, listed_from=listed_from)
    if again is None or expected is None:
        return part
    return replace(part, variants=lag_variants(part, again, days))


def lag_variants(part: Part, again: Again, days: Days) -> tuple[Part, ...]:
    """The part at each number of lags, other than its own, that its sample is three times as long as."""
    asked = MONTHS if part.lag_unit == MONTH else other_lags(part.n)
    return tuple(
        _estimate_part(f"{lags} lags", part.unit, again(lags), days, part.lag_unit)
        for lags in asked
        if lags <= part.n // 3 and lags != part.hac_lags
    )


def mean_part(
    label: str,
    unit: str,
    values: npt.ArrayLike,
    days: Days,
    expected: Expected | None = None,
    *,
    listed_from: pd.Timestamp | None = None,
    steps: str = DAY,
) -> Part:
    """A part that is the mean of values over ascending naive UTC days, with its variants by lags.

    The interval of a share stays in 0..1; a difference of two shares, in the same unit, is not one.
    """
    known = np.asarray(values, dtype=np.float64)
    known = known[np.isfinite(known)]
    is_share = unit == "share" and bool(((known >= 0.0) & (known <= 1.0)).all())
    mean = hac_share if is_share else hac_mean
    return estimate_part(
        label,
        unit,
        mean(values, persistent_lags(values)),
        days,
        expected,
        again=lambda lags: mean(values, lags),
        listed_from=listed_from,
        steps=steps,
    )


def _estimate_part(label: str, unit: str, estimate: Estimate, days: Days, steps: str) -> Part:
    return Part(
        label=label,
        unit=unit,
        estimate=estimate.estimate,
        se=estimate.se,
        ci_low=estimate.ci_low,
        ci_high=estimate.ci_high,
        n=estimate.n,
        window_start=utc(days[0]),
        window_end=utc(days[-1]),
        hac_lags=estimate.hac_lags or None,
        lag_unit=steps,
    )


def listing(venue: str, symbol: str = "", base: str = "") -> pd.Timestamp | None:
    """Day of the first payment of a contract, or of a venue's first contract on a base; None if unknown."""
    starts = [
        start
        for (place, name, asset), start in _listings().items()
        if place == venue and (name == symbol if symbol else asset == base)
    ]
    return min(starts, default=None)


def both_listed(*starts: pd.Timestamp | None) -> pd.Timestamp | None:
    """The day from which all of several series exist."""
    return max((start for start in starts if start is not None), default=None)


@cache
def _listings() -> Mapping[tuple[str, str, str], pd.Timestamp]:
    return {
        (entry.venue, entry.symbol, entry.base): pd.Timestamp(entry.listed_from).normalize()
        for entry in load_universe().instruments
    }


def _listed(where: Mapping[str, Any]) -> pd.Timestamp | None:
    if "venue_a" in where:
        sides = [(where[f"venue_{side}"], where.get(f"symbol_{side}", "")) for side in "ab"]
        return both_listed(*(listing(venue, symbol) for venue, symbol in sides))
    if "venue" in where and ("symbol" in where or "base" in where):
        return listing(str(where["venue"]), str(where.get("symbol", "")), str(where.get("base", "")))
    return None


def fact_part(
    label: str, unit: str, number: float, days: Days, n: int, expected: Expected | None = None
) -> Part:
    """A part that is a recorded fact (a maximum, a mode), not an estimate: its error is zero."""
    return Part(
        label, unit, number, 0.0, number, number, n, utc(days.min()), utc(days.max()), expected=expected
    )


def sum_part(label: str, unit: str, number: float, printed: float, rounding: float) -> Part:
    """A calculated number beside the printed one, to twelve decimals: what lies beyond is rounding."""
    number = round(number, 12)
    return Part(label, unit, number, 0.0, number, number, expected=Printed(printed, rounding))


def attempt(*parts: Callable[[], Part]) -> tuple[list[Part], list[str]]:
    """The parts that can be computed, and what the others lack."""
    done, missing = _attempted(parts)
    return done, list(missing)


def gather(
    *published: Callable[[], Part], shown: Sequence[Callable[[], Part]] = (), note: str = ""
) -> Answer:
    """An answer of the parts that can be computed, and what the others lack.

    Args:
        published: the claim's published numbers, the claim's own first; those that cannot be computed cap its
            verdict.
        shown: numbers that stand beside them.

    Raises:
        MissingData: no part can be computed.
        ValueError: a part of ``published`` has nothing published to compare with, or one of ``shown`` has.
    """
    judged, lacking = _attempted(published)
    beside, without = _attempted(shown)
    if any(part.expected is None for part in judged) or any(part.expected is not None for part in beside):
        raise ValueError("published numbers come with what was published, shown ones without")
    if not judged and not beside:
        raise MissingData("; ".join({**lacking, **without}))
    lacks = [Lack(text, count) for text, count in lacking.items()]
    lacks += [Lack(text) for text in without if text not in lacking]
    return Answer((*judged, *beside), note, tuple(lacks))


def _attempted(parts: Iterable[Callable[[], Part]]) -> tuple[list[Part], dict[str, int]]:
    """The parts that can be computed, and what is missing with the number of parts that lack it."""
    done: list[Part] = []
    missing: dict[str, int] = {}
    for part in parts:
        try:
            done.append(part())
        except MissingData as lack:
            missing[str(lack)] = missing.get(str(lack), 0) + 1
    return done, missing


def lies_inside(own: str, period: str) -> bool:
    """All months of one period are in the other."""
    whole, inner = parse_period(period), parse_period(own)
    if whole is None or inner is None:
        return whole is None
    return whole.start <= inner.start and inner.end <= whole.end


def require_inside(own: str, period: str, what: str) -> None:
    """A number about a period of its own, which the text names, is computed only inside the window asked for.

    Raises:
        MissingData: some of ``own`` lies outside ``period``.
    """
    if not lies_inside(own, period):
        raise MissingData(f"{what} in {own}, which is not all in {period}")


def series_of(tables: Tables, venue: str, symbol: str, method: str, period: str) -> RateSeries:
    """Daily rates of one contract (or CME method) inside a period.

    Raises:
        MissingData: there are none.
    """
    if venue == "cme":
        implied = rows_in(tables, "core_cme_implied", "trade_date", period, product=symbol, method=method)
        funding = _no_funding()
    else:
        funding = rows_in(tables, "core_funding_daily", "day", period, venue=venue, symbol=symbol)
        implied = no_curve()
    for series in rate_series(daily_rates(funding, implied)):
        return series
    raise MissingData(f"no complete day of {venue} {symbol} in {period}")


def within(series: RateSeries, period: str) -> RateSeries:
    """The part of a series that lies in a period."""
    where = bounds(series.days, period)
    return RateSeries(
        series.venue, series.symbol, series.base, series.method, series.days[where], series.rates[where]
    )


def _no_funding() -> pd.DataFrame:
    return pd.DataFrame(
        {
            "venue": pd.Series(dtype="str"),
            "symbol": pd.Series(dtype="str"),
            "base": pd.Series(dtype="str"),
            "day": pd.Series(dtype="datetime64[us]"),
            "rate_annual": pd.Series(dtype="float64"),
            "coverage": pd.Series(dtype="float64"),
        }
    )


def no_curve() -> pd.DataFrame:
    """core_cme_implied without rows."""
    return pd.DataFrame(
        {
            "product": pd.Series(dtype="str"),
            "method": pd.Series(dtype="str"),
            "trade_date": pd.Series(dtype="datetime64[us]"),
            "rate_annual": pd.Series(dtype="float64"),
        }
    )
