"""How exhibits of AMM pools name pools, order them, and choose their periods."""

from __future__ import annotations

from typing import Any

import pandas as pd

HEADLINE_MARK = "1d"


def pool_label(row: dict[Any, Any], fee: str) -> str:
    """``WBTC-WETH 30 bp, ethereum 0xcbcd``; ``fee`` names the column of the fee in basis points."""
    return f"{row['token0']}-{row['token1']} {row[fee]:g} bp, {row['chain']} {row['pool'][:6]}"


def profit_by_pool(profit: pd.DataFrame) -> list[tuple[str, pd.DataFrame]]:
    """Rows of out_amm_profit_per_volume in dollars by pool, the pools with most volume first."""
    rows = profit[profit["numeraire"] == "USD"]
    found = [
        (pool_label(own.iloc[0].to_dict(), "pool_fee_bp"), own)
        for _, own in rows.groupby(["chain", "pool"], sort=True)
    ]
    return sorted(found, key=lambda item: -item[1]["volume_usd"].max())


def judged(pools: list[tuple[str, pd.DataFrame]]) -> list[tuple[str, pd.DataFrame]]:
    """Each pool's rows that have an error, those of more than a day; pools without any are left out."""
    found = [(label, own[own["se"].notna()]) for label, own in pools]
    return [(label, own) for label, own in found if len(own)]


def single_days(pools: list[tuple[str, pd.DataFrame]]) -> str:
    """What has no error and is not drawn, as a sentence; empty where there is none."""
    told: dict[str, None] = {}
    for label, own in pools:
        for row in years(own[own["se"].isna()]).to_dict("records"):
            told[f"{label} {pd.Timestamp(row['window_start']):%Y-%m-%d}"] = None
    return f"Not drawn, as a single day has no error: {'; '.join(told)}. " if told else ""


def years(rows: pd.DataFrame) -> pd.DataFrame:
    """Calendar years and all, in that order."""
    chosen = rows[rows["period"].str.fullmatch(r"\d{4}|all")]
    return chosen.sort_values("period", kind="stable")


def dates(row: dict[Any, Any]) -> str:
    """The year, or the days or months of it that the lake has."""
    first, last = (pd.Timestamp(row[end]) for end in ("window_start", "window_end"))
    if row["period"] != "all" and (last - first).days >= 360:
        return str(row["period"])
    ends = [f"{end:%Y-%m}" if row["n"] > 1 else f"{end:%Y-%m-%d}" for end in (first, last)]
    told = ends[0] if ends[0] == ends[1] else " to ".join(ends)
    return f"all, {told}" if row["period"] == "all" else told
