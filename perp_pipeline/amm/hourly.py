"""A pool's price hour by hour: what comparisons with hourly bars need, and sixty times less than minutes."""

from __future__ import annotations

import pandas as pd

ONE_MINUTE = pd.Timedelta(minutes=1)


def last_prices(minutes: pd.DataFrame) -> pd.DataFrame:
    """The last price of each hour with swaps.

    Args:
        minutes: rows of core_amm_minutes, any pools, ascending by pool and minute.

    Returns:
        Columns of core_amm_price_1h.
    """
    last = minutes.assign(hour=minutes["minute"].dt.floor("h")).drop_duplicates(
        ["chain", "pool", "hour"], keep="last"
    )
    return pd.DataFrame(
        {
            "chain": last["chain"],
            "pool": last["pool"],
            "hour": last["hour"],
            "price": last["price"],
            "last_swap": last["minute"] + ONE_MINUTE,
        }
    ).reset_index(drop=True)
