"""The numbers behind each claim, as texts for its card."""

from __future__ import annotations

from typing import Any

import pandas as pd

from perp_pipeline.report import cells

BADGES = {
    "holds": ("good", "✓"),
    "fails": ("bad", "✗"),
    "weak": ("mild", "≈"),
    "arithmetic": ("exact", "="),
    "wrong as stated": ("bad", "≠"),
    "no data": ("none", "·"),
}
"""Verdict -> (style, mark): the mark says without colour what the colour says."""


def claim_numbers(parts: pd.DataFrame | None) -> dict[int, list[dict[str, Any]]]:
    """Claim number -> its numbers in order, each with its variants below it.

    Args:
        parts: out_claim_parts; None where the lake has none.
    """
    found: dict[int, list[dict[str, Any]]] = {}
    if parts is None:
        return found
    for row in parts.sort_values(["claim_id", "part", "variant"]).to_dict("records"):
        found.setdefault(int(row["claim_id"]), []).append(_number(row))
    # One number without a variant says no more than the card itself.
    return {claim: numbers for claim, numbers in found.items() if len(numbers) > 1}


def _number(row: dict[Any, Any]) -> dict[str, Any]:
    unit, other = str(row["unit"]), row["variant"] > 0
    style, mark = BADGES.get(row["verdict"], ("none", ""))
    estimate = f"{cells.amount(row['estimate'], unit)} {cells.PERIODS.get(unit, '')}".strip()
    return {
        "other": other,
        "label": f"by {row['by']}" if other else row["label"],
        "published": "" if other or pd.isna(row["published"]) else row["published"],
        "estimate": estimate,
        "interval": "exact" if row["se"] == 0 else cells.interval(row["ci_low"], row["ci_high"], unit),
        "n": f"{int(row['n']):,}" if row["n"] else "",
        "dates": ""
        if other or pd.isna(row["window_start"])
        else cells.window(row["window_start"], row["window_end"]),
        "verdict": "" if pd.isna(row["verdict"]) else row["verdict"],
        "style": style,
        "mark": mark,
    }
