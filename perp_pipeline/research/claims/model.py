"""What a claim is, what a finding is, and the one rule that turns numbers into a verdict."""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

import pandas as pd

from perp_pipeline.research.claims.prose import reflowed

Tables = Mapping[str, pd.DataFrame]
"""Tables of the lake by name; those that the lake lacks are absent or empty."""


DAY = "a day"
"""What one lag of most numbers' errors is."""


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
        unit: unit of estimate, se and interval; a key of :data:`~.formats.FORMATS`.
        se: NaN where it is unknown, 0 where the value is exact.
        expected: what was published about this number; None for a number that is only shown.
        period: the period that the number is about, where it is not the claim's.
        published_for: the period that the published value is about, where it is not the claim's.
        withheld: the period that the published value is about, where the number is of another: it is shown
            beside what was published and not judged.
        listed_from: when what it is about began to exist: a window before it is covered from then on.
        variants: the same number by other admissible lags, sources or definitions, labelled with a phrase
            that says how: ``for ETH``, ``on daily spot prices``; ``60 lags`` goes without its word. They are
            never judged for the claim; the reason says what the verdict would be by them.
        hac_lags: Bartlett lags of the Newey-West error; None where the error is of another kind, or there is
            none.
        lag_unit: what one lag is: the distance of the observations.
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
    published_for: str | None = None
    withheld: str = ""
    listed_from: pd.Timestamp | None = None
    variants: tuple[Part, ...] = ()
    hac_lags: int | None = None
    lag_unit: str = DAY


@dataclass(frozen=True)
class Finding:
    """What the data say about a claim: the first published number, the verdict of all, and why.

    ``decided_by`` is the label of the number that the verdict comes from, or says that not all of them can be
    judged; empty where it comes from the first. ``hac_lags`` and ``lag_unit`` are those of the first number.
    """

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
    decided_by: str = ""
    hac_lags: int | None = None
    lag_unit: str = DAY


@dataclass(frozen=True)
class Lack:
    """What could not be computed.

    Attributes:
        text: what is missing.
        published: published numbers that cannot be judged for want of it; 0 where it is wanted only for
            numbers that are shown beside them.
    """

    text: str
    published: int = 0


@dataclass(frozen=True)
class Answer:
    """What a compute function returns.

    Attributes:
        parts: the first published one is the claim's own number; the others are judged or only shown.
        note: what a reader must know: a reading of a vague word, how a text contradicts itself.
        missing: what could not be computed: published numbers, and numbers that would be shown.
    """

    parts: tuple[Part, ...]
    note: str = ""
    missing: tuple[Lack, ...] = ()


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
        dated: what was published is about ``window`` alone, a sample's mean or an episode, so that numbers of
            another window cannot contradict it.
        simulated: those of ``tables`` whose simulations it reads: they are drawn for the window asked for.
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
    simulated: tuple[str, ...] = ()
    dated: bool = False

    @property
    def definition(self) -> str:
        """How the numbers are computed: the docstring of ``compute``, a paragraph to a line."""
        return reflowed(inspect.getdoc(self.compute) or "")

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
      ``wrong as stated`` where it does not: the text contradicts itself.
    - A published value or range ``fails`` where the 95 % interval misses it; where the interval has it,
      it ``holds``, unless the interval has zero too (and the published value is not zero): then ``weak``.
    - A published sign or bound ``holds`` where the whole interval is on its side, ``fails`` where all of it
      is on the other, and is ``weak`` in between: a difference inside its noise contradicts nothing.
    - Without an interval (too few observations: fewer than 8, or 5 independent events) there is ``no data``;
      nor is there for a number of another window than the published one is about.
    """
    expected = part.expected
    if expected is None:
        return None
    if part.withheld:
        return Verdict.NO_DATA
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


@dataclass(frozen=True)
class Tally:
    """Published numbers of a claim, and how many of them could be judged."""

    judged: int
    published: int

    @property
    def whole(self) -> bool:
        """All of them could be."""
        return self.judged == self.published


def tally(verdicts: Sequence[Verdict | None], missing: Sequence[Lack] = ()) -> Tally:
    """How many published numbers there are and how many have a verdict.

    Args:
        verdicts: of the parts that could be computed; None for those that are only shown.
        missing: what could not be computed.
    """
    published = [verdict for verdict in verdicts if verdict is not None]
    lacking = sum(lack.published for lack in missing)
    judged = [verdict for verdict in published if verdict is not Verdict.NO_DATA]
    return Tally(len(judged), len(published) + lacking)


def combined(verdicts: Sequence[Verdict | None], missing: Sequence[Lack] = ()) -> Verdict:
    """The worst verdict: a claim of several numbers holds only if each does.

    A claim some of whose published numbers cannot be judged is ``weak`` at best, whatever the others say;
    one that fails or is wrong as stated in one of them stays so. None judged: ``no data``.
    """
    found = tally(verdicts, missing)
    for verdict in _WORST_FIRST:
        if verdict in verdicts:
            agrees = verdict in (Verdict.HOLDS, Verdict.ARITHMETIC)
            return Verdict.WEAK if agrees and not found.whole else verdict
    return Verdict.NO_DATA
