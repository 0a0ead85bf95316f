"""From a claim to its finding."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from perp_pipeline.research.claims.model import (
    Answer,
    Claim,
    Finding,
    Lack,
    MissingData,
    Part,
    Printed,
    Tables,
    Verdict,
    combined,
    tally,
    verdict_of,
)
from perp_pipeline.research.claims.reasons import reason_of
from perp_pipeline.research.periods import parse_period
from perp_pipeline.research.words import plain


def evaluate(claim: Claim, tables: Tables, window: str | None = None) -> Finding:
    """Compute a claim over its own window, or over another."""
    period = window or claim.window
    try:
        answer = claim.compute(tables, period)
    except MissingData as lack:
        answer = Answer((), missing=(Lack(str(lack), published=1),))
    parts = [_placed(_named(part), claim, period) for part in answer.parts]
    answer = replace(answer, parts=tuple(part for part in parts if not _told_already(part, parts)))
    verdicts = [verdict_of(part) for part in answer.parts]
    # A claim has no number of its own where none of its published ones can be computed.
    head = next(
        (part for part in answer.parts if part.expected is not None), Part("", claim.unit, float("nan"))
    )
    verdict = combined(verdicts, answer.missing)
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
        reason_of(answer, verdicts, period),
        head.unit,
        answer.parts,
        _decided_by(answer, verdicts, verdict),
        head.hac_lags,
        head.lag_unit,
    )


def _named(part: Part) -> Part:
    """The part with its label, and its variants', in words."""
    variants = tuple(replace(other, label=plain(other.label)) for other in part.variants)
    return replace(part, label=plain(part.label), variants=variants)


def _placed(part: Part, claim: Claim, period: str) -> Part:
    """The part, withheld from judgement where what was published is about another period."""
    about = part.published_for or (claim.window if claim.dated else period)
    over = part.period or period if part.published_for else period
    if (
        part.expected is None
        or isinstance(part.expected, Printed)
        or parse_period(about) == parse_period(over)
    ):
        return part
    return replace(part, withheld=about)


def _told_already(part: Part, parts: Sequence[Part]) -> bool:
    """A withheld number that stands among the judged ones as well."""
    return bool(part.withheld) and any(
        other.expected is not None and not other.withheld and _number(other) == _number(part)
        for other in parts
    )


def _number(part: Part) -> tuple[object, ...]:
    return part.unit, part.estimate, part.ci_low, part.ci_high, part.n, part.window_start, part.window_end


def _decided_by(answer: Answer, verdicts: Sequence[Verdict | None], verdict: Verdict) -> str:
    """What a claim's verdict comes from, where that is not its first published number."""
    if verdict is Verdict.NO_DATA:
        return ""
    published = [
        (part.label, its) for part, its in zip(answer.parts, verdicts, strict=True) if its is not None
    ]
    for place, (label, its) in enumerate(published):
        if its is verdict:
            return label if place else ""
    found = tally(verdicts, answer.missing)
    return f"only {found.judged} of {found.published} published numbers can be judged"
