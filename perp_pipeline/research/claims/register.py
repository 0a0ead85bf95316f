"""All claims in one list, and the table that they make."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from functools import cache
from typing import Any

import numpy as np
import pandas as pd

from perp_pipeline.contracts.claim_parts import OUT_CLAIM_PARTS
from perp_pipeline.contracts.model import Contract
from perp_pipeline.contracts.results import OUT_CLAIMS
from perp_pipeline.research.claims import (
    amm,
    averages,
    episodes,
    precision,
    prediction,
    premium,
    quanto,
    returns,
    sides,
    theory,
)
from perp_pipeline.research.claims.evaluation import evaluate
from perp_pipeline.research.claims.model import Claim, Finding, Part, Tables, verdict_of
from perp_pipeline.research.claims.reasons import published_words, variants_of

CHAPTERS = (averages, episodes, returns, prediction, premium, precision, quanto, theory, amm, sides)


@cache
def register() -> tuple[Claim, ...]:
    """Every claim, by number.

    Raises:
        ValueError: a number is registered twice.
    """
    claims = sorted((claim for chapter in CHAPTERS for claim in chapter.CLAIMS), key=lambda claim: claim.id)
    if len({claim.id for claim in claims}) != len(claims):
        raise ValueError("a claim is registered twice")
    return tuple(claims)


def find_claim(claim_id: int) -> Claim:
    """One claim by its number.

    Raises:
        KeyError: there is no such claim.
    """
    for claim in register():
        if claim.id == claim_id:
            return claim
    raise KeyError(f"no claim {claim_id}: they run from {register()[0].id} to {register()[-1].id}")


def tables_needed() -> tuple[str, ...]:
    """Names of all tables that claims read, sorted."""
    return tuple(sorted({table for claim in register() for table in claim.tables}))


def build_claims(
    tables: Tables, windows: Mapping[int, str] | None = None, only: Collection[int] | None = None
) -> pd.DataFrame:
    """out_claims: one row per claim, from the tables that the lake has.

    Args:
        tables: frames by name; a table may be absent or empty, and the claims on it get ``no data``.
        windows: other periods than the claims' own, by claim number.
        only: numbers of the claims wanted; all by default.
    """
    rows = []
    for claim, finding in _findings(tables, windows, only):
        rows.append(
            {
                "claim_id": claim.id,
                "source": claim.source,
                "statement": claim.statement,
                "published": claim.published,
                "unit": finding.unit,
                "estimate": finding.estimate,
                "se": finding.se,
                "ci_low": finding.ci_low,
                "ci_high": finding.ci_high,
                "n": finding.n,
                "window_start": finding.window_start,
                "window_end": finding.window_end,
                **_lags(finding),
                "verdict": str(finding.verdict),
                "decided_by": finding.decided_by,
                "table": finding.table,
                "reason": finding.reason,
            }
        )
    return _typed(pd.DataFrame(rows, columns=_names(OUT_CLAIMS)))


def build_claim_parts(
    tables: Tables, windows: Mapping[int, str] | None = None, only: Collection[int] | None = None
) -> pd.DataFrame:
    """out_claim_parts: one row per number of a claim, and one per variant of a judged number.

    Args:
        tables, windows, only: as for :func:`build_claims`.
    """
    rows: list[dict[str, Any]] = []
    for claim, finding in _findings(tables, windows, only):
        rows += part_rows(claim.id, finding.parts)
    frame = pd.DataFrame(rows, columns=_names(OUT_CLAIM_PARTS))
    return _typed(frame).astype({"part": np.int32, "variant": np.int32})


def part_rows(claim_id: int, parts: Sequence[Part]) -> Iterator[dict[str, Any]]:
    """Rows of out_claim_parts of one claim."""
    for place, part in enumerate(parts, start=1):
        verdict = verdict_of(part)
        about = {
            "claim_id": claim_id,
            "part": place,
            "label": part.label,
            "published": _published(part),
        }
        variants = variants_of(part) if verdict is not None else [(other, None) for other in part.variants]
        for variant, (one, its) in enumerate([(part, verdict), *variants]):
            yield about | {
                "variant": variant,
                "by": one.label if variant else "",
                "unit": one.unit,
                "estimate": one.estimate,
                "se": one.se,
                "ci_low": one.ci_low,
                "ci_high": one.ci_high,
                "n": one.n,
                "window_start": one.window_start,
                "window_end": one.window_end,
                **_lags(one),
                "verdict": None if its is None or part.withheld else str(its),
            }


def _published(part: Part) -> str | None:
    """What was published about a number, and about when where the number is of another window."""
    if part.expected is None:
        return None
    words = published_words(part.expected, part.unit)
    return f"{words} ({part.withheld})" if part.withheld else words


def _lags(found: Finding | Part) -> dict[str, Any]:
    """Lags of an error and what one of them is; both null where it has none."""
    told = found.hac_lags is not None
    return {"hac_lags": found.hac_lags, "lag_unit": found.lag_unit if told else None}


def _findings(
    tables: Tables, windows: Mapping[int, str] | None, only: Collection[int] | None
) -> Iterator[tuple[Claim, Finding]]:
    asked = windows or {}
    for claim in register():
        if only is None or claim.id in only:
            yield claim, evaluate(claim, tables, asked.get(claim.id))


def _names(contract: Contract) -> list[str]:
    return [column.name for column in contract.columns]


def _typed(frame: pd.DataFrame) -> pd.DataFrame:
    for column in ("window_start", "window_end"):
        frame[column] = pd.to_datetime(frame[column], utc=True).dt.as_unit("us")
    return frame.astype({"claim_id": np.int32, "n": np.int64, "hac_lags": "Int32"})


def out_claims(**tables: pd.DataFrame) -> pd.DataFrame:
    """:func:`build_claims` as a step: one keyword argument per table of :func:`tables_needed`."""
    return build_claims(tables)


def out_claim_parts(**tables: pd.DataFrame) -> pd.DataFrame:
    """:func:`build_claim_parts` as a step."""
    return build_claim_parts(tables)


def explain(claim_id: int, tables: Tables | None = None, window: str | None = None) -> dict[str, str]:
    """A claim in full: statement, published value, definition, window, tables and code.

    Args:
        tables: with the lake's tables, the finding is computed and added.
        window: another period than the claim's own that its numbers are computed over.

    Raises:
        KeyError: there is no such claim.
    """
    claim = find_claim(claim_id)
    text = {
        "claim": f"{claim.id} ({claim.source})",
        "statement": claim.statement,
        "published": claim.published,
        "definition": claim.definition,
        "window": claim.window
        if window is None
        else f"{window}, as asked for; the claim's own: {claim.window}",
        "tables": claim.origin,
        "code": claim.code,
    }
    if tables is not None:
        finding = evaluate(claim, tables, window)
        text |= {"verdict": str(finding.verdict), "reason": finding.reason}
    return text
