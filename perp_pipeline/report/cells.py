"""Numbers, times and whole frames as text for people."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from perp_pipeline.report.intervals import MINUS

FORMATS: dict[str, tuple[float, str, str]] = {
    "fraction a year": (100.0, ",.1f", " %"),
    "fraction a day": (100.0, ".3f", " %"),
    "fraction per 8 h": (100.0, ".4f", " %"),
    "fraction": (100.0, ".2f", " %"),
    "fraction of the index": (100.0, ".4f", " %"),
    "share": (100.0, ".1f", " %"),
    "bp of volume": (1.0, ".2f", " bp"),
    "USD": (1.0, ",.2f", " USD"),
    "USD a day": (1.0, ",.0f", " USD"),
}
"""Unit -> factor, number format, suffix. Any other unit is printed to three digits as it is."""

PERIODS = {"fraction a year": "a year", "fraction a day": "a day", "fraction per 8 h": "per 8 h"}
"""What the suffix of :data:`FORMATS` leaves out."""

_SMALL_DIGITS = 3

MISSING = "\N{EN DASH}"


@dataclass(frozen=True)
class TableView:
    """A table ready for print.

    Attributes:
        columns: headings; ``numeric`` marks those that are set flush right.
        rows: one tuple of texts per row, as long as ``columns``.
        total: rows that the full table has.
    """

    columns: tuple[str, ...]
    numeric: tuple[bool, ...]
    rows: tuple[tuple[str, ...], ...]
    total: int


def amount(value: float | None, unit: str = "", suffix: bool = True, digits: int | None = None) -> str:
    """A number in its unit: ``12.3 %`` for 0.1234 of a ``fraction a year``; an en dash for none.

    Args:
        digits: decimals, where not those of the unit's format.
    """
    if value is None or pd.isna(value):
        return MISSING
    if math.isinf(value):
        return "∞" if value > 0 else f"{MINUS}∞"
    factor, form, tail = FORMATS.get(unit, (1.0, "", ""))
    form = form if digits is None else f",.{digits}f"
    text = f"{factor * value:{form}}" if form else _three_digits(value)
    if not text.strip("-0."):
        text = text.lstrip("-")
    return text.replace("-", MINUS) + (tail if suffix else "")


def _three_digits(value: float) -> str:
    if float(value).is_integer() and abs(value) < 1e15:
        return f"{value:,.0f}"
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"


def interval(low: float, high: float, unit: str) -> str:
    """``10.1 to 18.3``; an en dash where there is none. Below one percent a year three decimals."""
    if pd.isna(low) or pd.isna(high):
        return MISSING
    small = FORMATS.get(unit) == FORMATS["fraction a year"] and max(abs(low), abs(high)) < 0.01
    digits = _SMALL_DIGITS if small else None
    ends = (amount(end, unit, suffix=False, digits=digits) for end in (low, high))
    return " to ".join(ends)


def window(start: Any, end: Any) -> str:
    """``2019-09-10 to 2022-06-30``; an en dash where there is none."""
    if pd.isna(start) or pd.isna(end):
        return MISSING
    return f"{pd.Timestamp(start):%Y-%m-%d} to {pd.Timestamp(end):%Y-%m-%d}"


def byte_size(count: float) -> str:
    """``1.2 MB``."""
    for unit in ("B", "kB", "MB"):
        if count < 1000:
            return f"{count:.0f} {unit}" if unit == "B" else f"{count:.1f} {unit}"
        count /= 1000
    return f"{count:.1f} GB"


def cell(value: Any, unit: str = "") -> str:
    """Any value of a frame as text."""
    if value is None or value is pd.NaT or (not isinstance(value, str) and pd.isna(value)):
        return MISSING
    if isinstance(value, bool) or type(value).__name__ == "bool":
        return "yes" if value else "no"
    if isinstance(value, pd.Timestamp):
        return f"{value:%Y-%m-%d}" if value == value.normalize() else f"{value:%Y-%m-%d %H:%M}"
    if isinstance(value, (int, float)):
        return amount(float(value), unit)
    return str(value)


def view(
    frame: pd.DataFrame,
    headings: Mapping[str, str] | None = None,
    units: Mapping[str, str] | None = None,
    limit: int | None = None,
) -> TableView:
    """A frame as a table for print.

    Args:
        headings: column -> heading, in print order; every column under its own name by default.
        units: column -> unit, a key of :data:`FORMATS` or anything else.
        limit: most rows to print.
    """
    headings = headings or {name: name for name in frame.columns}
    units = units or {}
    shown = frame[list(headings)].head(limit) if limit is not None else frame[list(headings)]
    rows = [
        tuple(cell(value, units.get(name, "")) for name, value in zip(headings, row, strict=True))
        for row in shown.itertuples(index=False, name=None)
    ]
    numeric = tuple(
        pd.api.types.is_numeric_dtype(frame[name]) and not pd.api.types.is_bool_dtype(frame[name])
        for name in headings
    )
    return TableView(tuple(headings.values()), numeric, tuple(rows), len(frame))


def texts(columns: Sequence[str], rows: Sequence[Sequence[str]], numeric_from: int) -> TableView:
    """A table of texts whose columns from ``numeric_from`` on are numbers."""
    flags = tuple(place >= numeric_from for place in range(len(columns)))
    return TableView(tuple(columns), flags, tuple(tuple(row) for row in rows), len(rows))
