"""Days that a source holds in part, and a pool's first day: flow and formula count the same hours."""

from __future__ import annotations

from dataclasses import asdict

import numpy as np
import pandas as pd
import pytest
from amm_frames import NO_SWITCHES, POOL, constant_liquidity_swaps, facts

from perp_pipeline import contracts
from perp_pipeline.amm import build, convexity, marks, minutes, pool_day, snapshots
from perp_pipeline.amm.minutes import DAY_MINUTES, MINUTE_US
from perp_pipeline.amm.spot import Spot
from perp_pipeline.lake.tables import to_frame

FIRST = pd.Timestamp("2024-01-05")
HOUR = pd.Timedelta(hours=1)


def _asked(kind: str, served: list[bool]) -> pd.DataFrame:
    """Rows of raw_amm_days, from the first day on."""
    days = pd.date_range(FIRST, periods=len(served))
    return pd.DataFrame({"day": days, "served": served}).assign(
        kind=kind, fee_protocol_source="declared", first_block=0, **asdict(facts())
    )


def _bars(price: float = 2000.0, seed: int = 0) -> pd.DataFrame:
    """Hourly closes of ether that walk at random."""
    hours = pd.date_range(FIRST - 2 * HOUR, FIRST + 99 * HOUR, freq="h", tz="UTC")
    steps = np.random.default_rng(seed).normal(0, 5e-3, len(hours))
    return pd.DataFrame(
        {"venue": "binance", "base": "ETH", "bar_start": hours, "close": price * np.exp(steps.cumsum())}
    )


def _built(rows: pd.DataFrame, asked: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    built = build.core_amm_pool_day(
        core_amm_minutes=rows,
        raw_amm_snapshots=to_frame(contracts.get("raw_amm_snapshots").schema.empty_table()),
        raw_amm_days=asked,
        core_spot_1h=_bars(),
    )
    return built.frame.set_index("day"), built.dropped


def _cut(swaps: pd.DataFrame, hours: float) -> pd.DataFrame:
    """The swaps without those of the second day after ``hours``."""
    gone = swaps["time"].dt.tz_localize(None) - FIRST - pd.Timedelta(days=1)
    return swaps[(gone < hours * HOUR) | (gone >= pd.Timedelta(days=1))]


def test_a_day_cut_short_is_no_pool_day_and_is_named() -> None:
    rows = minutes.from_swaps(_cut(constant_liquidity_swaps(6000, days=3), 7), facts(), NO_SWITCHES)
    days, dropped = _built(rows, _asked("swaps", [True, False, True]))
    assert days.index.tolist() == [FIRST, FIRST + pd.Timedelta(days=2)]
    (left,) = dropped.to_dict("records")
    assert left["key"] == f"ethereum:{POOL} 2024-01-06"
    assert left["reason"] == "no source holds the whole day"
    # the day after begins with its own first price, not with one of seventeen hours before
    prices = rows.loc[rows["minute"].dt.tz_localize(None) >= FIRST + pd.Timedelta(days=2), "price"]
    moved = np.log(prices.iloc[-1] / prices.iloc[0])
    assert days["return_day"].iloc[1] == pytest.approx(moved)
    every, none = _built(rows, _asked("swaps", [True, True, True]))
    assert (len(every), len(none)) == (3, 0)


def test_a_lake_of_one_day_in_part_has_no_pool_day() -> None:
    rows = minutes.from_swaps(constant_liquidity_swaps(500), facts(), NO_SWITCHES)
    days, dropped = _built(rows, _asked("swaps", [False]))
    assert days.empty
    assert len(dropped) == 1


def test_minute_files_fill_a_day_that_the_node_holds_in_part() -> None:
    whole = constant_liquidity_swaps(6000, days=3)
    swaps = _cut(whole, 7)
    second = whole[whole["time"].dt.tz_localize(None).dt.floor("D") == FIRST + pd.Timedelta(days=1)]
    by_minute = second.groupby(second["time"].dt.floor("min"))
    files = pd.DataFrame(
        {
            "chain": "ethereum",
            "pool": POOL,
            "minute": list(by_minute.groups),
            "net_amount0": [str(round(v * 10**6)) for v in by_minute["amount0_tokens"].sum()],
            "net_amount1": [str(round(v * 10**18)) for v in by_minute["amount1_tokens"].sum()],
            "in_amount0": [str(round(v * 10**6)) for v in by_minute["in0_tokens"].sum()],
            "in_amount1": [str(round(v * 10**18)) for v in by_minute["in1_tokens"].sum()],
            "close_tick": by_minute["tick"].last().to_numpy(),
            "current_liquidity": str(10**18),
        }
    )
    asked = pd.concat(
        [_asked("swaps", [True, False, True]), _asked("minutes", [False, True, False])], ignore_index=True
    )
    rows = build.core_amm_minutes(
        core_amm_swaps=swaps,
        raw_amm_minutes=files,
        core_amm_fee_protocol=to_frame(contracts.get("core_amm_fee_protocol").schema.empty_table()),
        raw_amm_days=asked,
    )
    days, _ = _built(rows, asked)
    assert days["source"].tolist() == ["swaps", "minutes", "swaps"]
    assert days["net0"].iloc[1] == pytest.approx(second["amount0_tokens"].sum(), rel=1e-6)
    found = marks.flows(swaps, rows, facts())
    assert found.net0.sum() == pytest.approx(whole["amount0_tokens"].sum(), rel=1e-6)


def test_a_pools_first_day_begins_with_its_first_swap() -> None:
    swaps = constant_liquidity_swaps(4000, days=1)
    late = swaps[swaps["time"].dt.tz_localize(None) >= FIRST + 20.5 * HOUR]
    rows = minutes.from_swaps(late, facts(), NO_SWITCHES)
    days, _ = _built(rows, _asked("swaps", [True]))
    closes = np.log(_bars()["close"].to_numpy())
    # bars start two hours before the day: close 1 ends at midnight, close 21 at 20:00
    squares = np.diff(closes)[21:25] ** 2
    variance = squares[0] / 2 + squares[1:].sum()
    assert days["variance_day"].iloc[0] == pytest.approx(variance, rel=1e-9)
    minute = minutes.micros(rows["minute"]) // MINUTE_US
    # after a day that has a row it is counted whole
    after = np.concatenate([minute[:1] - DAY_MINUTES, minute])
    path = convexity.by_day(
        after,
        np.full(len(after), 1 / 2000.0),
        np.full(len(after), 1e6),
        minute[:1] // DAY_MINUTES,
        convexity.MARKET_STEP,
        lambda grid: np.exp(closes[1:26])[None, :],
    )
    assert path.variance[0] == pytest.approx((np.diff(closes)[1:25] ** 2).sum(), rel=1e-9)


def _snapshots(count: int, hours: float = 4.0) -> pd.DataFrame:
    root = np.sqrt(2000.0) * np.exp(np.random.default_rng(3).normal(0, 0.01, count).cumsum())
    growth = 1.0001 ** np.arange(count)
    volume = np.linspace(0, 1e6, count)
    return pd.DataFrame(
        {
            "time": FIRST.tz_localize("UTC") + np.arange(count) * hours * HOUR + pd.Timedelta(minutes=90),
            "reserve0": 1e4 * growth * root,
            "reserve1": 1e4 * growth / root,
            "total_supply": 10.0,
            "volume0": volume,
            "volume1": volume / 2000,
        }
    ).astype({"time": "datetime64[us, UTC]"})


def test_snapshots_that_end_or_begin_within_a_day_make_no_pool_day() -> None:
    pair = facts("uniswap_v2", fee_pips=3000)
    frame = _snapshots(24)
    days, left_out = snapshots.pool_days(frame.iloc[3:22], pair, {})
    # the first day begins at 13:30, and the last ends then
    assert days["day"].tolist() == [FIRST + pd.Timedelta(days=day) for day in (1, 2)]
    assert left_out["day"].tolist() == [FIRST, FIRST + pd.Timedelta(days=3)]
    assert set(left_out["reason"]) == {"snapshots are missing at the day's beginning or end"}
    holed = pd.concat([frame.iloc[:10], frame.iloc[13:]])
    kept = [FIRST + pd.Timedelta(days=day) for day in (0, 3)]
    assert snapshots.pool_days(holed, pair, {})[0]["day"].tolist() == kept


def test_exchanges_mark_a_day_of_snapshots_at_its_last_snapshot() -> None:
    pair = facts("uniswap_v2", fee_pips=3000)
    days, _ = snapshots.pool_days(_snapshots(60), pair, {})
    assert (days["ends_at"] - days["day"].dt.tz_localize("UTC") == 21.5 * HOUR).all()
    ends = minutes.micros(pd.Series(pd.date_range(FIRST, periods=400, freq="h", tz="UTC")))
    spot = {"ETH": Spot(ends, 2000 * np.exp(1e-2 * np.arange(400.0)))}
    empty = np.empty(0, dtype=np.int64)
    none = marks.Flows(empty, empty, *(np.empty(0) for _ in range(4)))
    found = marks.mark_days(none, days, empty, pair, spot).set_index(["mark", "day"])["pnl_exchange_usd"]
    first = days.iloc[0]
    for mark, later in (("1d", 0), ("7d", 6)):
        hours = (first["ends_at"] - FIRST.tz_localize("UTC")) / HOUR + 24 * later
        worth = first["net0"] + first["net1"] * 2000 * np.exp(1e-2 * hours)
        assert found[mark, first["day"]] == pytest.approx(worth, rel=1e-9)


def test_the_days_of_swaps_are_valued_at_midnight() -> None:
    rows = minutes.from_swaps(constant_liquidity_swaps(500), facts(), NO_SWITCHES)
    days, _ = pool_day.from_minutes(rows, facts(), {})
    assert days["ends_at"].tolist() == [(FIRST + pd.Timedelta(days=1)).tz_localize("UTC")]
