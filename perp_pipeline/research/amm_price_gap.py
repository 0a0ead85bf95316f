"""How far pool prices are from the exchanges' prices: out_amm_price_gap (claim 32).

At the end of each hour the pool's price after its last swap is set beside the ratio of the two tokens' spot
closes of that instant (core_spot_1h; a dollar token counts as one dollar). gap = ln(pool / exchange). A pool
that charges the fee f is left alone while ``|gap| < f``: beyond it a trade against the pool pays its fee.

The exchange that has both tokens may count in another dollar than the pool does, and a wrapped token may
stand below what it wraps. Both move the gap for weeks, and no arbitrage in the pool removes them: the
quantities ``_centred`` take the calendar month's median gap out first. With ``_lags720`` behind it: the share
that claims judge, with another bandwidth in hours.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from perp_pipeline.amm.minutes import micros
from perp_pipeline.amm.pools import PoolFacts, pool_facts
from perp_pipeline.amm.spot import HOUR_US, Spot, spot_by_base, token_usd
from perp_pipeline.contracts.amm import OUT_AMM_PRICE_GAP
from perp_pipeline.research.other_lags import lag_key, other_lags
from perp_pipeline.research.periods import standard_periods
from perp_pipeline.research.series import bounds, utc
from perp_pipeline.research.shares import above_zero, hac_share
from perp_pipeline.research.statistics import Array, Estimate, hac_mean, persistent_lags

STALE_HOURS = 12
"""A pool without a swap for longer than this has no price to compare."""
MIN_HOURS = 24
DAY_US = 24 * HOUR_US
_MONTH = 30 * 24
"""Hours: the bandwidth of the errors is no shorter, where a third of the sample allows it."""


def out_amm_price_gap(
    *,
    core_amm_price_1h: pd.DataFrame,
    raw_amm_days: pd.DataFrame,
    core_spot_1h: pd.DataFrame,
    periods: Iterable[str] = (),
) -> pd.DataFrame:
    """Gaps between pool and exchange prices, by pool, quantity and period; see the contract.

    Args:
        periods: periods wanted beside the standard ones.
    """
    columns = [column.name for column in OUT_AMM_PRICE_GAP.columns]
    if core_amm_price_1h.empty:
        return pd.DataFrame(columns=columns)
    spot = spot_by_base(core_spot_1h)
    facts = pool_facts(raw_amm_days)
    extra = list(periods)
    rows = [
        {"chain": chain, "pool": pool, **row}
        for (chain, pool), prices in core_amm_price_1h.groupby(["chain", "pool"], sort=True)
        if (known := facts.get((chain, pool))) is not None
        for row in _rows(hourly_gaps(prices, known, spot), known, extra)
    ]
    return pd.DataFrame(rows, columns=columns)


def hourly_gaps(prices: pd.DataFrame, facts: PoolFacts, spot: dict[str, Spot]) -> pd.Series:
    """ln(pool price / exchange price) at the ends of hours that both sides have.

    Args:
        prices: core_amm_price_1h of one pool, ascending; days without a swap are taken as not served.
        spot: hourly closes by base.

    Returns:
        Gaps as fractions by naive UTC hour; empty where the exchanges lack a token.
    """
    known = micros(prices["last_swap"])
    price = prices["price"].to_numpy(dtype=np.float64)
    last = known[-1] + HOUR_US
    hours = np.arange(-(-known[0] // HOUR_US), last // HOUR_US + 1, dtype=np.int64) * HOUR_US
    served = np.isin((hours - 1) // DAY_US, (known - 1) // DAY_US)
    hours = hours[served & _traded(hours, facts, spot)]
    values = [token_usd(tracks, spot, hours) for tracks in (facts.tracks0, facts.tracks1)]
    if values[0] is None or values[1] is None:
        return pd.Series(dtype="float64", index=pd.DatetimeIndex([]))
    place = np.searchsorted(known, hours, side="right") - 1
    fresh = (place >= 0) & (hours - known[np.maximum(place, 0)] <= STALE_HOURS * HOUR_US)
    gap = np.log(price[np.maximum(place, 0)] / (values[0] / values[1]))
    kept = fresh & np.isfinite(gap)
    return pd.Series(gap[kept], index=pd.DatetimeIndex(hours[kept].astype("datetime64[us]")))


def _traded(hours: npt.NDArray[np.int64], facts: PoolFacts, spot: dict[str, Spot]) -> npt.NDArray[np.bool_]:
    """Hours at whose end every token that needs an exchange has a bar that ends then."""
    kept = np.ones(len(hours), dtype=bool)
    for tracks in {facts.tracks0, facts.tracks1} & spot.keys():
        kept &= np.isin(hours, spot[tracks].ends)
    return kept


def _rows(gaps: pd.Series, facts: PoolFacts, extra: list[str]) -> Iterator[dict[str, Any]]:
    if gaps.empty:
        return
    times = gaps.index.to_numpy()
    values = gaps.to_numpy(dtype=np.float64)
    centred = values - gaps.groupby(gaps.index.to_period("M")).transform("median").to_numpy(dtype=np.float64)
    for period in standard_periods(gaps.index[0], gaps.index[-1], extra):
        part = bounds(times, period)
        if part.stop - part.start < MIN_HOURS:
            continue
        for quantity, found in (
            *_quantities(values[part], centred[part], facts.fee),
            *_at_other_lags(values[part], facts.fee, period),
        ):
            yield {
                "quantity": quantity,
                "period": period,
                "token0": facts.token0,
                "token1": facts.token1,
                "pool_fee_bp": facts.fee_pips / 100,
                "estimate": found.estimate,
                "se": found.se,
                "ci_low": found.ci_low,
                "ci_high": found.ci_high,
                "n": found.n,
                "window_start": utc(times[part][0]),
                "window_end": utc(times[part][-1]),
                "hac_lags": found.hac_lags,
            }


def _quantities(values: Array, centred: Array, fee: float) -> Iterator[tuple[str, Estimate]]:
    for suffix, gap in (("", values), ("_centred", centred)):
        inside = _inside(gap, fee)
        yield f"share_within_fee{suffix}", hac_share(inside, _lags(inside))
        size = np.abs(gap)
        yield f"mean_absolute_gap{suffix}", above_zero(hac_mean(size, _lags(size)))
    yield "mean_gap", hac_mean(values, _lags(values))


def _at_other_lags(gap: Array, fee: float, period: str) -> Iterator[tuple[str, Estimate]]:
    """What claims judge, with other bandwidths."""
    inside = _inside(gap, fee)
    for lags in other_lags(len(inside), 24.0, period):
        yield lag_key("share_within_fee", lags), hac_share(inside, lags)


def _inside(gap: Array, fee: float) -> Array:
    return (np.abs(gap) <= fee).astype(np.float64)


def _lags(values: Array) -> int:
    return persistent_lags(values, _MONTH)
