"""Pool-days of v2 pairs from snapshots of reserves, supply and cumulative volume.

Per liquidity token the pair holds x = reserve0 / supply and y = reserve1 / supply, whatever is minted or
burnt. Between two snapshots swaps moved (dx, dy) per token; times the supply that is the pair's net flow.
Fees show as growth of sqrt(x y) per token, which trading without fees leaves as it is (Adams, Zinsmeister
and Robinson 2020, Uniswap v2 Core, 2.4). Valued at the price of the day's last snapshot, this is the same
profit as that of core_amm_swaps. Volume is the fees over the pair's fee: what came in. The pair's own
counters add what went out, which is the same trade again where a flash swap gives its token back (2020-10-26:
1.7 billion dollars by one counter in a step, 37 million by the other). Days are as long as the snapshots make
them: from the last one of a day to the last one of the next. Where one is far from midnight the day is left
out.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pandas as pd

from perp_pipeline.amm.convexity import step_cost
from perp_pipeline.amm.minutes import DAY_MINUTES, MINUTE_US, micros, quote_is_token0
from perp_pipeline.amm.pool_day import usd_values
from perp_pipeline.amm.pools import PoolFacts
from perp_pipeline.amm.spot import Spot

Ints = npt.NDArray[np.int64]


_FAR = 1.5
"""Usual steps between snapshots that a day's first and last one may lie from its midnights."""


def pool_days(
    snapshots: pd.DataFrame, facts: PoolFacts, spot: dict[str, Spot]
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Pool-days of one v2 pair.

    Args:
        snapshots: rows of raw_amm_snapshots of the pair, ascending by time; the last one of the day before
            the first day wanted is needed to start it.

    Returns:
        Columns of core_amm_pool_day (swaps are not counted), and the days left out (day, reason).
    """
    held = snapshots[(snapshots["total_supply"] > 0) & (snapshots["reserve0"] > 0)].reset_index(drop=True)
    if len(held) < 2:
        return pd.DataFrame(), pd.DataFrame(columns=["day", "reason"])
    time = micros(held["time"])
    supply, reserve0, reserve1 = (
        held[name].to_numpy(dtype=np.float64) for name in ("total_supply", "reserve0", "reserve1")
    )
    x, y = reserve0 / supply, reserve1 / supply
    price = y / x
    root = np.sqrt(x * y)
    mean_supply = (supply[1:] + supply[:-1]) / 2
    # a day belongs to the snapshot that ends the step
    day = time[1:] // (DAY_MINUTES * MINUTE_US)
    starts = np.flatnonzero(np.diff(day, prepend=day[:1] - 1))
    ends = np.append(starts[1:], len(day)) - 1
    steps = {
        "net0": np.diff(x) * mean_supply,
        "net1": np.diff(y) * mean_supply,
        "volume0": np.diff(held["volume0"].to_numpy(dtype=np.float64)),
        "volume1": np.diff(held["volume1"].to_numpy(dtype=np.float64)),
        # growth of sqrt(x y), in token1: each unit of it is worth 2 sqrt(price)
        "fee1": np.diff(root) * mean_supply * 2 * np.sqrt(price[1:]),
    }
    liquidity = root[:-1] * mean_supply
    squares = np.diff(np.log(price)) ** 2
    token1, token0 = step_cost(liquidity, np.sqrt(price[:-1] * price[1:]), squares)
    steps |= {"formula1": token1, "formula0": token0, "variance": squares}
    sums = {name: np.add.reduceat(values, starts) for name, values in steps.items()}
    counts = ends - starts + 1
    days, price_end = day[starts], price[1:][ends]
    usd0, usd1 = usd_values(facts, spot, time[1:][ends], price_end)
    pnl = sums["net0"] * usd0 + sums["net1"] * usd1
    fees = (
        np.add.reduceat(steps["fee1"] / price[1:], starts) * usd0
        if quote_is_token0(facts)
        else sums["fee1"] * usd1
    )
    frame = pd.DataFrame(
        {
            "chain": facts.chain,
            "pool": facts.pool,
            "day": pd.to_datetime(days, unit="D"),
            "protocol": facts.protocol,
            "source": "snapshots",
            "token0": facts.token0,
            "token1": facts.token1,
            "fee_bp": facts.fee_pips / 100,
            "n_swaps": pd.array([pd.NA] * len(days), dtype="Int64"),
            "n_buys": pd.array([pd.NA] * len(days), dtype="Int64"),
            "n_sells": pd.array([pd.NA] * len(days), dtype="Int64"),
            "volume_usd": fees / facts.fee,
            "counted0": sums["volume0"],
            "counted1": sums["volume1"],
            "net0": sums["net0"],
            "net1": sums["net1"],
            "price_end": price_end,
            "ends_at": pd.to_datetime(time[1:][ends], unit="us", utc=True),
            "usd0_end": usd0,
            "usd1_end": usd1,
            "fees_usd": fees,
            "protocol_fees_usd": 0.0,
            "pnl_usd": pnl,
            "convexity_flow_usd": fees - pnl,
            "convexity_formula_usd": sums["formula0"] * usd0
            if quote_is_token0(facts)
            else sums["formula1"] * usd1,
            "convexity_swap_usd": np.nan,
            "variance_day": sums["variance"],
            "variance_source": "snapshots",
            "variance_pool_5min": np.nan,
            "return_day": np.log(price_end / price[starts]),
            "liquidity_mean": np.add.reduceat(liquidity, starts) / counts,
        }
    )
    reason = pd.Series("", index=frame.index)
    reason[_in_part(time, starts, ends, days)] = "snapshots are missing at the day's beginning or end"
    # fees of a step without trades are the rounding of the reserves
    reason[~((frame["volume_usd"] > 0) & ((frame["counted0"] > 0) | (frame["counted1"] > 0)))] = (
        "no volume between the snapshots of the day"
    )
    reason[~np.isfinite(usd0)] = "no hourly spot price of a token"
    reason[frame["fees_usd"] < 0] = (
        "sqrt(reserve0 reserve1) per liquidity token fell: a snapshot contradicts itself"
    )
    left_out = pd.DataFrame({"day": frame["day"], "reason": reason})[reason != ""]
    return frame[reason == ""].reset_index(drop=True), left_out


def _in_part(time: Ints, starts: Ints, ends: Ints, days: Ints) -> npt.NDArray[np.bool_]:
    """Days that begin or end far from midnight: by more than one and a half of the usual steps.

    Args:
        time: moments of the snapshots, epoch microseconds.
        starts, ends: each day's first and last step; step k runs from snapshot k to k + 1.
    """
    reach = _FAR * float(np.median(np.diff(time)))
    midnight = days * DAY_MINUTES * MINUTE_US
    off = np.abs(midnight - time[starts])
    missing = midnight + DAY_MINUTES * MINUTE_US - time[ends + 1]
    return np.asarray((off > reach) | (missing > reach))
