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
    Tables,
    Verdict,
    combined,
    tally,
    verdict_of,
)
from perp_pipeline.research.claims.reasons import reason_of
from perp_pipeline.research.words import plain


def evaluate(claim: Claim, tables: Tables, window: str | None = None) -> Finding:
    """Compute a claim over its own window, or over another."""
    period = window or claim.window
    try:
        answer = claim.compute(tables, period)
    except MissingData as lack:
        answer = Answer((), missing=(Lack(str(lack), published=1),))
    answer = replace(answer, parts=tuple(_named(part) for part in answer.parts))
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
    )


def _named(part: Part) -> Part:
    """The part with its label, and its variants', in words."""
    variants = tuple(replace(other, label=plain(other.label)) for other in part.variants)
    return replace(part, label=plain(part.label), variants=variants)


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
