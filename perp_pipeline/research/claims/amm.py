"""Claims 46-51: what liquidity providers of AMM pools earn."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
import pandas as pd

from perp_pipeline.research.amm_profit import MIN_DAYS, bootstrap_weights, ratio_bp
from perp_pipeline.research.claims.model import (
    NEGATIVE,
    POSITIVE,
    Answer,
    Claim,
    Expected,
    MissingData,
    Part,
    Tables,
    value,
)
from perp_pipeline.research.claims.reading import (
    estimate_part,
    gather,
    mean_part,
    row_part,
    rows,
    rows_in,
    sum_part,
)
from perp_pipeline.research.statistics import Array, hac_influence
from perp_pipeline.theory.constant_product import Position, loss_to_holding, profit

ETH_USDC_5BP = "0x88e6a0c2ddd26feeb64f039a2c41296fcb3f5640"
COLUMNS = {"pnl_usd": "profit", "fees_usd": "fees", "convexity_flow_usd": "convexity"}
"""Columns of core_amm_pool_day in words."""

ETH_USDC_V2 = "0xb4e16d0168e52d35cacd2c6185b44281ec28c9dc"
WBTC_WETH_30BP = "0xcbcdf9626bc03e24f779434178a73a0b4bad62ed"
V3_POOLS = {"ETH-USDC 5 bp": ETH_USDC_5BP, "WBTC-WETH 30 bp": WBTC_WETH_30BP}
V3_BEGAN = pd.Timestamp("2021-05-12", tz="UTC")
"""A week after Uniswap v3 was opened."""
LAST_DAY = pd.Timestamp("2024-05-05")
"""Where the essay's sample ends."""


def _per_volume(
    tables: Tables, label: str, period: str, expected: Expected | None, pool: str = ETH_USDC_5BP
) -> Part:
    return row_part(
        tables,
        "out_amm_profit_per_volume",
        label,
        "bp of volume",
        expected,
        pool=pool,
        numeraire="USD",
        mark="1d",
        period=period,
    )


def two_years(tables: Tables, period: str) -> Answer:
    """Profit over volume of the ETH-USDC 5 bp pool, marked at the day's end, in 2023 and in 2024 to 5 May."""
    return gather(
        lambda: replace(_per_volume(tables, "2023", "2023", value(-0.48)), period="2023"),
        lambda: _to_may(tables, value(0.71)),
    )


def _to_may(tables: Tables, expected: Expected) -> Part:
    """The days of 2024 up to the one that the essay's sample ends with, by the result table's estimator."""
    days = _pool_days(tables, "2024-01..2024-05", ETH_USDC_5BP)
    days = days[days["day"] <= LAST_DAY]
    if days.empty:
        raise MissingData(f"days of the ETH-USDC pool in 2024 to {LAST_DAY:%d %B}")
    pnl, volume = (days[name].to_numpy(dtype=np.float64) for name in ("pnl_usd", "volume_usd"))
    weights = bootstrap_weights(len(days)) if len(days) >= MIN_DAYS else None
    estimate, se, low, high = ratio_bp(pnl, volume, weights)
    first, last = days["day"].iloc[0], days["day"].iloc[-1]
    return Part(
        "2024 to 5 May",
        "bp of volume",
        estimate,
        se,
        low,
        high,
        len(days),
        first.tz_localize("UTC"),
        last.tz_localize("UTC"),
        expected,
        period="2024-01..2024-04",  # in whole months: what lies after is a few days
    )


def near_zero(tables: Tables, period: str) -> Answer:
    """Profit over volume of every pool in the lake; published as about zero.

    Each pool is judged over its whole history in the lake. Its calendar years are told with their standard
    errors.
    """
    found = rows(tables, "out_amm_profit_per_volume", numeraire="USD", mark="1d")
    parts, years = [], []
    for (_, pool), own in found.groupby(["chain", "pool"], sort=True):
        name = _pool_name(own.iloc[0].to_dict())
        if (own["period"] == period).any():
            parts.append(_per_volume(tables, name, period, value(0.0), str(pool)))
        told = [
            f"{row['period']} {row['estimate']:.1f} ({row['se']:.1f})"
            for row in own[own["period"].str.fullmatch(r"\d{4}")].sort_values("period").to_dict("records")
            if np.isfinite(row["se"])
        ]
        if told:
            years.append(f"{name} {', '.join(told)}")
    if not parts:
        raise MissingData(f"days of pools with prices in dollars in {period}")
    note = f"By year, bp of volume (standard error): {'; '.join(years)}." if years else ""
    return Answer(tuple(parts), note)


def _pool_name(row: dict[Any, Any]) -> str:
    return f"{row['token0']}-{row['token1']} {row['pool_fee_bp']:g} bp {row['pool'][:6]}"


def _pool_days(tables: Tables, period: str, pool: str) -> pd.DataFrame:
    return rows_in(tables, "core_amm_pool_day", "day", period, pool=pool)


def dollars_a_day(tables: Tables, period: str) -> Answer:
    """Mean daily fees, convexity flow and profit of the ETH-USDC 5 bp pool, in dollars, Newey-West errors."""
    columns = {"pnl_usd": -13_000.0, "fees_usd": 141_000.0, "convexity_flow_usd": 154_000.0}

    def mean(column: str, published: float) -> Part:
        days = _pool_days(tables, period, ETH_USDC_5BP)
        known = days.loc[np.isfinite(days[column].to_numpy(dtype=np.float64))]
        if known.empty:
            raise MissingData(f"days of the ETH-USDC pool with prices in dollars in {period}")
        return mean_part(
            COLUMNS[column],
            "USD a day",
            known[column],
            known["day"].to_numpy(dtype="datetime64[us]"),
            value(published),
        )

    return gather(*(partial(mean, column, published) for column, published in columns.items()))


def second_version_profits(tables: Tables, period: str) -> Answer:
    """Profit over volume of v2 ETH-USDC in each calendar year, and of v3 over the whole history in the lake.

    Of v3 the ETH-USDC 5 bp pool, and the WBTC-WETH 30 bp pool, which the lake may have from its inception.
    """
    frame = tables.get("out_amm_profit_per_volume")
    years: list[str] = []
    if frame is not None and len(frame):
        own = frame[frame["pool"] == ETH_USDC_V2]
        years = sorted(own.loc[own["period"].str.fullmatch(r"\d{4}"), "period"].unique())

    def of(label: str, year: str, expected: Expected, pool: str) -> Part:
        return _per_volume(tables, label, year, expected, pool)

    second = [partial(of, f"v2, {year}", year, POSITIVE, ETH_USDC_V2) for year in years or ["all"]]
    third = [partial(of, f"v3 {name}", period, NEGATIVE, pool) for name, pool in V3_POOLS.items()]
    answer = gather(*second, *third)
    late = [
        f"Of v3 {name} the lake has {part.n} days from {part.window_start:%Y-%m-%d} on, not all from its "
        "inception in May 2021."
        for part in answer.parts
        for name in V3_POOLS
        if part.label == f"v3 {name}" and part.window_start is not None and part.window_start > V3_BEGAN
    ]
    return replace(answer, note=" ".join(late))


def worked_example(tables: Tables, period: str) -> Answer:
    """1 ETH and 2000 USD at 2000, moved to 2400 along x y = k."""
    start = Position(base=1.0, quote=2000.0)
    moved = start.moved_to(2400.0)
    return Answer(
        (
            sum_part("profit", "USD", profit(start, 2400.0), 381.8, 0.05),
            sum_part("loss to holding", "USD", loss_to_holding(start, 2400.0), 18.2, 0.05),
            sum_part("ETH left", "1", moved.base, 0.9129, 0.00005),
            sum_part("USD held", "USD", moved.quote, 2190.9, 0.05),
        )
    )


def wins_and_losses(tables: Tables, period: str) -> Answer:
    """Days that gain over days that lose: twice as many, the losses larger.

    Share of winning days against two thirds, and mean loss less mean gain of a day in dollars, of the
    ETH-USDC 5 bp pool and of the WBTC-WETH 30 bp pool.
    """
    parts: list[Part] = []
    missing: list[str] = []
    for name, pool in V3_POOLS.items():
        try:
            parts += _wins(tables, period, name, pool)
        except MissingData as lack:
            missing.append(str(lack))
    if not parts:
        raise MissingData("; ".join(missing))
    return Answer(tuple(parts), missing=tuple(missing))


def _wins(tables: Tables, period: str, name: str, pool: str) -> tuple[Part, Part]:
    days = _pool_days(tables, period, pool)
    profit_usd: Array = days["pnl_usd"].to_numpy(dtype=np.float64)
    stamps = days["day"].to_numpy(dtype="datetime64[us]")
    good = np.isfinite(profit_usd)
    profit_usd, stamps = profit_usd[good], stamps[good]
    if not ((profit_usd > 0).any() and (profit_usd < 0).any()):
        raise MissingData(f"days of the {name} pool with gains and with losses in {period}")
    gain, loss = profit_usd > 0, profit_usd < 0
    mean_gain, mean_loss = float(profit_usd[gain].mean()), float(-profit_usd[loss].mean())
    # Influence of a day on a mean over the days of one kind: its departure, over the share of such days.
    influence = loss * (-profit_usd - mean_loss) / loss.mean() - gain * (profit_usd - mean_gain) / gain.mean()
    larger = hac_influence(mean_loss - mean_gain, influence)
    return (
        mean_part(
            f"share of winning days, {name}", "share", gain.astype(np.float64), stamps, value(2.0 / 3.0)
        ),
        estimate_part(
            f"mean loss less mean gain, {name}",
            "USD a day",
            larger,
            stamps,
            POSITIVE,
            again=lambda lags: hac_influence(mean_loss - mean_gain, influence, lags),
        ),
    )


CLAIMS = (
    Claim(
        46,
        "A",
        "ETH-USDC made -0.48 bp of volume in 2023 and +0.71 bp in 2024 to 5 May (v3, 5 bp)",
        "-0.48 bp; +0.71 bp",
        "bp of volume",
        "2023-01..2024-05",
        two_years,
        ("out_amm_profit_per_volume", "core_amm_pool_day"),
    ),
    Claim(
        47,
        "A",
        "LPs of the top pools are now within rounding of zero",
        "about 0",
        "bp of volume",
        "all",
        near_zero,
        ("out_amm_profit_per_volume",),
    ),
    Claim(
        48,
        "C24a",
        "January 2023 to February 2024: fees 141k, convexity 154k, net -13k dollars a day",
        "141k, 154k, -13k USD a day",
        "USD a day",
        "2023-01..2024-02",
        dollars_a_day,
        ("core_amm_pool_day",),
    ),
    Claim(
        49,
        "C24b",
        "v2 ETH-USDC was profitable every year; v3 lost from inception",
        "gain; loss",
        "bp of volume",
        "all",
        second_version_profits,
        ("out_amm_profit_per_volume",),
    ),
    Claim(
        50,
        "C24a",
        "1 ETH + 2000 USD at 2000, price to 2400: 0.9129 ETH + 2190.9 USD, profit 381.8, loss 18.2",
        "0.9129; 2190.9; 381.8; 18.2",
        "USD",
        "all",
        worked_example,
        theory=("constant_product",),
    ),
    Claim(
        51,
        "C24b",
        "v3 LPs win twice as many days as they lose, and the losses are larger",
        "2 to 1; losses larger",
        "share",
        "all",
        wins_and_losses,
        ("core_amm_pool_day",),
    ),
)
