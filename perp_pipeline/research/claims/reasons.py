"""Why a claim gets its verdict, in words."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

import pandas as pd

from perp_pipeline.research.claims.formats import digits, reach, readable
from perp_pipeline.research.claims.lags import lag_words
from perp_pipeline.research.claims.model import (
    Answer,
    Beyond,
    Expected,
    Part,
    Printed,
    Tally,
    Verdict,
    Within,
    tally,
    verdict_of,
)
from perp_pipeline.research.periods import parse_period
from perp_pipeline.research.words import plain

LATE = pd.Timedelta(days=7)
"""Data that start or end within a week of a window's bounds cover it."""

_LAGS = re.compile(r"\d+ lags")
_NUMBERED = re.compile(r"(\D*)(\d*)(.*)")


def variants_of(part: Part) -> list[tuple[Part, Verdict | None]]:
    """The variants of a published number, each with the verdict that it would give, if it is judged."""
    if part.withheld:
        return [(other, None) for other in part.variants]
    return [(other, verdict_of(replace(other, expected=part.expected))) for other in part.variants]


def published_words(expected: Expected, unit: str) -> str:
    """What was published about a number, in its unit: ``10.00 % a year``, ``above 0``, ``50 % to 100 %``."""
    if isinstance(expected, Printed):
        return readable(expected.value, unit)
    if isinstance(expected, Beyond):
        bound = "0" if expected.bound == 0.0 else readable(expected.bound, unit)
        return f"{'above' if expected.above else 'below'} {bound}"
    if expected.low == expected.high:
        return "0" if expected.low == 0.0 else readable(expected.low, unit)
    return f"{readable(expected.low, unit)} to {readable(expected.high, unit)}"


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


def reason_of(answer: Answer, verdicts: Sequence[Verdict | None], period: str) -> str:
    """Why a claim gets its verdict, in words.

    The published numbers with their intervals and verdicts, what their verdicts hang on, the numbers that are
    shown beside them, the note, what part of the window the data cover, how many of the published numbers
    could be judged, and what is missing.

    Args:
        verdicts: of the answer's parts, in their order.
    """
    both = list(zip(answer.parts, verdicts, strict=True))
    judged = [(part, verdict) for part, verdict in both if verdict is not None]
    shown = [part for part, verdict in both if verdict is None]
    sentences = []
    if answer.parts:
        main = judged[0][0] if judged else shown[0]
        sentences += _about_others([part for part, _ in judged], period)
        sentences += [_sentence(part, verdict, _dates(part, main, period)) for part, verdict in judged]
        sentences.append(_robust(judged))
        told = "; ".join(_beside(part, _dates(part, main, period)) for part in shown)
        beside = f"Beside it: {told}" if judged else _capital(told)
        sentences += [f"{beside}." if told else "", _capital(plain(answer.note)), _short_of(main, period)]
    sentences += [_judged_on(tally(verdicts, answer.missing)), *_missing(answer)]
    return " ".join(sentence for sentence in sentences if sentence)


def _judged_on(found: Tally) -> str:
    if found.whole or not found.judged:
        return ""
    return f"Judged on {found.judged} of {found.published} published numbers."


def _missing(answer: Answer) -> list[str]:
    published = "; ".join(plain(lack.text) for lack in answer.missing if lack.published)
    beside = "; ".join(plain(lack.text) for lack in answer.missing if not lack.published)
    told = [f"Missing: {published}."] if published else []
    return [*told, f"Not shown beside it, because missing: {beside}."] if beside else told


def _about_others(published: Sequence[Part], period: str) -> list[str]:
    """What is not judged because what was published is about another period."""
    about = list(dict.fromkeys(part.withheld for part in published if part.withheld))
    return [f"What was published about {joined(about)} is shown over {period}, not judged."] if about else []


def _capital(text: str) -> str:
    """A sentence's beginning, unless its first word is a name (dYdX, v3) or a formula."""
    first = text.split(" ", maxsplit=1)[0].rstrip(",:")
    return text[:1].upper() + text[1:] if first.isalpha() and first.islower() else text


def _sentence(part: Part, verdict: Verdict, dates: str) -> str:
    text = f"{_capital(part.label)}{dates}: {_with_lags(part)}"
    if part.withheld and part.expected is not None:
        return f"{text} [published: {published_words(part.expected, part.unit)}]."
    if verdict is Verdict.NO_DATA:
        return f"{text} [{verdict}: n = {part.n:,} is too few to judge by]."
    side = ", on the other side of the bound" if _undecided(part, verdict) else ""
    if verdict is Verdict.HOLDS and part.expected == Within(0.0, 0.0):
        # An interval that has zero has other values too: it does not show that the number is zero.
        side = ": zero is not rejected"
    return f"{text} [{verdict}{side}]{_but(part, verdict)}."


def _beside(part: Part, dates: str) -> str:
    return f"{part.label}{dates}: {readable(part.estimate, part.unit, part_digits(part))}"


def part_digits(part: Part) -> int | None:
    """Decimals that a part is printed with."""
    return digits(part.unit, part.estimate, part.se, part.ci_low, part.ci_high)


def with_interval(part: Part) -> str:
    """``10.4 % a year (95 %: 6.4 to 14.4)``; an exact number goes without."""
    count = part_digits(part)
    text = readable(part.estimate, part.unit, count)
    return text if count is None else f"{text} (95 %: {reach(part.ci_low, part.ci_high, part.unit, count)})"


def _with_lags(part: Part) -> str:
    """``10.4 % a year (95 %: 6.4 to 14.4; 42 lags)``."""
    text, lags = with_interval(part), lag_words(part)
    return f"{text[:-1]}; {lags})" if lags and text.endswith(")") else text


def _but(part: Part, verdict: Verdict) -> str:
    """Which variants of a judged number would change its verdict, or have its verdict on the other side."""
    groups: dict[str, list[str]] = {}
    for other, by_it in variants_of(part):
        if by_it in (None, Verdict.NO_DATA) or _agrees(other, by_it, part, verdict):
            continue
        head = f"[{by_it}]" if by_it is not verdict else f"of the other sign, still [{by_it}],"
        groups.setdefault(head, []).append(_told(other, part))
    if not groups:
        return ""
    told = [f"{head} {joined(routes)}" for head, routes in groups.items()]
    return f", but {'; '.join(told[:-1])}{'; and ' if len(told) > 1 else ''}{told[-1]}"


def _agrees(other: Part, by_it: Verdict | None, part: Part, verdict: Verdict) -> bool:
    return by_it is verdict and _side(other, part.expected) == _side(part, part.expected)


def _side(part: Part, expected: Expected | None) -> bool:
    """Which side of the published bound, or of zero where a published number is not zero."""
    if isinstance(expected, Beyond):
        return part.estimate > expected.bound
    return not (isinstance(expected, Within) and expected.low <= 0.0 <= expected.high) and part.estimate > 0.0


def _told(other: Part, part: Part) -> str:
    """A variant's phrase, its dates where they are others, and its number unless that is the same."""
    phrase = by_words(other.label)
    if _of_other_dates(other, part):
        phrase += f", {other.window_start:%Y-%m-%d} to {other.window_end:%Y-%m-%d}"
    if other.estimate != part.estimate or part_digits(other) is None:
        return f"{phrase} ({with_interval(other).replace(' (95 %', '; 95 %').removesuffix(')')})"
    return f"{phrase} (95 %: {reach(other.ci_low, other.ci_high, other.unit, part_digits(other))})"


def _of_other_dates(other: Part, part: Part) -> bool:
    return dates_differ(other.window_start, other.window_end, part.window_start, part.window_end)


def _robust(judged: Sequence[tuple[Part, Verdict]]) -> str:
    """The variants that change no verdict of a part that has them; those of other dates apart."""
    steady: dict[str, bool] = {}
    dated: set[str] = set()
    for part, verdict in judged:
        for other, by_it in variants_of(part):
            if by_it in (None, Verdict.NO_DATA):
                continue
            steady[other.label] = steady.get(other.label, True) and _agrees(other, by_it, part, verdict)
            if _of_other_dates(other, part):
                dated.add(other.label)
    same = [label for label, holds in steady.items() if holds]
    here = _phrases([label for label in same if label not in dated])
    elsewhere = _phrases([label for label in same if label in dated])
    if not same:
        return ""
    told = f" {joined(here)}" if here else ""
    if elsewhere:
        told += f"{'; for other dates, also' if here else ', for other dates,'} {joined(elsewhere)}"
    return f"{'Verdicts are' if len(judged) > 1 else 'The verdict is'} the same{told}."


def _phrases(labels: Sequence[str]) -> list[str]:
    """``with 30, 60 and 120 lags``: phrases that differ in a number alone share their words."""
    shared: dict[tuple[str, str], list[str]] = {}
    for label in labels:
        found = _NUMBERED.fullmatch(by_words(label))
        before, number, after = found.groups() if found else (label, "", "")
        shared.setdefault((before, after), []).append(number)
    told = {ends: sorted(numbers, key=lambda number: int(number or 0)) for ends, numbers in shared.items()}
    return [f"{before}{joined(numbers)}{after}" for (before, after), numbers in told.items()]


def _undecided(part: Part, verdict: Verdict) -> bool:
    """The estimate is on the wrong side of a published bound, the interval on both."""
    expected = part.expected
    if verdict is not Verdict.WEAK or not isinstance(expected, Beyond):
        return False
    return part.estimate < expected.bound if expected.above else part.estimate > expected.bound


def _dates(part: Part, main: Part, period: str) -> str:
    """The dates of a number whose data begin or end more than a week from the main one's.

    Of a number about a period of its own, which its label names, only where the data do not cover that.
    """
    if part is main or part.window_start is None or part.window_end is None:
        return ""
    if part.period not in (None, period) and not _short_of(part, period):
        return ""
    first, last = f"{part.window_start:%Y-%m-%d}", f"{part.window_end:%Y-%m-%d}"
    if main.window_start is None or main.window_end is None:
        return f" ({first} to {last})"
    begins = abs(part.window_start - main.window_start) <= LATE
    ends = abs(part.window_end - main.window_end) <= LATE
    if begins and ends:
        return ""
    return f" (from {first})" if ends else f" (to {last})" if begins else f" ({first} to {last})"


def _short_of(part: Part, period: str) -> str:
    """Says so where the data do not cover the window."""
    period = part.period or period
    span = parse_period(period)
    if span is None or part.window_start is None or part.window_end is None:
        return ""
    begins = pd.Timestamp(span.start)
    listed = part.listed_from is not None and part.listed_from > begins
    late = part.window_start > (part.listed_from if listed else begins) + LATE
    early = part.window_end < pd.Timestamp(span.end) - LATE
    if not (late or early):
        return ""
    return (
        f"The data reach from {part.window_start:%Y-%m-%d} to {part.window_end:%Y-%m-%d}, "
        f"not all of {period}."
    )
