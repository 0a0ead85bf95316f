"""The numbers behind each claim, one row each."""

from __future__ import annotations

from typing import Final

import pandas as pd

from perp_pipeline.contracts.model import Column, Contract, RowCheck
from perp_pipeline.contracts.results import LAG_COLUMNS, N_CLAIMS, RESULT_CHECKS, VERDICTS


def _shown_or_judged(frame: pd.DataFrame) -> pd.Series:
    """A number has a verdict exactly where something was published about it."""
    return frame["verdict"].notna() == frame["published"].notna()


OUT_CLAIM_PARTS = Contract(
    name="out_claim_parts",
    doc=(
        "The numbers behind the verdicts of out_claims: every part of a claim with its interval, its dates "
        "and, where something was published about it, its verdict; and the same number by other lags, "
        "sources or definitions (variant 1 and on), which are not judged for the claim: their verdict is the "
        "one that they would give."
    ),
    grain="one number of a claim, or a variant of one",
    key=("claim_id", "part", "variant"),
    columns=(
        Column("claim_id", "int32", "number of the claim, 1 to 57", low=1, high=N_CLAIMS),
        Column("part", "int32", "place of the number in its claim; 1 is the claim's own", low=1),
        Column("variant", "int32", "0: the number itself; 1 and on: by another route", low=0),
        Column("label", "string", "what the number is"),
        Column("by", "string", "the other route (60 lags, daily); empty for the number itself"),
        Column(
            "published", "string", "what was published about it; null where it is only shown", nullable=True
        ),
        Column("unit", "string", "unit of estimate, se and interval"),
        Column("estimate", "float64", "our value; see unit", "see unit", nullable=True),
        Column(
            "se", "float64", "standard error; 0 where the value is exact", "see unit", nullable=True, low=0.0
        ),
        Column("ci_low", "float64", "lower end of the 95 % interval", "see unit", nullable=True),
        Column("ci_high", "float64", "upper end of the 95 % interval", "see unit", nullable=True),
        Column("n", "int64", "observations used; 0 for calculators", "count", low=0),
        Column("window_start", "timestamp", "first observation used", nullable=True),
        Column("window_end", "timestamp", "last observation used", nullable=True),
        *LAG_COLUMNS,
        Column(
            "verdict",
            "string",
            "verdict on the number; null where it is only shown",
            nullable=True,
            values=VERDICTS,
        ),
    ),
    checks=(
        *RESULT_CHECKS,
        RowCheck(
            "shown_or_judged",
            "a number has a verdict exactly where something was published about it",
            _shown_or_judged,
            "a part's expected value and its verdict go together",
        ),
    ),
)

TABLES: Final = (OUT_CLAIM_PARTS,)
