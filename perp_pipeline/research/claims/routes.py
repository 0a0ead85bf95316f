"""Other routes to a number of a claim (lags, sources, definitions), and the verdicts that hang on them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

import pandas as pd

from perp_pipeline.research.claims.model import (
    Beyond,
    Expected,
    Part,
    Verdict,
    Within,
    verdict_of,
)

LATE: Final = pd.Timedelta(days=7)
"""Data that start or end within a week of a window's bounds cover it."""

DOES: Final = {
    Verdict.WRONG: ("is wrong as stated", "are wrong as stated"),
    Verdict.FAILS: ("fails", "fail"),
    Verdict.WEAK: ("is weak", "are weak"),
    Verdict.HOLDS: ("holds", "hold"),
    Verdict.ARITHMETIC: ("comes out as printed", "come out as printed"),
}
"""Verdict -> what a number does by it, and what several do; the worst first."""

_LAGS = re.compile(r"\d+ lags")
_NUMBERED = re.compile(r"(\D*)(\d*)(.*)")


def variants_of(part: Part) -> list[tuple[Part, Verdict | None]]:
    """The variants of a published number, each with the verdict that it would give, if it is judged."""
    if part.withheld:
        return [(other, None) for other in part.variants]
    return [(other, verdict_of(replace(other, expected=part.expected))) for other in part.variants]


def by_words(by: str) -> str:
    """The other route of a variant as a phrase: ``with 60 lags``, ``on daily spot prices``."""
    return f"with {by}" if _LAGS.fullmatch(by) else by


def joined(texts: Sequence[str]) -> str:
    """``a``, ``a and b``, ``a, b and c``."""
    return texts[0] if len(texts) == 1 else f"{', '.join(texts[:-1])} and {texts[-1]}"


def dates_differ(
    first: pd.Timestamp | None,
    last: pd.Timestamp | None,
    its_first: pd.Timestamp | None,
    its_last: pd.Timestamp | None,
) -> bool:
    """Two numbers' observations begin or end more than a week apart. False where an end is unknown."""
    sides = ((first, its_first), (last, its_last))
    if any(pd.isna(one) or pd.isna(other) for one, other in sides):
        return False
    return any(abs(pd.Timestamp(one) - pd.Timestamp(other)) > LATE for one, other in sides)


@dataclass(frozen=True)
class Route:
    """One other route to a judged number.

    Attributes:
        by: the verdict that it would give.
        agrees: that is the number's own verdict, on the same side of the bound or of zero.
        dated: its observations are of other dates.
    """

    label: str
    by: Verdict
    agrees: bool
    dated: bool


def routes_of(part: Part, verdict: Verdict) -> list[Route]:
    """The other routes to a number that have an interval to judge by."""
    return [
        Route(
            other.label,
            by,
            by is verdict and _side(other, part) == _side(part, part),
            _elsewhere(other, part),
        )
        for other, by in variants_of(part)
        if by is not None and by is not Verdict.NO_DATA
    ]


def hangs_on(routes: Sequence[Route], verdict: Verdict, most: int | None = None) -> str:
    """``holds on 2 of 5 other routes (with 60 and 120 lags)``; empty where the verdict hangs on none.

    Args:
        routes: of one number.
        verdict: its own.
        most: more routes than these are not named; any number by default.
    """
    groups: dict[str, list[Route]] = {}
    for route in routes:
        if not route.agrees:
            sign = " with the other sign" if route.by is verdict else ""
            groups.setdefault(f"{DOES[route.by][0]}{sign}", []).append(route)
    named = most is None or sum(map(len, groups.values())) <= most
    told: list[str] = []
    for does, own in groups.items():
        count = f"{len(own)}" if told else f"{len(own)} of {len(routes)} other routes"
        if len(routes) == 1:
            count = "the one other route"
        told.append(f"{does} on {count}{f' ({_listed(own)})' if named else ''}")
    return joined(told) if told else ""


def choices(routes: Sequence[Route]) -> str:
    """What verdicts hang on: the lags, the source or definition, or all of them; empty where on none."""
    lags = {bool(_LAGS.fullmatch(route.label)) for route in routes if not route.agrees}
    if lags == {True}:
        return "the lags"
    return "lags, source or definition" if True in lags else "source or definition" if lags else ""


def steady(judged: Sequence[Sequence[Route]]) -> str:
    """The routes that change no verdict of a number that has them; those of other dates apart.

    Args:
        judged: the routes of each number.
    """
    every = [route for routes in judged for route in routes]
    hanging = {route.label for route in every if not route.agrees}
    dated = {route.label for route in every if route.dated}
    same = {
        route.label: replace(route, dated=route.label in dated)
        for route in every
        if route.label not in hanging
    }
    if not same:
        return ""
    return (
        f"{'Verdicts are' if len(judged) > 1 else 'The verdict is'} the same {_listed(list(same.values()))}."
    )


def _side(part: Part, own: Part) -> bool:
    """Which side of the published bound, or of zero where a published number is not zero."""
    expected: Expected | None = own.expected
    if isinstance(expected, Beyond):
        return part.estimate > expected.bound
    return not (isinstance(expected, Within) and expected.low <= 0.0 <= expected.high) and part.estimate > 0.0


def _elsewhere(other: Part, part: Part) -> bool:
    return dates_differ(other.window_start, other.window_end, part.window_start, part.window_end)


def _listed(routes: Sequence[Route]) -> str:
    """``with 60 lags and on daily prices; for other dates, for ETH``."""
    here = _phrases([route.label for route in routes if not route.dated])
    elsewhere = _phrases([route.label for route in routes if route.dated])
    told = [joined(here)] if here else []
    return "; ".join([*told, f"for other dates, {joined(elsewhere)}"] if elsewhere else told)


def _phrases(labels: Sequence[str]) -> list[str]:
    """``with 30, 60 and 120 lags``: phrases that differ in a number alone share their words."""
    shared: dict[tuple[str, str], list[str]] = {}
    for label in labels:
        found = _NUMBERED.fullmatch(by_words(label))
        before, number, after = found.groups() if found else (label, "", "")
        shared.setdefault((before, after), []).append(number)
    told = {ends: sorted(numbers, key=lambda number: int(number or 0)) for ends, numbers in shared.items()}
    return [f"{before}{joined(numbers)}{after}" for (before, after), numbers in told.items()]
