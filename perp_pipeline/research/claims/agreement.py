"""Whether out_claims and out_claim_parts tell of one computation: a lake may hold them from two."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import numpy as np
import pandas as pd

from perp_pipeline.research.claims.model import Verdict, combined

REMEDY: Final = "perp run --offline --select out_claims, with the --from and --to that filled the lake"
"""What builds both tables again from what the lake holds."""

ABSENT: Final = f"the numbers behind the verdict are not in this lake. To compute them: {REMEDY}"
APART: Final = (
    "the numbers in out_claim_parts are of another computation than the row in out_claims, so that they are "
    f"left out. To compute both again: {REMEDY}"
)

_TOLD: Final = ("estimate", "se", "ci_low", "ci_high", "n")
_DATES: Final = ("window_start", "window_end")


def unmatched(claims: pd.DataFrame, parts: pd.DataFrame | None) -> dict[int, str]:
    """Claims whose row and whose numbers do not belong together, with what to say about each.

    A claim's first published number is its row's; the verdicts of its numbers give its row's.

    Args:
        claims: out_claims.
        parts: out_claim_parts; None or empty where the lake has none.

    Returns:
        claim number -> :data:`ABSENT` or :data:`APART`.
    """
    if parts is None or parts.empty:
        return dict.fromkeys(map(int, claims["claim_id"]), ABSENT)
    own = dict(list(parts[parts["variant"] == 0].groupby("claim_id")))
    found = {}
    for row in claims.to_dict("records"):
        claim = int(row["claim_id"])
        numbers = own.get(claim)
        if numbers is None:
            if not pd.isna(row["estimate"]):
                found[claim] = ABSENT
        elif not _agree(row, numbers.sort_values("part")):
            found[claim] = APART
    return found


def _agree(row: Mapping[Any, Any], numbers: pd.DataFrame) -> bool:
    published = numbers[numbers["published"].notna()]
    if published.empty and pd.isna(row["estimate"]):
        return True
    # A claim none of whose published numbers can be computed has the first that is shown, or none.
    first = (numbers if published.empty else published).iloc[0]
    told = np.array([[one[name] for name in _TOLD] for one in (row, first)], dtype=np.float64)
    same = np.allclose(told[0], told[1], rtol=1e-9, atol=0.0, equal_nan=True) and row["unit"] == first["unit"]
    dates = all(row[name] == first[name] or (pd.isna(row[name]) and pd.isna(first[name])) for name in _DATES)
    verdicts = [Verdict(verdict) for verdict in published["verdict"].dropna()]
    # What cannot be computed has no part, and lets a claim be weak at best.
    worst = combined(verdicts)
    capped = row["verdict"] == Verdict.WEAK and worst in (Verdict.HOLDS, Verdict.ARITHMETIC)
    return bool(same and dates and (row["verdict"] == worst or capped))
