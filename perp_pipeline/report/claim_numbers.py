"""The numbers of claims as texts, for their cards and for the terminal."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import pandas as pd

from perp_pipeline.report import cells
from perp_pipeline.report.intervals import MINUS
from perp_pipeline.research.claims.formats import digits, reach, readable
from perp_pipeline.research.claims.reasons import by_words, dates_differ

BADGES = {
    "holds": ("good", "✓"),
    "fails": ("bad", "✗"),
    "weak": ("mild", "≈"),
    "arithmetic": ("exact", "="),
    "wrong as stated": ("bad", "≠"),
    "no data": ("none", "·"),
}
"""Verdict -> (style, mark): the mark says without colour what the colour says."""


def number_texts(row: Mapping[Any, Any]) -> tuple[str, str]:
    """Estimate with its unit, and interval without; en dashes where there are none, and none for exact ones.

    Args:
        row: of out_claims or out_claim_parts.
    """
    unit = str(row["unit"])
    estimate, se, low, high = (
        float("nan") if pd.isna(row[name]) else float(row[name])
        for name in ("estimate", "se", "ci_low", "ci_high")
    )
    if pd.isna(estimate):
        return cells.MISSING, cells.MISSING
    count = digits(unit, estimate, se, low, high)
    told = readable(estimate, unit, count).replace("-", MINUS)
    if se == 0.0:
        return told, ""
    return told, cells.MISSING if count is None else reach(low, high, unit, count).replace("-", MINUS)


def decider(row: Mapping[Any, Any]) -> str:
    """The number that a claim's verdict comes from; empty where that is its own, or where a lake made by an
    earlier version does not say.

    Args:
        row: of out_claims.
    """
    found = row.get("decided_by")
    return found if isinstance(found, str) else ""


def routes(parts: pd.DataFrame) -> Iterator[dict[str, Any]]:
    """Rows of out_claim_parts in order, with words: a variant's label says by what route.

    ``published`` and ``dates`` are texts, empty where there is nothing to say; a variant has dates where they
    are not the number's own.
    """
    own: dict[Any, Any] = {}
    for row in parts.sort_values(["claim_id", "part", "variant"]).to_dict("records"):
        ends = row["window_start"], row["window_end"]
        if not row["variant"]:
            own = row
            dated = not pd.isna(ends[0])
        else:
            dated = dates_differ(*ends, own.get("window_start"), own.get("window_end"))
        yield row | {
            "label": by_words(row["by"]) if row["variant"] else row["label"],
            "published": "" if row["variant"] or pd.isna(row["published"]) else row["published"],
            "dates": cells.window(*ends) if dated else "",
        }


def claim_numbers(parts: pd.DataFrame | None) -> dict[int, list[dict[str, Any]]]:
    """Claim number -> its numbers in order, each with its variants below it.

    Args:
        parts: out_claim_parts; None where the lake has none.
    """
    found: dict[int, list[dict[str, Any]]] = {}
    if parts is None:
        return found
    for row in routes(parts):
        found.setdefault(int(row["claim_id"]), []).append(_number(row))
    # One number without a variant says no more than the card itself.
    return {claim: numbers for claim, numbers in found.items() if len(numbers) > 1}


def own_numbers(claims: pd.DataFrame, parts: pd.DataFrame) -> dict[int, str]:
    """Claims of several published numbers -> which of them stands for the claim, and what it answers.

    Args:
        claims: rows of out_claims.
        parts: rows of out_claim_parts.
    """
    texts = claims.set_index("claim_id")["published"]
    numbers = parts[(parts["variant"] == 0) & parts["published"].notna()].sort_values(["claim_id", "part"])
    # One number may be left of several, whose published text names them all.
    lists = numbers["claim_id"].map(texts).astype("str").str.contains("[;,]")
    several = numbers[numbers.duplicated("claim_id", keep=False) | lists].drop_duplicates("claim_id")
    # A side is read from words; a published value shows which of several it is.
    return {
        int(row["claim_id"]): row["label"]
        + ("" if row["published"].startswith(("above ", "below ")) else f" (published: {row['published']})")
        for row in several.to_dict("records")
    }


def _number(row: Mapping[str, Any]) -> dict[str, Any]:
    style, mark = BADGES.get(row["verdict"], ("none", ""))
    estimate, interval = number_texts(row)
    return {
        "other": row["variant"] > 0,
        "label": row["label"],
        "published": row["published"],
        "estimate": estimate,
        "interval": interval or "exact",
        "n": f"{int(row['n']):,}" if row["n"] else "",
        "dates": row["dates"],
        "verdict": "" if pd.isna(row["verdict"]) else row["verdict"],
        "style": style,
        "mark": mark,
    }
