"""What a claim is, what a finding is, and the one rule that turns numbers into a verdict."""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

import pandas as pd

from perp_pipeline.research.periods import parse_period

Tables = Mapping[str, pd.DataFrame]
"""Tables of the lake by name; those that the lake lacks are absent or empty."""

LATE = pd.Timedelta(days=7)
"""Data that start or end within a week of the window's bounds cover it."""


class Verdict(StrEnum):
    """What the numbers say about a claim; see :func:`verdict_of` for the rule."""

    HOLDS = "holds"
    FAILS = "fails"
    WEAK = "weak"
    ARITHMETIC = "arithmetic"
    WRONG = "wrong as stated"
    NO_DATA = "no data"


_WORST_FIRST = (Verdict.WRONG, Verdict.FAILS, Verdict.WEAK, Verdict.HOLDS, Verdict.ARITHMETIC)


class MissingData(Exception):
    """The lake lacks what a claim needs; the message says what."""


@dataclass(frozen=True)
class Within:
    """The published text commits to a value or range: ``low <= truth <= high``, both finite."""

    low: float
    high: float


@dataclass(frozen=True)
class Beyond:
    """The published text commits to one side of a bound: above it, or below."""

    bound: float
    above: bool = True


@dataclass(frozen=True)
class Printed:
    """The published text states the result of a calculation, printed to ``rounding`` (half a unit)."""

    value: float
    rounding: float


Expected = Within | Beyond | Printed


def value(published: float) -> Within:
    """A published number."""
    return Within(published, published)


POSITIVE = Beyond(0.0)
NEGATIVE = Beyond(0.0, above=False)


@dataclass(frozen=True)
class Part:
    """One number of a claim.

    Attributes:
        label: what the number is.
        unit: unit of estimate, se and interval; a key of the formats below.
        se: NaN where it is unknown, 0 where the value is exact.
        expected: what was published about this number; None for a number that is only shown.
        period: the period that the number is about, where it is not the claim's.
        variants: the same number by other admissible lags, sources or definitions. They are never judged
            for the claim; the reason says what the verdict would be by them.
    """

    label: str
    unit: str
    estimate: float
    se: float = math.nan
    ci_low: float = math.nan
    ci_high: float = math.nan
    n: int = 0
    window_start: pd.Timestamp | None = None
    window_end: pd.Timestamp | None = None
    expected: Expected | None = None
    period: str | None = None
    variants: tuple[Part, ...] = ()


@dataclass(frozen=True)
class Finding:
    """What the data say about a claim: the first part's numbers, the verdict of all parts, and why."""

    estimate: float
    se: float
    ci_low: float
    ci_high: float
    n: int
    window_start: pd.Timestamp | None
    window_end: pd.Timestamp | None
    verdict: Verdict
    table: str
    reason: str
    unit: str
    parts: tuple[Part, ...] = ()


@dataclass(frozen=True)
class Answer:
    """What a compute function returns.

    Attributes:
        parts: the first is the claim's own number; the others are judged or only shown.
        note: what a reader must know: a reading of a vague word, how a text contradicts itself.
        missing: what parts could not be computed, and why.
    """

    parts: tuple[Part, ...]
    note: str = ""
    missing: tuple[str, ...] = ()


Compute = Callable[[Tables, str], Answer]
"""From the lake's tables and a period to the answer. Its docstring is the claim's definition."""


@dataclass(frozen=True)
class Claim:
    """A claim of the essays.

    Attributes:
        id: 1 to 57.
        source: the texts that make it (A, B, C19, C22, C24a, C24b, C24c).
        statement: the claim in one sentence.
        published: the published value, as text.
        unit: unit of the first part.
        window: the period that the claim is about; ``all`` where the text names none.
        tables: tables of the lake that the numbers come from.
        theory: calculators used, as modules of :mod:`perp_pipeline.theory`.
    """

    id: int
    source: str
    statement: str
    published: str
    unit: str
    window: str
    compute: Compute
    tables: tuple[str, ...] = ()
    theory: tuple[str, ...] = ()

    @property
    def definition(self) -> str:
        """How the numbers are computed."""
        return inspect.getdoc(self.compute) or ""

    @property
    def code(self) -> str:
        """Where they are computed: module, function and line."""
        _, line = inspect.getsourcelines(self.compute)
        return f"{self.compute.__module__}.{self.compute.__qualname__} (line {line})"

    @property
    def origin(self) -> str:
        """Tables and calculators, as one text."""
        return ", ".join((*self.tables, *(f"theory.{module}" for module in self.theory)))


def verdict_of(part: Part) -> Verdict | None:
    """The verdict on one number; None for a number that is only shown.

    - A calculation is ``arithmetic`` where it gives the printed number to its rounding, and
      ``wrong as stated`` where it does not.
    - A published value or range ``fails`` where the 95 % interval misses it; where the interval has it,
      it ``holds``, unless the interval has zero too (and the published value is not zero): then ``weak``.
    - A published sign or bound ``holds`` where the whole interval is on its side, ``fails`` where all of it
      is on the other, and is ``weak`` in between: a difference inside its noise contradicts nothing.
    - Without an interval (fewer than 8 observations) there is ``no data``.
    """
    expected = part.expected
    if expected is None:
        return None
    if isinstance(expected, Printed):
        off = abs(part.estimate - expected.value)
        return Verdict.ARITHMETIC if off <= expected.rounding * (1 + 1e-9) else Verdict.WRONG
    if not all(math.isfinite(number) for number in (part.estimate, part.ci_low, part.ci_high)):
        return Verdict.NO_DATA
    if isinstance(expected, Within):
        if part.ci_high < expected.low or part.ci_low > expected.high:
            return Verdict.FAILS
        spans_zero = part.ci_low <= 0.0 <= part.ci_high
        return Verdict.WEAK if spans_zero and not expected.low <= 0.0 <= expected.high else Verdict.HOLDS
    side = 1.0 if expected.above else -1.0
    near_end, far_end = (part.ci_low, part.ci_high) if expected.above else (part.ci_high, part.ci_low)
    if side * (far_end - expected.bound) <= 0.0:
        return Verdict.FAILS
    return Verdict.HOLDS if side * (near_end - expected.bound) > 0.0 else Verdict.WEAK


def combined(verdicts: Sequence[Verdict | None]) -> Verdict:
    """The worst verdict: a claim of several numbers holds only if each does. None judged: ``no data``."""
    for verdict in _WORST_FIRST:
        if verdict in verdicts:
            return verdict
    return Verdict.NO_DATA


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
            f"Missing: {missing}.",
            claim.unit,
        )
    head = answer.parts[0]
    verdicts = [verdict_of(part) for part in answer.parts]
    sentences = [_sentence(part, verdict) for part, verdict in zip(answer.parts, verdicts, strict=True)]
    judged = [part for part in answer.parts if part.expected is not None] or answer.parts
    short = dict.fromkeys(text for part in judged if (text := _short_of(part, period)))
    missing_text = [f"Missing: {text}." for text in answer.missing]
    verdict = combined(verdicts)
    if verdict is Verdict.NO_DATA and any(part.expected is not None for part in answer.parts):
        missing_text.append("Missing: 8 or more observations to judge by.")
    return Finding(
        head.estimate,
        head.se,
        head.ci_low,
        head.ci_high,
        head.n,
        head.window_start,
        head.window_end,
        verdict,
        claim.origin,
        " ".join([*sentences, *([answer.note] if answer.note else []), *short, *missing_text]),
        head.unit,
        answer.parts,
    )


_FORMATS: dict[str, tuple[float, str, str]] = {
    "fraction a year": (100.0, ".2f", " % a year"),
    "fraction a day": (100.0, ".3f", " % a day"),
    "fraction per 8 h": (100.0, ".4f", " % per 8 h"),
    "fraction": (100.0, ".2f", " %"),
    "fraction of the index": (100.0, ".4f", " %"),
    "share": (100.0, ".1f", " %"),
    "bp of volume": (1.0, ".2f", " bp"),
    "USD": (1.0, ",.2f", " USD"),
    "USD a day": (1.0, ",.0f", " USD a day"),
    "1": (1.0, ".3g", ""),
}
"""Unit of a part: factor, number format and suffix for people."""

UNITS = tuple(_FORMATS)


def readable(number: float, unit: str) -> str:
    """A number with its unit, for people."""
    factor, form, suffix = _FORMATS[unit]
    return f"{factor * number:{form}}{suffix}"


def _sentence(part: Part, verdict: Verdict | None) -> str:
    factor, form, _ = _FORMATS[part.unit]
    text = f"{part.label}: {readable(part.estimate, part.unit)}"
    if part.se > 0:
        text += f" (95 %: {factor * part.ci_low:{form}} to {factor * part.ci_high:{form}})"
    if verdict is not None:
        text += f" [{verdict}{', on the other side of the bound' if _undecided(part, verdict) else ''}]"
    return f"{text}{_by_other_routes(part, verdict)}."


def _by_other_routes(part: Part, verdict: Verdict | None) -> str:
    """What the variants of a judged number say: the same, or which of them would change its verdict."""
    if not part.variants or verdict is None:
        return ""
    others = [(other, verdict_of(replace(other, expected=part.expected))) for other in part.variants]
    changed = [
        f"{other.label}: {readable(other.estimate, other.unit)} [{by_it}]"
        for other, by_it in others
        if by_it is not None and by_it is not verdict
    ]
    if changed:
        return f"; hangs on it: {', '.join(changed)}"
    return f"; the same by {', '.join(other.label for other, _ in others)}"


def _undecided(part: Part, verdict: Verdict) -> bool:
    """The estimate is on the wrong side of a published bound, the interval on both."""
    expected = part.expected
    if verdict is not Verdict.WEAK or not isinstance(expected, Beyond):
        return False
    return part.estimate < expected.bound if expected.above else part.estimate > expected.bound


def _short_of(part: Part, period: str) -> str:
    """Says so where the data do not cover the window."""
    period = part.period or period
    span = parse_period(period)
    if span is None or part.window_start is None or part.window_end is None:
        return ""
    late = part.window_start > pd.Timestamp(span.start) + LATE
    early = part.window_end < pd.Timestamp(span.end) - LATE
    if not (late or early):
        return ""
    return (
        f"The data for this reach from {part.window_start:%Y-%m-%d} to {part.window_end:%Y-%m-%d}, "
        f"not all of {period}."
    )
