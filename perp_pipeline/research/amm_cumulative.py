"""Fees, convexity and net of liquidity providers added up over days, each sum with its error."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pandas as pd

from perp_pipeline.contracts.amm import OUT_AMM_CUMULATIVE
from perp_pipeline.research.amm_profit import (
    FIGURE,
    MIN_DAYS,
    Figure,
    Floats,
    block_days,
    bootstrap_sums,
    of_few_days,
    spread,
)

SUMS = {
    "fees": "fees_usd",
    "convexity_flow": "convexity_flow_usd",
    "convexity_formula": "convexity_formula_usd",
    "net": "pnl_usd",
}
"""Quantity -> what of core_amm_pool_day is added up."""
LONGEST_HOLE = pd.Timedelta(days=7)
"""Days farther apart belong to different runs."""


def out_amm_cumulative(*, core_amm_pool_day: pd.DataFrame) -> pd.DataFrame:
    """Sums since a pool's first day, one row per day and quantity.

    The sum up to a day is judged as out_amm_profit_per_volume judges a period's: by the spread of the sums
    over resampled blocks of the days so far. Days that were more volatile thus widen what follows them,
    not what went before. The interval is that of one day's sum, not of the whole path.

    Returns:
        Columns of out_amm_cumulative (dollars). Days in runs of fewer than eight days are left out.
    """
    found: list[pd.DataFrame] = []
    pools = [] if core_amm_pool_day.empty else core_amm_pool_day.groupby(["chain", "pool"], sort=True)
    for _, own in pools:
        kept = runs(own.sort_values("day"))
        if kept:
            run = np.repeat(np.arange(1, len(kept) + 1), [len(days) for days in kept])
            found.append(_sums(pd.concat(kept), run))
    if not found:
        return pd.DataFrame(columns=[column.name for column in OUT_AMM_CUMULATIVE.columns])
    return pd.concat(found, ignore_index=True)


def runs(days: pd.DataFrame) -> list[pd.DataFrame]:
    """Runs of days without a hole of more than a week, those too short to be resampled left out.

    Args:
        days: rows of core_amm_pool_day of one pool, ascending.
    """
    number_of = (days["day"].diff() > LONGEST_HOLE).cumsum()
    return [run for _, run in days.groupby(number_of) if len(run) >= MIN_DAYS]


def _sums(days: pd.DataFrame, run: npt.NDArray[np.int64]) -> pd.DataFrame:
    series = [days[column].to_numpy(dtype=np.float64) for column in SUMS.values()]
    counts = range(1, len(days) + 1)
    figures = np.array([_judged([values[:n] for values in series]) for n in counts])
    day = days["day"].reset_index(drop=True)
    about = pd.DataFrame(
        {
            "chain": days["chain"].iloc[0],
            "pool": days["pool"].iloc[0],
            "day": day,
            "token0": days["token0"].iloc[0],
            "token1": days["token1"].iloc[0],
            "pool_fee_bp": float(days["fee_bp"].iloc[0]),
            "run": run,
            "n": list(counts),
            "window_start": day.iloc[0].tz_localize("UTC"),
            "window_end": (day + pd.Timedelta(days=1) - pd.Timedelta(microseconds=1)).dt.tz_localize("UTC"),
            "block_days": [block_days(n) for n in counts],
        }
    )
    return pd.concat(
        [
            about.assign(quantity=quantity, **dict(zip(FIGURE, figures[:, place].T, strict=True)))
            for place, quantity in enumerate(SUMS)
        ]
    )


def _judged(series: list[Floats]) -> list[Figure]:
    """Each series' sum with its error and interval; NaN for that of a single day."""
    n, totals = len(series[0]), [float(values.sum()) for values in series]
    if n < MIN_DAYS:
        return [of_few_days(float(values.sum()), values - values.mean()) for values in series]
    return [spread(total, sums, n) for total, sums in zip(totals, bootstrap_sums(series), strict=True)]
