"""Claims 46-51: what liquidity providers of AMM pools earn."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from functools import partial

import numpy as np
import pandas as pd

from perp_pipeline.research.claims.lacks import POOLS
from perp_pipeline.research.claims.model import (
    NEGATIVE,
    POSITIVE,
    Answer,
    Claim,
    Lack,
    MissingData,
    Part,
    Tables,
    Within,
    value,
)
from perp_pipeline.research.claims.pools import (
    ETH_USDC_5BP,
    ETH_USDC_V2,
    WBTC_WETH_30BP,
    days_held,
    days_of,
    has_holes,
    holes,
    pool_name,
    profit_part,
)
from perp_pipeline.research.claims.reading import (
    estimate_part,
    gather,
    lies_inside,
    mean_part,
    require_inside,
    row_part,
    rows,
    sum_part,
)
from perp_pipeline.research.periods import parse_period, slice_period
from perp_pipeline.research.statistics import Array, hac_influence
from perp_pipeline.theory.constant_product import Position, loss_to_holding, profit

COLUMNS = {"pnl_usd": "profit", "fees_usd": "fees", "convexity_flow_usd": "convexity"}
"""Columns of core_amm_pool_day in words."""

V3_POOLS = {"ETH-USDC 5 bp": ETH_USDC_5BP, "WBTC-WETH 30 bp": WBTC_WETH_30BP}
V3_BEGAN = pd.Timestamp("2021-05-12")
"""A week after Uniswap v3 was opened."""
V2_BEGAN = pd.Timestamp("2020-05-05", tz="UTC")
"""The day of the v2 pair's first liquidity."""
V2_YEARS = ("2020", "2021", "2022", "2023")
"""Calendar years of v2 ETH-USDC up to the text of February 2024; those before 2020 have no pair."""
LAST_DAY = pd.Timestamp("2024-05-05")
"""Where the essay's sample ends."""
SAMPLES = {"2023": ("2023", -0.48), "2024 to 5 May": ("2024-01..2024-04", 0.71)}
"""Label -> months of its own (what lies after 30 April is a few days), and what was published."""


def two_years(tables: Tables, period: str) -> Answer:
    """Profit over volume of the ETH-USDC 5 bp pool, marked at the day's end, in 2023 and in 2024 to 5 May.

    By days of core_amm_pool_day and the estimator of out_amm_profit_per_volume. Of another window the numbers
    whose months are all inside it; of one that holds neither, profit over volume of that window, beside
    the range that the two published numbers span.
    """

    def sample(label: str) -> Part:
        own, published = SAMPLES[label]
        require_inside(own, period, f"profit of {POOLS[ETH_USDC_5BP]}")
        days = slice_period(days_of(tables, ETH_USDC_5BP, label[:4]), "day", period)
        days = days[days["day"] <= LAST_DAY]
        if days.empty:
            raise MissingData(f"days of {POOLS[ETH_USDC_5BP]} in {label}")
        return replace(profit_part(days, label, value(published), own), published_for=own)

    if any(lies_inside(own, period) for own, _ in SAMPLES.values()):
        return gather(*(partial(sample, label) for label in SAMPLES))
    numbers = [published for _, published in SAMPLES.values()]
    days = days_of(tables, ETH_USDC_5BP, period)
    part = profit_part(days, f"profit over volume in {period}", Within(min(numbers), max(numbers)))
    return Answer((part,), holes(tables, period, {"the ETH-USDC 5 bp pool": ETH_USDC_5BP}))


def near_zero(tables: Tables, period: str) -> Answer:
    """Profit over volume of every pool in the lake; published as about zero.

    Each pool is judged over its days in the window. Its calendar years are told with their standard errors,
    and its days where there are holes between them.
    """
    found = rows(tables, "out_amm_profit_per_volume", numeraire="USD", mark="1d")
    names = _names(tables, found)
    parts, years = [], []
    for (chain, pool), own in found.groupby(["chain", "pool"], sort=True):
        name = names[(str(chain), str(pool))]
        if (own["period"] == period).any():
            parts.append(_per_volume(tables, name, period, str(pool)))
        told = [
            f"{row['period']} {row['estimate']:.1f} ({row['se']:.1f})"
            for row in own[own["period"].str.fullmatch(r"\d{4}")].sort_values("period").to_dict("records")
            if np.isfinite(row["se"]) and lies_inside(str(row["period"]), period)
        ]
        if told:
            years.append(f"{name}: {', '.join(told)}")
    if not parts:
        raise MissingData(f"days of pools with prices in dollars in {period}")
    note = f"By year, in bp of volume (standard error): {'; '.join(years)}." if years else ""
    held = holes(tables, period, {name: pool for (_, pool), name in names.items()})
    return Answer(tuple(parts), " ".join(text for text in (note, held) if text))


def _names(tables: Tables, found: pd.DataFrame) -> dict[tuple[str, str], str]:
    """Chain and pool -> name, which has the address too where two pools have one name."""
    facts = found[["chain", "pool", "token0", "token1", "pool_fee_bp"]].drop_duplicates(["chain", "pool"])
    days = tables.get("core_amm_pool_day")
    if days is not None and "protocol" in days.columns:
        protocols = days[["chain", "pool", "protocol"]].drop_duplicates(["chain", "pool"])
        facts = facts.merge(protocols, on=["chain", "pool"], how="left")
    named = {(row["chain"], row["pool"]): pool_name(row) for row in facts.to_dict("records")}
    times = Counter(named.values())
    return {key: name if times[name] == 1 else f"{name}, {key[1][:6]}" for key, name in named.items()}


def _per_volume(tables: Tables, label: str, period: str, pool: str) -> Part:
    where = {"pool": pool, "numeraire": "USD", "mark": "1d", "period": period}
    return row_part(tables, "out_amm_profit_per_volume", label, "bp of volume", value(0.0), **where)


def dollars_a_day(tables: Tables, period: str) -> Answer:
    """Mean daily fees, convexity flow and profit of the ETH-USDC 5 bp pool, in dollars, Newey-West errors."""
    columns = {"pnl_usd": -13_000.0, "fees_usd": 141_000.0, "convexity_flow_usd": 154_000.0}

    def mean(column: str, published: float) -> Part:
        days = days_of(tables, ETH_USDC_5BP, period)
        known = days[np.isfinite(days[column].to_numpy(dtype=np.float64))]
        stamps = known["day"].to_numpy(dtype="datetime64[us]")
        return mean_part(COLUMNS[column], "USD a day", known[column], stamps, value(published))

    answer = gather(*(partial(mean, column, published) for column, published in columns.items()))
    return replace(answer, note=holes(tables, period, {"the ETH-USDC 5 bp pool": ETH_USDC_5BP}))


def second_version_profits(tables: Tables, period: str) -> Answer:
    """Profit over volume of v2 ETH-USDC in each calendar year, and of v3 over the whole window.

    The years are 2020, when the pair began, to 2023, the last before the text, and later ones that the lake
    has; of each, the days inside the window. Of v3 the ETH-USDC 5 bp pool, and the WBTC-WETH 30 bp pool,
    which the lake may have from its inception. By days of core_amm_pool_day and the estimator of
    out_amm_profit_per_volume.
    """

    def second(year: str) -> Part:
        days = days_of(tables, ETH_USDC_V2, period)
        days = slice_period(days, "day", year)
        if days.empty:
            raise MissingData(f"days of {POOLS[ETH_USDC_V2]} in {year}")
        part = profit_part(days, f"v2, {year}", POSITIVE, year if lies_inside(year, period) else None)
        return replace(part, listed_from=V2_BEGAN)

    def third(name: str, pool: str) -> Part:
        return profit_part(days_of(tables, pool, period), f"v3 {name}", NEGATIVE)

    answer = gather(
        *(partial(second, year) for year in _years(tables, period)),
        *(partial(third, name, pool) for name, pool in V3_POOLS.items()),
    )
    late = [text for name, pool in V3_POOLS.items() if (text := _from_inception(tables, period, name, pool))]
    return replace(answer, note=" ".join(late))


def _years(tables: Tables, period: str) -> list[str]:
    """The years of the text, and later ones that the lake has, as far as the window touches them."""
    try:
        held = days_of(tables, ETH_USDC_V2, period)["day"].dt.year.astype(str)
    except MissingData:
        held = pd.Series(dtype="str")
    years = sorted({*V2_YEARS, *held})
    span = parse_period(period)
    if span is None:
        return years
    return [year for year in years if span.first.year <= int(year) <= span.last.year]


def _from_inception(tables: Tables, period: str, name: str, pool: str) -> str:
    """What the lake has of a v3 pool where that is not the window from its inception, or has holes."""
    try:
        days = days_of(tables, pool, period)["day"]
    except MissingData:
        return ""
    span = parse_period(period)
    begins = V3_BEGAN if span is None else max(V3_BEGAN, pd.Timestamp(span.start).tz_localize(None))
    late = days.min() > begins + pd.Timedelta(days=7)
    if not late and not has_holes(days):
        return ""
    words = ", not all from its inception in May 2021" if late and begins == V3_BEGAN else ""
    return f"Of v3 {name} the lake has {days_held(days)}{words}."


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
    missing: list[Lack] = []
    for name, pool in V3_POOLS.items():
        try:
            parts += _wins(tables, period, name, pool)
        except MissingData as lack:
            missing.append(Lack(str(lack), published=2))
    if not parts:
        raise MissingData("; ".join(lack.text for lack in missing))
    return Answer(tuple(parts), holes(tables, period, V3_POOLS), tuple(missing))


def _wins(tables: Tables, period: str, name: str, pool: str) -> tuple[Part, Part]:
    days = days_of(tables, pool, period)
    profit_usd: Array = days["pnl_usd"].to_numpy(dtype=np.float64)
    stamps = days["day"].to_numpy(dtype="datetime64[us]")
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
        ("core_amm_pool_day",),
        dated=True,
    ),
    Claim(
        47,
        "A",
        "LPs of the top pools are now within rounding of zero",
        "about 0",
        "bp of volume",
        "all",
        near_zero,
        ("out_amm_profit_per_volume", "core_amm_pool_day"),
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
        dated=True,
    ),
    Claim(
        49,
        "C24b",
        "v2 ETH-USDC was profitable every year; v3 lost from inception",
        "gain; loss",
        "bp of volume",
        "all",
        second_version_profits,
        ("core_amm_pool_day",),
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
