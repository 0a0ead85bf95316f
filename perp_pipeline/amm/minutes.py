"""Swaps, or minute files, by minute: flows, fees, price and liquidity."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa

from perp_pipeline.amm import fee_shares
from perp_pipeline.amm.fee_shares import FeeShares
from perp_pipeline.amm.pools import PoolFacts

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
MINUTE_US = 60_000_000
DAY_MINUTES = 1440
_TICK = float(np.log(1.0001))
micros = fee_shares.micros
COLUMNS = (
    "chain",
    "pool",
    "minute",
    "source",
    "n_swaps",
    "n_buys",
    "n_sells",
    "net0",
    "net1",
    "volume0",
    "volume1",
    "fee0",
    "fee1",
    "protocol_fee0",
    "protocol_fee1",
    "price",
    "liquidity",
    "value_at_swap",
    "convexity_at_swap",
)


def quote_is_token0(facts: PoolFacts) -> bool:
    """Profit is counted in the dollar token where there is one, else in token1."""
    return facts.tracks0 == "USD" and facts.tracks1 != "USD"


def from_swaps(
    swaps: pd.DataFrame, facts: PoolFacts, switches: pd.DataFrame, days: pd.DataFrame | None = None
) -> pd.DataFrame:
    """Minutes of one pool from its swaps.

    Args:
        swaps: rows of core_amm_swaps of the pool, ascending by block and log.
        switches: rows of core_amm_fee_protocol of the pool, any months.
        days: rows of raw_amm_days of the pool: the protocol's share when days begin.

    Returns:
        Columns of core_amm_minutes. Fees are the pool's fee on what came in, gross
        (Uniswap v3 whitepaper, 6.2.3; v2 Core, 3.2.1); value_at_swap and convexity_at_swap are in the quote
        token.
    """
    minute = micros(swaps["time"]) // MINUTE_US
    starts = np.flatnonzero(np.diff(minute, prepend=minute[:1] - 1))
    a0, a1, in0, in1, price, liquidity = (
        swaps[name].to_numpy(dtype=np.float64)
        for name in (
            "amount0_tokens",
            "amount1_tokens",
            "in0_tokens",
            "in1_tokens",
            "price",
            "liquidity_tokens",
        )
    )
    fee0, fee1 = in0 * facts.fee, in1 * facts.fee
    share0, share1 = FeeShares.of(facts, switches, days).at_swaps(swaps)
    to_quote = 1 / price if quote_is_token0(facts) else np.ones(len(price))
    # each by its own signs, so that a swap counted twice or not at all shows
    moved = (a0 != 0) | (a1 != 0)
    buys = (a0 < 0) | ((a0 == 0) & (a1 > 0))
    sells = (a0 > 0) | ((a0 == 0) & (a1 < 0))

    def total(values: npt.NDArray[np.generic]) -> Floats:
        return np.asarray(np.add.reduceat(values, starts), dtype=np.float64)

    ends = np.append(starts[1:], len(minute)) - 1
    n_swaps, n_buys, n_sells = (
        np.add.reduceat(chosen.astype(np.int64), starts) for chosen in (moved, buys, sells)
    )
    return pd.DataFrame(
        {
            "chain": facts.chain,
            "pool": facts.pool,
            "minute": pd.to_datetime(minute[starts] * MINUTE_US, unit="us", utc=True),
            "source": "swaps",
            "n_swaps": n_swaps,
            "n_buys": n_buys,
            "n_sells": n_sells,
            "net0": total(a0),
            "net1": total(a1),
            "volume0": total(2 * in0 - a0),
            "volume1": total(2 * in1 - a1),
            "fee0": total(fee0),
            "fee1": total(fee1),
            "protocol_fee0": total(fee0 * share0),
            "protocol_fee1": total(fee1 * share1),
            "price": price[ends],
            "liquidity": liquidity[ends],
            "value_at_swap": total((a0 * price + a1) * to_quote),
            "convexity_at_swap": total(_swap_convexity(minute, price, liquidity) * to_quote),
        }
    )


def from_files(
    minutes: pd.DataFrame, facts: PoolFacts, switches: pd.DataFrame, days: pd.DataFrame | None = None
) -> pd.DataFrame:
    """Minutes of one v3 pool from demeter's files.

    Args:
        minutes: rows of raw_amm_minutes of the pool.
        switches: rows of core_amm_fee_protocol of the pool; the share in force when the minute starts counts.
        days: rows of raw_amm_days of the pool.

    Returns:
        Columns of core_amm_minutes. The price is that of the middle of the closing tick (within
        half a basis point); swaps are not counted, and nothing is known inside the minute.
    """
    frame = minutes.sort_values("minute", ignore_index=True)
    net0, net1, in0, in1, liquidity = (
        _exact_to_float(frame[name])
        for name in ("net_amount0", "net_amount1", "in_amount0", "in_amount1", "current_liquidity")
    )
    scale0, scale1 = 10.0**facts.decimals0, 10.0**facts.decimals1
    ticks = frame["close_tick"].to_numpy(dtype=np.float64)
    shares = FeeShares.of(facts, switches, days).at_times(frame["minute"])
    fee0, fee1 = in0 / scale0 * facts.fee, in1 / scale1 * facts.fee
    built = pd.DataFrame(
        {
            "chain": facts.chain,
            "pool": facts.pool,
            "minute": frame["minute"],
            "source": "minutes",
            "n_swaps": pd.NA,
            "n_buys": pd.NA,
            "n_sells": pd.NA,
            "net0": net0 / scale0,
            "net1": net1 / scale1,
            "volume0": (2 * in0 - net0) / scale0,
            "volume1": (2 * in1 - net1) / scale1,
            "fee0": fee0,
            "fee1": fee1,
            "protocol_fee0": fee0 * shares[0],
            "protocol_fee1": fee1 * shares[1],
            "price": np.exp((ticks + 0.5) * _TICK) * scale0 / scale1,
            "liquidity": liquidity / 10.0 ** ((facts.decimals0 + facts.decimals1) / 2),
            "value_at_swap": np.nan,
            "convexity_at_swap": np.nan,
        }
    )
    traded = (in0 > 0) | (in1 > 0)
    return built[traded].reset_index(drop=True)


def _swap_convexity(minute: Ints, price: Floats, liquidity: Floats) -> Floats:
    """L sqrt(p) r**2 / 4 of each swap in token1; 0 where the swap before is more than a day away."""
    r = np.diff(np.log(price), prepend=np.log(price[:1]))
    r[np.diff(minute, prepend=minute[:1]) > DAY_MINUTES] = 0.0
    # sqrt(p) between the two prices: the geometric middle makes the sum exact to third order
    middle = np.sqrt(price) * np.exp(-r / 4)
    return np.asarray(liquidity * middle * r * r / 4)


def _exact_to_float(texts: pd.Series) -> Floats:
    return np.asarray(pa.array(texts, type=pa.large_string(), from_pandas=True).cast(pa.float64()).to_numpy())
