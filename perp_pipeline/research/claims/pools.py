"""Pools that claims name: their names, their days in the lake, and profit per volume over any days."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Final

import numpy as np
import pandas as pd

from perp_pipeline.research.amm_profit import MIN_DAYS, bootstrap_weights, ratio_bp
from perp_pipeline.research.claims.lacks import POOLS
from perp_pipeline.research.claims.model import Expected, MissingData, Part, Tables
from perp_pipeline.research.claims.reading import rows_in

ETH_USDC_5BP: Final = "0x88e6a0c2ddd26feeb64f039a2c41296fcb3f5640"
ETH_USDC_V2: Final = "0xb4e16d0168e52d35cacd2c6185b44281ec28c9dc"
WBTC_WETH_30BP: Final = "0xcbcdf9626bc03e24f779434178a73a0b4bad62ed"

_PROTOCOLS: Final = {"uniswap_v2": "v2", "uniswap_v3": "v3"}
_HOLE = pd.Timedelta(days=7)
"""Days with a gap of more than a week between them are separate stretches."""
_MOST_STRETCHES = 4


def pool_name(row: Mapping[Any, Any]) -> str:
    """``USDC-WETH 5 bp v3 on Ethereum``: tokens, fee, protocol where it is known, and chain."""
    protocol = _PROTOCOLS.get(str(row.get("protocol", "")), "")
    fee = row["pool_fee_bp"] if "pool_fee_bp" in row else row["fee_bp"]
    words = [f"{row['token0']}-{row['token1']} {fee:g} bp", protocol, "on", str(row["chain"]).title()]
    return " ".join(word for word in words if word)


def days_of(tables: Tables, pool: str, period: str) -> pd.DataFrame:
    """Pool-days whose flows have a price in dollars, in order.

    Raises:
        MissingData: there is none in the period.
    """
    found = rows_in(tables, "core_amm_pool_day", "day", period, pool=pool)
    found = found[np.isfinite(found["pnl_usd"].to_numpy(dtype=np.float64))]
    if found.empty:
        during = "" if period == "all" else f" in {period}"
        raise MissingData(f"days of {POOLS.get(pool, pool)} with prices in dollars{during}")
    return found


def profit_part(days: pd.DataFrame, label: str, expected: Expected, period: str | None = None) -> Part:
    """Profit over volume of any days of one pool, marked at each day's end, by out_amm_profit_per_volume's
    estimator. Fewer than eight days are no sample of a year: they have an error there, and no verdict here.

    Args:
        days: rows of :func:`days_of`.
        period: see :class:`~.model.Part`.
    """
    pnl, volume = (days[name].to_numpy(dtype=np.float64) for name in ("pnl_usd", "volume_usd"))
    weights = bootstrap_weights(len(days)) if len(days) >= MIN_DAYS else None
    estimate, se, low, high = ratio_bp(pnl, volume, weights)
    if weights is None:
        low = high = math.nan
    first, last = (days["day"].iloc[place].tz_localize("UTC") for place in (0, -1))
    return Part(
        label, "bp of volume", estimate, se, low, high, len(days), first, last, expected, period=period
    )


def days_held(days: pd.Series) -> str:
    """``76 days: 2024-01-05, and 2025-04-01 to 2025-06-14``; stretches are parted by holes of over a week."""
    stamps = days.sort_values().reset_index(drop=True)
    parted = (stamps.diff() > _HOLE).cumsum()
    told = [_from_to(own.iloc[0], own.iloc[-1]) for _, own in stamps.groupby(parted)]
    count = f"{len(stamps)} day{'s' if len(stamps) != 1 else ''}"
    if len(told) > _MOST_STRETCHES:
        whole = _from_to(stamps.iloc[0], stamps.iloc[-1])
        return f"{count} in {len(told)} stretches of {whole}"
    return f"{count}: {' and '.join(told)}"


def has_holes(days: pd.Series) -> bool:
    """More than a week is missing somewhere between the first and the last day."""
    return bool((days.sort_values().diff() > _HOLE).any())


def holes(tables: Tables, period: str, pools: Mapping[str, str]) -> str:
    """What days the lake has of those pools whose days have holes; empty where none has.

    Args:
        pools: name -> address.
    """
    told = []
    for name, pool in pools.items():
        try:
            days = days_of(tables, pool, period)["day"]
        except MissingData:
            continue
        if has_holes(days):
            told.append(f"Of {name} the lake has {days_held(days)}.")
    return " ".join(told)


def _from_to(first: pd.Timestamp, last: pd.Timestamp) -> str:
    return f"{first:%Y-%m-%d}" if first == last else f"{first:%Y-%m-%d} to {last:%Y-%m-%d}"
