"""Result frames in the shape that figures and tables want: labelled, ordered, cut to a window."""

from __future__ import annotations

import re

import pandas as pd

from perp_pipeline.research.periods import parse_period
from perp_pipeline.research.words import venue_words

BASES = ("BTC", "ETH")
ESSAY_PERIOD = "2019-09..2022-06"
CME_METHOD = "calendar_x12"
"""The essay's own definition of the CME rate: (second / front - 1) * 12."""

venue_name = venue_words
METHOD_NAMES = {
    "calendar_x12": "calendar × 12",
    "calendar": "calendar, by days",
    "front_basis": "front basis",
    "second_basis": "second basis",
    "cm30": "30-day maturity",
}
_VENUE_ORDER = {"binance": 0, "bitmex": 1, "cme": 9}
_METHOD_ORDER = {method: place for place, method in enumerate(METHOD_NAMES)}
_QUOTES = re.compile(r"[-_/]?(USDT|USDC|USD|PERP)$")


def base_of(symbol: str) -> str:
    """The asset behind a venue's symbol: BTC for XBTUSD, ETH for ETHUSDT."""
    base = _QUOTES.sub("", symbol.upper().replace("XBT", "BTC"))
    return next((known for known in BASES if base.startswith(known)), base or symbol)


def series_label(venue: str, symbol: str, method: str) -> str:
    """A series as people call it: ``Binance BTCUSDT``, ``CME calendar × 12``."""
    if method == "funding":
        return f"{venue_name(venue)} {symbol}"
    return f"{venue_name(venue)} {METHOD_NAMES.get(method, method)}"


def labelled(frame: pd.DataFrame) -> pd.DataFrame:
    """Rows with ``base`` and ``label`` added, in the order of display.

    Args:
        frame: a result table keyed by venue, symbol, method and one more column.
    """
    rows = frame.reset_index(drop=True)
    if "base" not in rows:
        rows["base"] = [base_of(symbol) for symbol in rows["symbol"]]
    rows["label"] = [
        series_label(venue, symbol, method)
        for venue, symbol, method in zip(rows["venue"], rows["symbol"], rows["method"], strict=True)
    ]
    order = pd.DataFrame(
        {
            "place": rows["base"].map(lambda base: BASES.index(base) if base in BASES else len(BASES)),
            "base": rows["base"],
            "venue": rows["venue"].map(lambda venue: _VENUE_ORDER.get(venue, 5)),
            "name": rows["venue"],
            "symbol": rows["symbol"],
            "method": rows["method"].map(lambda method: _METHOD_ORDER.get(method, 9)),
            "text": rows["method"],
        }
    )
    by = ["place", "base", "venue", "name", "symbol", "method", "text"]
    return rows.loc[order.sort_values(by, kind="stable").index].reset_index(drop=True)


def best_period(frame: pd.DataFrame, wanted: str = ESSAY_PERIOD) -> str:
    """The window asked for where the table has it, else everything."""
    return wanted if (frame["period"] == wanted).any() else "all"


def leading(
    frame: pd.DataFrame, venues: tuple[str, ...] = ("binance", "bitmex")
) -> list[tuple[str, str, str]]:
    """(venue, base, symbol) of the contracts that small multiples show, in order of display.

    The venues of the essays by default, others where a table has none of them; of several contracts on
    one base the one with most observations.

    Args:
        frame: rows of one statistic: venue, base, symbol, n.
    """
    rows = frame[frame["base"].isin(BASES)]
    if rows["venue"].isin(venues).any():
        rows = rows[rows["venue"].isin(venues)]
    most = rows.groupby(["venue", "base", "symbol"])["n"].max().reset_index()
    most["place"] = most["venue"].map(lambda venue: _VENUE_ORDER.get(venue, 5))
    most = most.sort_values(
        ["place", "venue", "base", "n", "symbol"], ascending=[True, True, True, False, True]
    )
    chosen = most.drop_duplicates(["venue", "base"])
    return list(chosen[["venue", "base", "symbol"]].itertuples(index=False, name=None))


def months_of(column: pd.Series) -> pd.Series:
    """First day of each month (naive) from ``YYYY-MM`` texts, dates or instants."""
    if pd.api.types.is_datetime64_any_dtype(column):
        naive = column.dt.tz_localize(None) if column.dt.tz is not None else column
        return naive.dt.to_period("M").dt.to_timestamp()
    return pd.to_datetime(column.astype(str).str.slice(0, 7), format="%Y-%m")


def in_period(frame: pd.DataFrame, month: str, period: str) -> pd.DataFrame:
    """Rows whose naive ``month`` column lies in the period."""
    span = parse_period(period)
    if span is None:
        return frame
    start = pd.Timestamp(span.start).tz_localize(None)
    end = pd.Timestamp(span.end).tz_localize(None)
    return frame[(frame[month] >= start) & (frame[month] < end)]


def by_month(rows: pd.DataFrame) -> pd.DataFrame:
    """Estimate and interval of rows with a ``month``, on an index of month starts without holes."""
    return rows.set_index("month")[["estimate", "ci_low", "ci_high"]].sort_index().asfreq("MS")


def principal_series(
    monthly: pd.DataFrame, base: str, period: str, cme_method: str = CME_METHOD
) -> dict[str, pd.Series]:
    """Estimates of :func:`principal_months` alone: venue -> fractions a year by month."""
    months = principal_months(monthly, base, period, cme_method)
    return {venue: rows["estimate"] for venue, rows in months.items()}


def principal_months(
    monthly: pd.DataFrame, base: str, period: str, cme_method: str = CME_METHOD
) -> dict[str, pd.DataFrame]:
    """Monthly rates per venue: its symbol with the longest history, or the CME method asked for.

    The rule of the headline rows of out_venue_spreads: figures and spreads speak of the same contracts.

    Args:
        monthly: out_funding_monthly.

    Returns:
        Venue -> estimate, ci_low and ci_high (fractions a year) on a month-start index that runs without
        holes (NaN where the venue has none), in order of display.
    """
    rows = labelled(monthly).assign(month=lambda frame: months_of(frame["month"]))
    rows = rows[(rows["base"] == base) & rows["method"].isin(["funding", cme_method])]
    found: dict[str, pd.DataFrame] = {}
    for venue in rows["venue"].drop_duplicates():
        own = rows[rows["venue"] == venue]
        days = own.groupby("symbol")["n"].sum()
        symbol = min(days.index, key=lambda name: (-days[name], name))
        months = in_period(own[own["symbol"] == symbol], "month", period)
        if len(months):
            found[str(venue)] = by_month(months)
    return found


def period_words(period: str) -> str:
    """A period for a title: ``Sep 2019 to Jun 2022``."""
    span = parse_period(period)
    if span is None:
        return "whole lake"
    first, last = f"{span.first.start:%b %Y}", f"{span.last.start:%b %Y}"
    return first if first == last else f"{first} to {last}"
