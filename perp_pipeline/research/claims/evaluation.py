"""From a claim to its finding, and the reason that the finding gives."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import replace

import pandas as pd

from perp_pipeline.research.claims.model import (
    FORMATS,
    Answer,
    Beyond,
    Claim,
    Expected,
    Finding,
    MissingData,
    Part,
    Printed,
    Tables,
    Verdict,
    combined,
    readable,
    verdict_of,
)
from perp_pipeline.research.periods import parse_period
from perp_pipeline.research.words import plain

LATE = pd.Timedelta(days=7)
"""Data that start or end within a week of a window's bounds cover it."""


def evaluate(claim: Claim, tables: Tables, window: str | None = None) -> Finding:
    """Compute a claim over its own window, or over another."""
    period = window or claim.window
    try:
        answer = claim.compute(tables, period)
    except MissingData as missing:
        return Finding(
            math.nan,
            math.nan,
            math.nan,
            math.nan,
            0,
            None,
            None,
            Verdict.NO_DATA,
            claim.origin,
            f"Missing: {plain(str(missing))}.",
            claim.unit,
        )
    parts = tuple(_named(part) for part in answer.parts)
    head = parts[0]
    verdicts = [verdict_of(part) for part in parts]
    return Finding(
        head.estimate,
        head.se,
        head.ci_low,
        head.ci_high,
        head.n,
        head.window_start,
        head.window_end,
        combined(verdicts),
        claim.origin,
        reason_of(replace(answer, parts=parts), verdicts, period),
        head.unit,
        parts,
    )


def _named(part: Part) -> Part:
    """The part with its label, and its variants', in words."""
    variants = tuple(replace(other, label=plain(other.label)) for other in part.variants)
    return replace(part, label=plain(part.label), variants=variants)


def variants_of(part: Part) -> list[tuple[Part, Verdict | None]]:
    """The variants of a judged number, each with the verdict that it would give."""
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


def reason_of(answer: Answer, verdicts: Sequence[Verdict | None], period: str) -> str:
    """Why a claim gets its verdict, in words.

    The judged numbers with their intervals and verdicts, what their verdicts hang on, the numbers that are
    shown beside them, the note, what part of the window the data cover, and what is missing.

    Args:
        verdicts: of the answer's parts, in their order.
    """
    judged = [
        (part, verdict) for part, verdict in zip(answer.parts, verdicts, strict=True) if verdict is not None
    ]
    shown = [part for part, verdict in zip(answer.parts, verdicts, strict=True) if verdict is None]
    main = judged[0][0] if judged else answer.parts[0]
    sentences = [_sentence(part, verdict, _dates(part, main, period)) for part, verdict in judged]
    sentences += [text for text in (_robust([part for part, _ in judged]),) if text]
    if shown:
        told = "; ".join(_beside(part, _dates(part, main, period)) for part in shown)
        sentences.append(f"{'Beside it: ' if judged else ''}{told}.")
    if answer.note:
        sentences.append(plain(answer.note))
    sentences += [text for text in (_short_of(main, period),) if text]
    sentences += [f"Missing: {plain(text)}." for text in answer.missing]
    if combined(verdicts) is Verdict.NO_DATA and judged:
        sentences.append("Missing: 8 or more observations to judge by.")
    return " ".join(sentences)


def _sentence(part: Part, verdict: Verdict, dates: str) -> str:
    side = ", on the other side of the bound" if _undecided(part, verdict) else ""
    return f"{part.label}{dates}: {_with_interval(part)} [{verdict}{side}]{_hangs_on(part, verdict)}."


def _beside(part: Part, dates: str) -> str:
    return f"{part.label}{dates}: {readable(part.estimate, part.unit)}"


def _with_interval(part: Part) -> str:
    text = readable(part.estimate, part.unit)
    if part.se > 0:
        factor, form, _ = FORMATS[part.unit]
        text += f" (95 %: {factor * part.ci_low:{form}} to {factor * part.ci_high:{form}})"
    return text


def _hangs_on(part: Part, verdict: Verdict) -> str:
    """Which variants of a judged number would change its verdict."""
    changed = [
        f"{other.label} {_differing(other, part)} [{by_it}]"
        for other, by_it in variants_of(part)
        if by_it is not None and by_it is not verdict
    ]
    return f"; hangs on it: {', '.join(changed)}" if changed else ""


def _differing(other: Part, part: Part) -> str:
    """A variant's number, or its interval alone where the number is the same."""
    told = _with_interval(other)
    same = readable(part.estimate, part.unit)
    return told.removeprefix(f"{same} ") if other.se > 0 else told


_DATED = re.compile(r" \(\d{4}-\d\d-\d\d to [^)]*\)$")


def _robust(judged: Sequence[Part]) -> str:
    """The variants that change no verdict of a part that has them."""
    steady: dict[str, bool] = {}
    for part in judged:
        verdict = verdict_of(part)
        for other, by_it in variants_of(part):
            label = _DATED.sub("", other.label)
            steady[label] = steady.get(label, True) and by_it in (verdict, None)
    same = [label for label, holds in steady.items() if holds]
    if not same:
        return ""
    return f"{'Verdicts are' if len(judged) > 1 else 'The verdict is'} the same by {_listed(same)}."


def _listed(labels: Sequence[str]) -> str:
    """``30, 60 and 120 lags``: labels that differ in a number share their words."""
    numbers = [re.fullmatch(r"(\d+) lags", label) for label in labels]
    lags = [found[1] for found in numbers if found]
    others = [label for label, found in zip(labels, numbers, strict=True) if not found]
    told = [*([_joined(lags) + " lags"] if lags else []), *others]
    return ", ".join(told)


def _joined(texts: Sequence[str]) -> str:
    return texts[0] if len(texts) == 1 else f"{', '.join(texts[:-1])} and {texts[-1]}"


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
        f"The data for this reach from {part.window_start:%Y-%m-%d} to {part.window_end:%Y-%m-%d}, "
        f"not all of {period}."
    )
