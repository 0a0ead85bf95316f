"""What logs say a pool took in, against what the pool holds: exact integers, day by day."""

from __future__ import annotations

import pandas as pd

ONE_DAY = pd.Timedelta(days=1)


def daily_flows(days: pd.DataFrame, swaps: pd.DataFrame, liquidity: pd.DataFrame) -> pd.DataFrame:
    """Exact flows of one pool by UTC day, and how far the change of its balances is from them.

    Args:
        days: rows of raw_amm_days of the pool, with the day before the first one if known.
        swaps: rows of core_amm_swaps of the pool.
        liquidity: rows of core_amm_liquidity of the pool.

    Returns:
        Columns of core_amm_flows, for days whose swaps and liquidity events are both there whole. The gap is
        null where a balance is not known on the day or on the one before.
    """
    served = days[days["served"]]
    kinds = {kind: served[served["kind"] == kind].set_index("day") for kind in ("swaps", "liquidity")}
    whole = kinds["swaps"].index.intersection(kinds["liquidity"].index).sort_values()
    by_swaps = _sums(swaps, ("amount0", "amount1"))
    by_events = _sums(liquidity, ("balance0_change", "balance1_change"))
    rows = []
    for day in whole:
        facts = kinds["swaps"].loc[day]
        row: dict[str, object] = {"chain": facts["chain"], "pool": facts["pool"], "day": day}
        for token in (0, 1):
            moved = by_swaps.get(day, (0, 0))[token]
            added = by_events.get(day, (0, 0))[token]
            row[f"swaps{token}"], row[f"liquidity{token}"] = str(moved), str(added)
            change = _balance_change(kinds["swaps"], day, f"balance{token}")
            row[f"gap{token}"] = None if change is None else str(change - moved - added)
        rows.append(row)
    return pd.DataFrame(rows)


def _sums(rows: pd.DataFrame, columns: tuple[str, str]) -> dict[pd.Timestamp, tuple[int, int]]:
    """Exact sums of two columns of decimal texts by day."""
    if rows.empty:
        return {}
    days = rows["time"].dt.tz_localize(None).dt.floor("D")
    return {
        pd.Timestamp(day): (sum(map(int, part[columns[0]])), sum(map(int, part[columns[1]])))
        for day, part in rows.groupby(days)
    }


def _balance_change(days: pd.DataFrame, day: pd.Timestamp, column: str) -> int | None:
    if day - ONE_DAY not in days.index:
        return None
    before, after = days.loc[day - ONE_DAY, column], days.loc[day, column]
    return None if pd.isna(before) or pd.isna(after) else int(after) - int(before)
