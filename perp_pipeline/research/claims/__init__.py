"""The claims register: every quantitative claim of the essays, computed.

To add a claim, write its compute function in the module of its chapter and a row in that module's
``CLAIMS``. The docstring of the function is the definition that ``perp claims N --explain`` shows.
"""

from __future__ import annotations

from perp_pipeline.research.claims.evaluation import evaluate
from perp_pipeline.research.claims.model import Claim, Finding, Verdict, verdict_of
from perp_pipeline.research.claims.register import (
    build_claim_parts,
    build_claims,
    explain,
    find_claim,
    out_claim_parts,
    out_claims,
    register,
    tables_needed,
)

__all__ = [
    "Claim",
    "Finding",
    "Verdict",
    "build_claim_parts",
    "build_claims",
    "evaluate",
    "explain",
    "find_claim",
    "out_claim_parts",
    "out_claims",
    "register",
    "tables_needed",
    "verdict_of",
]
