"""Pool-days: what a UTC day's swaps earned and cost the liquidity providers of a pool."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pandas as pd

from perp_pipeline.amm import convexity
from perp_pipeline.amm.minutes import DAY_MINUTES, MINUTE_US, micros, quote_is_token0
from perp_pipeline.amm.pools import PoolFacts
from perp_pipeline.amm.spot import Spot, token_usd

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
DAY_US = DAY_MINUTES * MINUTE_US


def from_minutes(
    minutes: pd.DataFrame, facts: PoolFacts, spot: dict[str, Spot], served: Ints | None = None
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Pool-days of one pool.

    Net flows, fees and the protocol's share are valued at the price after the day's last swap. Volume is what
    came in, which is what fees are charged on, at the pool's price of its own minute.
    pnl = net0 p0 + net1 p1 - protocol fees; convexity_flow = fees - pnl.

    Args:
        minutes: rows of core_amm_minutes of the pool, ascending.
        spot: hourly dollar prices by base asset, for pools without a dollar token.
        served: days (since the epoch) that a source holds whole; all by default. Of a day that ends with a
            node's record there are the first hours alone: it is left out, whole.

    Returns:
        Columns of core_amm_pool_day, and the days left out (day, reason).
    """
    minute = micros(minutes["minute"]) // MINUTE_US
    day = minute // DAY_MINUTES
    whole = np.ones(len(day), dtype=np.bool_) if served is None else np.isin(day, served)
    in_part = pd.DataFrame(
        {"day": pd.to_datetime(np.unique(day[~whole]), unit="D"), "reason": "no source holds the whole day"}
    )
    if not whole.any():
        return pd.DataFrame(), in_part
    minutes, minute, day = minutes[whole], minute[whole], day[whole]
    starts = np.flatnonzero(np.diff(day, prepend=day[:1] - 1))
    ends = np.append(starts[1:], len(day)) - 1
    days = day[starts]
    columns = {
        name: minutes[name].to_numpy(dtype=np.float64, na_value=np.nan)
        for name in (
            "net0",
            "net1",
            "volume0",
            "volume1",
            "fee0",
            "fee1",
            "protocol_fee0",
            "protocol_fee1",
            "convexity_at_swap",
            "n_swaps",
            "n_buys",
            "n_sells",
        )
    }
    sums = {name: np.add.reduceat(values, starts) for name, values in columns.items()}
    price = minutes["price"].to_numpy(dtype=np.float64)
    price_end = price[ends]
    usd0, usd1 = usd_values(facts, spot, (days + 1) * DAY_US, price_end)
    value0, value1 = usd_values(facts, spot, minute * MINUTE_US, price)
    # gross volume is in and out, net flow in less out
    came0, came1 = (columns[f"volume{token}"] + columns[f"net{token}"] for token in "01")
    volume_usd = np.add.reduceat((came0 * value0 + came1 * value1) / 2, starts)
    liquidity = minutes["liquidity"].to_numpy(dtype=np.float64)
    formula, from_market = market_convexity(minute, price, liquidity, days, facts, spot)
    path = convexity.by_day(minute, price, liquidity, days, convexity.PATH_STEP)
    gross_fees = sums["fee0"] * usd0 + sums["fee1"] * usd1
    protocol_fees = sums["protocol_fee0"] * usd0 + sums["protocol_fee1"] * usd1
    pnl = sums["net0"] * usd0 + sums["net1"] * usd1 - protocol_fees
    fees = gross_fees - protocol_fees
    by_token0 = quote_is_token0(facts)
    frame = pd.DataFrame(
        {
            "chain": facts.chain,
            "pool": facts.pool,
            "day": pd.to_datetime(days, unit="D"),
            "protocol": facts.protocol,
            "source": minutes["source"].to_numpy()[ends],
            "token0": facts.token0,
            "token1": facts.token1,
            "fee_bp": facts.fee_pips / 100,
            **{
                name: pd.array(sums[name], dtype="Float64").astype("Int64")
                for name in ("n_swaps", "n_buys", "n_sells")
            },
            "volume_usd": volume_usd,
            "counted0": np.nan,
            "counted1": np.nan,
            "net0": sums["net0"],
            "net1": sums["net1"],
            "price_end": price_end,
            "ends_at": pd.to_datetime((days + 1) * DAY_US, unit="us", utc=True),
            "usd0_end": usd0,
            "usd1_end": usd1,
            "fees_usd": fees,
            "protocol_fees_usd": protocol_fees,
            "pnl_usd": pnl,
            "convexity_flow_usd": fees - pnl,
            "convexity_formula_usd": formula.token0 * usd0 if by_token0 else formula.token1 * usd1,
            "convexity_swap_usd": sums["convexity_at_swap"] * (usd0 if by_token0 else usd1),
            "variance_day": formula.variance,
            "variance_source": np.where(from_market, "exchange_1h", "pool_4h"),
            "variance_pool_5min": path.variance,
            "return_day": path.move,
            "liquidity_mean": path.liquidity,
        }
    )
    known = np.isfinite(usd0) & np.isfinite(usd1) & np.isfinite(volume_usd)
    left_out = frame.loc[~known, ["day"]].assign(reason="no hourly spot price of a token for the whole day")
    return frame[known].reset_index(drop=True), pd.concat([in_part, left_out], ignore_index=True)


def market_convexity(
    minute: Ints, price: Floats, liquidity: Floats, days: Ints, facts: PoolFacts, spot: dict[str, Spot]
) -> tuple[convexity.DayConvexity, npt.NDArray[np.bool_]]:
    """The formula on hourly exchange returns, on days without them on the pool's four-hour returns.

    Returns:
        The days' convexity, and which of them use the exchanges.
    """

    def market(grid: Ints) -> Floats:
        return exchange_ratio(facts, spot, grid.ravel() * MINUTE_US).reshape(grid.shape)

    own = convexity.by_day(minute, price, liquidity, days, convexity.POOL_STEP)
    outer = convexity.by_day(minute, price, liquidity, days, convexity.MARKET_STEP, market)
    known = np.isfinite(outer.variance)
    return convexity.DayConvexity(
        np.where(known, outer.token1, own.token1),
        np.where(known, outer.token0, own.token0),
        np.where(known, outer.variance, own.variance),
        outer.liquidity,
        outer.move,
    ), known


def exchange_ratio(
    facts: PoolFacts, spot: dict[str, Spot], moments: Ints, *, between: bool = False
) -> Floats:
    """Exchanges' price of token0 in token1 at moments; NaN where either is unknown.

    Args:
        between: interpolate between hourly closes, in place of the last ones.
    """
    sides = [token_usd(tracks, spot, moments, between=between) for tracks in (facts.tracks0, facts.tracks1)]
    if sides[0] is None or sides[1] is None:
        return np.full(len(moments), np.nan)
    return np.asarray(sides[0] / sides[1])


def usd_values(
    facts: PoolFacts, spot: dict[str, Spot], moments: Ints, price: Floats
) -> tuple[Floats, Floats]:
    """Dollar values of both tokens at moments (epoch microseconds), tied to each other by the pool's price.

    A dollar token counts as one dollar and values the other; without one the spot price of what token1 tracks
    does, or else that of token0. NaN where neither has a price.
    """
    if facts.tracks0 == "USD":
        return np.ones(len(price)), 1 / price
    value1 = token_usd(facts.tracks1, spot, moments)
    if value1 is not None:
        return value1 * price, value1
    value0 = token_usd(facts.tracks0, spot, moments)
    if value0 is not None:
        return value0, value0 / price
    missing = np.full(len(price), np.nan)
    return missing, missing
