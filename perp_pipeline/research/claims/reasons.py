"""Why a claim gets its verdict, in words."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property

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
    combined,
    tally,
)
from perp_pipeline.research.claims.routes import (
    DOES,
    LATE,
    Route,
    by_words,
    choices,
    dates_differ,
    hangs_on,
    joined,
    routes_of,
    steady,
    variants_of,
)
from perp_pipeline.research.periods import parse_period
from perp_pipeline.research.words import plain

MOST_LISTED = 3
"""More numbers than these that hold or are only shown, or more routes that change the verdict of a number
other than the first told, are counted: the table of numbers has them."""

__all__ = ["by_words", "dates_differ", "published_words", "reason_of", "variants_of"]


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


@dataclass(frozen=True)
class _Judged:
    """A published number with its verdict, and its dates where they are not the claim's."""

    part: Part
    verdict: Verdict
    dates: str

    @cached_property
    def routes(self) -> list[Route]:
        return routes_of(self.part, self.verdict)

    @property
    def hangs(self) -> bool:
        return any(not route.agrees for route in self.routes)


def reason_of(answer: Answer, verdicts: Sequence[Verdict | None], period: str) -> str:
    """Why a claim gets its verdict, in words.

    First the number that decides, with its interval, what was published and the verdict, and the routes by
    which that would be another; then how many of the other numbers agree and what verdicts hang on. The
    details follow: other verdicts that hang on routes, the other numbers by verdict, those that are not
    judged, the numbers shown beside them, the note, what part of the window the data cover, how many of the
    published numbers could be judged, and what is missing.

    Args:
        verdicts: of the answer's parts, in their order.
    """
    both = list(zip(answer.parts, verdicts, strict=True))
    published = [(part, verdict) for part, verdict in both if verdict is not None]
    shown = [part for part, verdict in both if verdict is None]
    sentences = []
    if answer.parts:
        main = published[0][0] if published else shown[0]
        numbers = [_Judged(part, verdict, _dates(part, main, period)) for part, verdict in published]
        sentences += _about_judged(
            [number for number in numbers if number.verdict is not Verdict.NO_DATA],
            combined(verdicts, answer.missing),
        )
        sentences += _unjudged([number for number in numbers if number.verdict is Verdict.NO_DATA], period)
        told = [_beside(part, _dates(part, main, period)) for part in shown]
        sentences += [
            _shown(told, alone=not published),
            _capital(plain(answer.note)),
            _short_of(main, period),
        ]
    sentences += [_judged_on(tally(verdicts, answer.missing)), *_missing(answer)]
    return " ".join(sentence for sentence in sentences if sentence)


def _about_judged(judged: Sequence[_Judged], verdict: Verdict) -> list[str]:
    """What decides, how the others stand to it, and what verdicts hang on."""
    if not judged:
        return []
    # None has the claim's verdict where it is weak for want of numbers alone.
    head = next((number for number in judged if number.verdict is verdict), judged[0])
    others = [number for number in judged if number is not head]
    sentences = [_decides(head, verdict)]
    if head.hangs:
        sentences.append(f"It {hangs_on(head.routes, head.verdict)}.")
    sentences.append(_count(head, others))
    for number in others:
        if number.hangs:
            hangs = hangs_on(number.routes, number.verdict, most=MOST_LISTED)
            sentences.append(f"{_capital(_brief(number, head))} {DOES[number.verdict][0]}, but {hangs}.")
    sentences += _steady([number for number in others if not number.hangs], head)
    if not any(number.hangs for number in judged):
        sentences.append(steady([number.routes for number in judged]))
    return sentences


def _decides(head: _Judged, verdict: Verdict) -> str:
    """``Fails: funding is 53.0 % a year (95 %: 41.5 to 64.5), at odds with the published 66.00 % a year.``"""
    part = head.part
    lead = str(verdict).capitalize()
    if head.verdict is not verdict:
        lead += ", since not all published numbers can be judged"
    equals = " =" if isinstance(part.expected, Printed) else ", is" if "," in part.label else " is"
    return f"{lead}: {part.label}{_bracketed(head.dates)}{equals} {_with_lags(part)}{_against(head)}."


def _against(number: _Judged) -> str:
    """How a number stands to what was published about it."""
    part, verdict = number.part, number.verdict
    assert part.expected is not None
    words = published_words(part.expected, part.unit)
    if isinstance(part.expected, Printed):
        if verdict is Verdict.WRONG:
            return f", where the text prints {words}"
        same = words == readable(part.estimate, part.unit)
        return ", as published" if same else f", published as {words}"
    if isinstance(part.expected, Within):
        if part.expected == Within(0.0, 0.0) and verdict is Verdict.HOLDS:
            # An interval that has zero has other values too: it does not show that the number is zero.
            return ", published as 0: zero is not rejected"
        if verdict is Verdict.FAILS:
            return f", at odds with the published {words}"
        also = ", but with zero too" if verdict is Verdict.WEAK else ""
        return f", in agreement with the published {words}{also}"
    if verdict is Verdict.HOLDS:
        return f", {words} as claimed"
    if verdict is Verdict.FAILS:
        return f", where the claim is {words}"
    if _undecided(part, verdict):
        return f", on the other side of what is claimed ({words}), which the interval does not rule out"
    return f", {words} as claimed, but the interval has the other side too"


def _count(head: _Judged, others: Sequence[_Judged]) -> str:
    """``Of 6 other published numbers 4 hold and 2 fail; 3 of the 7 verdicts hang on the lags.``

    Empty where no verdict hangs on a choice and the others are few enough to be listed.
    """
    every = [head, *others]
    hanging = sum(number.hangs for number in every)
    if not others or (not hanging and len(others) <= MOST_LISTED):
        return ""
    which = f"all {hanging}" if hanging == len(every) else f"{hanging} of the {len(every)}"
    on = choices([route for number in every for route in number.routes])
    hangs = f"{which} verdicts {'hangs' if hanging == 1 else 'hang'} on {on}" if hanging else ""
    told = _agreement(others) if len(others) > 1 else ""
    return f"{_capital('; '.join(text for text in (told, hangs) if text))}."


def _agreement(others: Sequence[_Judged]) -> str:
    """``Of 6 other published numbers 4 hold, 1 is weak and 1 fails``; ``All 6 ... hold``."""
    groups = [
        (count, one if count == 1 else several)
        for verdict, (one, several) in reversed(DOES.items())
        if (count := sum(number.verdict is verdict for number in others))
    ]
    if len(groups) == 1:
        return f"All {len(others)} other published numbers {groups[0][1]}"
    told = joined([f"{count} {does}" for count, does in groups])
    return f"Of {len(others)} other published numbers {told}"


def _steady(others: Sequence[_Judged], head: _Judged) -> list[str]:
    """Numbers whose verdicts hang on nothing, by verdict; where many hold, they have been counted."""
    told = []
    for verdict, (one, several) in DOES.items():
        own = [number for number in others if number.verdict is verdict]
        agrees = verdict in (Verdict.HOLDS, Verdict.ARITHMETIC)
        if own and not (agrees and len(own) > MOST_LISTED):
            does = one if len(own) == 1 else several
            told.append(f"{_capital(joined([_brief(number, head) for number in own]))} {does}.")
    return told


def _brief(number: _Judged, head: _Judged | None = None) -> str:
    """``funding (62.7 % a year, to 2021-12-23; published: 63.00 % a year)``: the table of numbers has more.

    What was published is left out where the number agrees with it, or where it is what the head's is.
    """
    part = number.part
    assert part.expected is not None
    words = published_words(part.expected, part.unit)
    told = [readable(part.estimate, part.unit, part_digits(part))]
    told += [number.dates] if number.dates else []
    known = number.verdict in (Verdict.HOLDS, Verdict.ARITHMETIC) or (
        head is not None and head.part.expected == part.expected
    )
    return f"{part.label} ({', '.join(told)}{'' if known else f'; published: {words}'})"


def _unjudged(numbers: Sequence[_Judged], period: str) -> Iterable[str]:
    """Numbers that what was published is not about, and those of too few observations."""
    withheld = [number for number in numbers if number.part.withheld]
    if withheld:
        about = joined(list(dict.fromkeys(number.part.withheld for number in withheld)))
        told = joined([_brief(number) for number in withheld])
        yield f"What was published about {about} is shown over {period}, not judged: {told}."
    few: dict[int, list[str]] = {}
    for number in numbers:
        if not number.part.withheld:
            few.setdefault(number.part.n, []).append(_brief(number))
    for count, briefs in few.items():
        yield f"n = {count:,} is too few to judge by: {joined(briefs)}."


def _judged_on(found: Tally) -> str:
    if found.whole or not found.judged:
        return ""
    return f"Judged on {found.judged} of {found.published} published numbers."


def _missing(answer: Answer) -> list[str]:
    published = "; ".join(plain(lack.text) for lack in answer.missing if lack.published)
    beside = "; ".join(plain(lack.text) for lack in answer.missing if not lack.published)
    told = [f"Missing: {published}."] if published else []
    return [*told, f"Not shown beside it, because missing: {beside}."] if beside else told


def _capital(text: str) -> str:
    """A sentence's beginning, unless its first word is a name (dYdX, v3) or a formula."""
    first = text.split(" ", maxsplit=1)[0].rstrip(",:")
    return text[:1].upper() + text[1:] if first.isalpha() and first.islower() else text


def _beside(part: Part, dates: str) -> str:
    return f"{part.label}{_bracketed(dates)}: {readable(part.estimate, part.unit, part_digits(part))}"


def _shown(told: Sequence[str], *, alone: bool) -> str:
    """Numbers that are only shown; many are counted, unless they are all that there is."""
    if not told:
        return ""
    if alone:
        return f"{_capital('; '.join(told))}."
    if len(told) > MOST_LISTED:
        return f"{len(told)} more numbers are shown, not judged."
    return f"Beside it: {'; '.join(told)}."


def _bracketed(dates: str) -> str:
    return f" ({dates})" if dates else ""


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
        return f"{first} to {last}"
    begins = abs(part.window_start - main.window_start) <= LATE
    ends = abs(part.window_end - main.window_end) <= LATE
    if begins and ends:
        return ""
    return f"from {first}" if ends else f"to {last}" if begins else f"{first} to {last}"


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
