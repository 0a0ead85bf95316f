"""Pool-days by the subgraph's swaps, and whether they are the swaps of the logs."""

from __future__ import annotations

import numpy as np
import pandas as pd

from perp_pipeline.amm.pools import by_pool

PLACE = ["chain", "pool", "block_number", "log_index"]
STATED = ["amount0", "amount1", "sqrt_price_x96", "tick"]


def core_amm_second_opinion(
    *, raw_subgraph_swaps: pd.DataFrame, core_amm_swaps: pd.DataFrame
) -> pd.DataFrame:
    """Days of pools that the subgraph has swaps of.

    Where the lake has no logs of a day, nothing is compared: the counts are null.
    """
    frames = [
        _days(rows, core_amm_swaps[(core_amm_swaps["chain"] == chain) & (core_amm_swaps["pool"] == pool)])
        for (chain, pool), rows in by_pool(raw_subgraph_swaps)
    ]
    return pd.concat(frames, ignore_index=True) if frames else pd.DataFrame(columns=_COLUMNS)


def _days(rows: pd.DataFrame, logs: pd.DataFrame) -> pd.DataFrame:
    rows = rows.sort_values(["block_number", "log_index"]).assign(day=_day(rows["time"]))
    amount0, amount1 = (
        rows[f"amount{token}"].astype("float64") / 10.0 ** rows[f"decimals{token}"] for token in "01"
    )
    root = rows["sqrt_price_x96"].astype("float64") / 2.0**96
    price = root**2 * 10.0 ** (rows["decimals0"] - rows["decimals1"]).astype("float64")
    volume = (amount0.abs() * price + amount1.abs()) / 2
    parts = rows[["chain", "pool", "day"]].assign(
        n_swaps=1, net0=amount0, net1=amount1, volume1=volume, price_end=price
    )
    sums = dict.fromkeys(("n_swaps", "net0", "net1", "volume1"), "sum")
    days = parts.groupby(["chain", "pool", "day"], as_index=False, observed=True).agg(
        sums | {"price_end": "last"}
    )
    profit = days["net0"] * days["price_end"] + days["net1"]
    days["profit_bp"] = 1e4 * profit / days["volume1"].where(days["volume1"] > 0)
    if logs.empty:
        return days.assign(**{name: pd.array([pd.NA] * len(days), dtype="Int64") for name in _COMPARED})
    return days.merge(_compared(rows, logs), on="day", how="left")[_COLUMNS]


def _compared(rows: pd.DataFrame, logs: pd.DataFrame) -> pd.DataFrame:
    """By day of the logs: their swaps, and those on which the two do not agree."""
    ours = logs[[*PLACE, *STATED]].assign(day=_day(logs["time"]))
    both = rows[[*PLACE, *STATED, "day"]].merge(ours, on=PLACE, how="outer", suffixes=("", "_logs"))
    in_rows, in_logs = both["day"].notna(), both["day_logs"].notna()
    differs = np.zeros(len(both), dtype=bool)
    for name in STATED:
        differs |= (both[name] != both[f"{name}_logs"]).to_numpy(dtype=bool)
    counts = pd.DataFrame(
        {
            "day": both["day"].where(in_rows, both["day_logs"]),
            "n_swaps_logs": in_logs.astype("int64"),
            "missing": (in_logs & ~in_rows).astype("int64"),
            "extra": (in_rows & ~in_logs).astype("int64"),
            "differing": (in_rows & in_logs & differs).astype("int64"),
        }
    )
    sums = counts.groupby("day", as_index=False).sum()
    # a day without any log is one that the node did not serve: nothing to compare with
    return sums[sums["n_swaps_logs"] > 0].astype(dict.fromkeys(_COMPARED, "Int64"))


def _day(times: pd.Series) -> pd.Series:
    return times.dt.tz_localize(None).dt.floor("D")


_COMPARED = ("n_swaps_logs", "missing", "extra", "differing")
_COLUMNS = [
    "chain",
    "pool",
    "day",
    "n_swaps",
    "net0",
    "net1",
    "volume1",
    "price_end",
    "profit_bp",
    *_COMPARED,
]
