"""Numbers of claims as people read them, with the digits that their errors leave."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True)
class Format:
    """How a unit is printed.

    Attributes:
        factor: what a number is multiplied by.
        suffix: what follows it.
        decimals: of a number without an error; None for three significant digits.
        fewest: least decimals of a number with an error.
    """

    factor: float
    suffix: str
    decimals: int | None
    fewest: int


FORMATS: Final = {
    "fraction a year": Format(100.0, " % a year", 2, 1),
    "fraction a day": Format(100.0, " % a day", 3, 3),
    "fraction per 8 h": Format(100.0, " % per 8 h", 4, 4),
    "fraction": Format(100.0, " %", 2, 2),
    "fraction of the index": Format(100.0, " %", 4, 4),
    "share": Format(100.0, " %", 1, 1),
    "bp of volume": Format(1.0, " bp", 2, 2),
    "USD": Format(1.0, " USD", 2, 2),
    "USD a day": Format(1.0, " USD a day", 0, 0),
    "1": Format(1.0, "", None, 2),
}
"""Units of a part."""

UNITS: Final = tuple(FORMATS)

_MOST_EXTRA = 4
"""Decimals beyond a unit's fewest: errors smaller than that are of no account."""


def digits(unit: str, estimate: float, se: float, ci_low: float, ci_high: float) -> int | None:
    """Decimals that a number and its interval are printed with; None where it has no error.

    Two significant digits of the standard error at least, and as many as it takes for the estimate and the
    two ends to differ in print and for none of them to read as zero that is not.

    Args:
        se: NaN where it is unknown; a quarter of the interval stands for it.
    """
    numbers = (ci_low, estimate, ci_high)
    if se == 0.0 or not all(math.isfinite(number) for number in numbers):
        return None
    error = se if math.isfinite(se) else (ci_high - ci_low) / 4.0
    form = FORMATS[unit]
    if not error > 0.0:
        return None
    most = form.fewest + _MOST_EXTRA
    count = min(most, max(form.fewest, 1 - math.floor(math.log10(form.factor * error))))
    while count < most and not _apart([form.factor * number for number in numbers], count):
        count += 1
    return count


def _apart(numbers: list[float], count: int) -> bool:
    """Numbers that differ, from each other or from zero, differ in print."""
    known = {0.0, *numbers}
    return len({_fixed(number, count) for number in known}) == len(known)


def _fixed(number: float, count: int) -> str:
    text = f"{number:,.{count}f}"
    return text if text.strip("-0.,") else text.lstrip("-")


def bare(number: float, unit: str, count: int | None = None) -> str:
    """A number in its unit, without the suffix.

    Args:
        count: decimals, from :func:`digits`; those of the unit by default.
    """
    form = FORMATS[unit]
    count = form.decimals if count is None else count
    return f"{form.factor * number:.3g}" if count is None else _fixed(form.factor * number, count)


def readable(number: float, unit: str, count: int | None = None) -> str:
    """A number with its unit, for people; see :func:`bare`."""
    return f"{bare(number, unit, count)}{FORMATS[unit].suffix}"


def reach(ci_low: float, ci_high: float, unit: str, count: int | None = None) -> str:
    """``6.4 to 14.4``: an interval without its unit."""
    return f"{bare(ci_low, unit, count)} to {bare(ci_high, unit, count)}"
