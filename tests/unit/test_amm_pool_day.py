"""Pool-days against what a liquidity provider of a known pool is worth."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from amm_frames import NO_SWITCHES, POOL, constant_liquidity_swaps, facts

from perp_pipeline import contracts
from perp_pipeline.amm import marks, minutes, pool_day, snapshots
from perp_pipeline.amm.spot import Spot, spot_by_base
from perp_pipeline.research.amm_profit import trends


def _day(swaps: pd.DataFrame, **changes: object) -> pd.Series:
    pool = facts(**changes)
    frame, left_out = pool_day.from_minutes(minutes.from_swaps(swaps, pool, NO_SWITCHES), pool, {})
    assert left_out.empty
    return frame.iloc[0]


def test_profit_is_what_the_position_gained_over_holding() -> None:
    swaps = constant_liquidity_swaps(5000)
    day = _day(swaps)
    # the pool's balances moved by the flows: worth of the change at the day-end price
    usd = 1 / swaps["price"].iloc[-1]
    gained = swaps["amount0_tokens"].sum() + swaps["amount1_tokens"].sum() * usd
    assert day["pnl_usd"] == pytest.approx(gained, rel=1e-9)
    # without fees a position loses L (root_end - root_start)**2 / root_start of token1 to holding, whatever
    # the path between
    start = np.sqrt(1 / 2000.0) * np.exp(np.random.default_rng(1).normal(0, 2e-4, 5001)[0])
    end = np.sqrt(swaps["price"].iloc[-1])
    loss = 1e6 * (end - start) ** 2 / start * usd
    assert day["convexity_flow_usd"] == pytest.approx(loss, rel=1e-6)
    assert day["fees_usd"] == pytest.approx(day["pnl_usd"] + loss, rel=1e-9)


def test_days_differ_between_flow_and_formula_by_how_they_trended() -> None:
    swaps = constant_liquidity_swaps(20_000, days=12, seed=4)
    pool = facts()
    days = pool_day.from_minutes(minutes.from_swaps(swaps, pool, NO_SWITCHES), pool, {})[0]
    gap = days["convexity_flow_usd"] - days["convexity_formula_usd"]
    explained = days["convexity_formula_usd"] * trends(days)
    start, end = np.log(swaps["price"].iloc[[0, -1]])
    assert days["return_day"].sum() == pytest.approx(end - start, abs=2e-3)
    assert np.corrcoef(gap, explained)[0, 1] > 0.99
    assert np.allclose(gap, explained, atol=0.1 * days["convexity_formula_usd"].mean())


def test_volume_counts_and_conservation() -> None:
    swaps = constant_liquidity_swaps(1000)
    day = _day(swaps)
    assert day["n_buys"] + day["n_sells"] == day["n_swaps"] == 1000
    came = swaps["in0_tokens"] + swaps["in1_tokens"] / swaps["price"]
    # a minute's input is valued at the price of its end
    assert day["volume_usd"] == pytest.approx(came.sum(), rel=1e-4)
    assert day["fees_usd"] == pytest.approx(day["volume_usd"] * 5e-4, rel=0.02)
    assert day["net0"] == pytest.approx(swaps["amount0_tokens"].sum())
    contract = contracts.get("core_amm_pool_day")
    frame = pd.DataFrame([day])
    assert all(check.passes(frame).all() for check in contract.checks)


def test_what_is_lost_at_once_is_the_formula_over_single_swaps() -> None:
    swaps = constant_liquidity_swaps(2000)
    pool = facts()
    rows = minutes.from_swaps(swaps, pool, NO_SWITCHES)
    # at the price after each swap the hedged loss is L sqrt(p) r**2 / 4, to third order in r
    flows = rows["fee0"].sum() + (rows["fee1"] / rows["price"]).sum() - rows["value_at_swap"].sum()
    first = np.log(swaps["price"].iloc[0] * 2000)  # the first swap's own move is not known from the logs
    unseen = 1e6 * np.sqrt(2000) * first**2 / 4
    assert flows == pytest.approx(rows["convexity_at_swap"].sum() + unseen, rel=2e-2)


def test_formula_and_flow_agree_where_the_price_is_a_martingale() -> None:
    flow = formula = 0.0
    for seed in range(40):
        pool = facts()
        rows = minutes.from_swaps(constant_liquidity_swaps(1440, seed=seed), pool, NO_SWITCHES)
        day = pool_day.from_minutes(rows, pool, {})[0].iloc[0]
        flow += day["convexity_flow_usd"]
        formula += day["convexity_formula_usd"]
        assert day["variance_source"] == "pool_4h"
    assert flow == pytest.approx(formula, rel=0.5)  # 40 squared normals: a standard error of 22 %


def test_the_protocols_share_comes_off_from_its_switch_on() -> None:
    swaps = constant_liquidity_swaps(1000)
    switch = pd.DataFrame(
        {
            "block_number": [500],
            "log_index": [0],
            "time": [swaps["time"].iloc[500]],
            "old0": [0],
            "old1": [0],
            "new0": [4],
            "new1": [5],
        }
    )
    pool = facts(fee_protocol0=7)  # the event's own "old" values win over the registry
    rows = minutes.from_swaps(swaps, pool, switch)
    day = pool_day.from_minutes(rows, pool, {})[0].iloc[0]
    later = swaps.iloc[501:]
    fee0 = later["amount0_tokens"].clip(lower=0).sum() * 5e-4 / 4
    fee1 = later["amount1_tokens"].clip(lower=0).sum() * 5e-4 / 5
    assert day["protocol_fees_usd"] == pytest.approx(fee0 + fee1 * day["usd1_end"])
    free = _day(swaps)
    assert free["pnl_usd"] - day["pnl_usd"] == pytest.approx(day["protocol_fees_usd"], rel=1e-6)
    assert free["convexity_flow_usd"] == pytest.approx(day["convexity_flow_usd"], rel=1e-6)


def test_pools_without_a_dollar_token_are_valued_by_spot() -> None:
    pool = facts(token0="WBTC", tracks0="BTC", decimals0=8)
    rows = minutes.from_swaps(constant_liquidity_swaps(500, pool=pool), pool, NO_SWITCHES)
    none, left_out = pool_day.from_minutes(rows, pool, {})
    assert none.empty
    assert left_out["reason"].str.contains("spot").all()
    hours = pd.date_range("2024-01-04 20:00", "2024-01-06", freq="h", tz="UTC")
    spot = spot_by_base(
        pd.DataFrame(
            {"venue": "binance", "base": "ETH", "bar_start": hours, "close": np.arange(len(hours)) + 1000.0}
        )
    )
    day = pool_day.from_minutes(rows, pool, spot)[0].iloc[0]
    closing = 1000.0 + list(hours).index(pd.Timestamp("2024-01-05 23:00", tz="UTC"))
    assert day["usd1_end"] == closing
    assert day["usd0_end"] == pytest.approx(closing * day["price_end"])
    assert day["pnl_usd"] == pytest.approx((day["net0"] * day["price_end"] + day["net1"]) * closing)


def test_spot_takes_the_best_venue_and_refuses_stale_bars() -> None:
    bars = pd.DataFrame(
        {
            "venue": ["gemini", "binance", "gemini"],
            "base": "ETH",
            "bar_start": pd.to_datetime(
                ["2024-01-01 00:00", "2024-01-01 00:00", "2024-01-01 01:00"], utc=True
            ),
            "close": [1.0, 2.0, 3.0],
        }
    )
    spot = spot_by_base(bars)["ETH"]

    def at(text: str) -> float:
        return float(spot.at(np.array([pd.Timestamp(text).value // 1000]))[0])

    assert at("2024-01-01 01:00") == 2.0
    assert at("2024-01-01 02:30") == 3.0
    assert np.isnan(at("2024-01-01 00:59"))
    assert np.isnan(at("2024-01-01 14:01"))
    assert np.isnan(Spot(np.array([], dtype=np.int64), np.array([])).at(np.array([0]))[0])


def _marked(swaps: pd.DataFrame, rows: pd.DataFrame, days: pd.DataFrame, served: list[int]) -> pd.Series:
    """Profit by mark and day; ``served`` counts days from the first one."""
    pool = facts()
    first = minutes.micros(days["day"]).min() // marks.DAY_US
    known = first + np.array(served, dtype=np.int64)
    return marks.mark_days(marks.flows(swaps, rows, pool), days, known, pool, {}).set_index(["mark", "day"])[
        "pnl_usd"
    ]


def test_marks() -> None:
    swaps = constant_liquidity_swaps(3000, days=9)
    rows = minutes.from_swaps(swaps, facts(), NO_SWITCHES)
    days = pool_day.from_minutes(rows, facts(), {})[0]
    found = _marked(swaps, rows, days, list(range(9)))
    assert np.allclose(found["1d"], days.set_index("day")["pnl_usd"])
    # nine days: seven-day marks exist for the first three, intraday ones for all but the last
    assert len(found["7d"]) == 3
    assert [len(found[mark]) for mark in ("0", "1min", "5min", "1h", "4h")] == [9, 8, 8, 8, 8]
    first = days["day"].iloc[0]
    later = days["price_end"].iloc[6]
    assert found["7d", first] == pytest.approx(days["net0"].iloc[0] + days["net1"].iloc[0] / later)
    own = swaps[swaps["time"].dt.tz_localize(None).dt.floor("D") == first]
    for mark, time in (("1min", "1min"), ("5min", "5min"), ("4h", "4h"), ("0", "0min")):
        total = 0.0
        for _, swap in own.iterrows():
            price = swaps.loc[swaps["time"] <= swap["time"] + pd.Timedelta(time), "price"].iloc[-1]
            total += swap["amount0_tokens"] + swap["amount1_tokens"] / price
        assert found[mark, first] == pytest.approx(total, rel=1e-9), mark


def test_marks_in_days_that_no_source_serves_have_no_value() -> None:
    swaps = constant_liquidity_swaps(3000, days=3)
    day = swaps["time"].dt.tz_localize(None).dt.floor("D")
    swaps = swaps[day != day.iloc[0] + pd.Timedelta(days=1)]  # the middle day is not served
    rows = minutes.from_swaps(swaps, facts(), NO_SWITCHES)
    days = pool_day.from_minutes(rows, facts(), {})[0]
    found = _marked(swaps, rows, days, [0, 2])
    assert [len(found[mark]) for mark in ("0", "1d")] == [2, 2]
    assert not {"1min", "5min", "1h", "4h", "7d"} & set(found.index.get_level_values("mark"))
    # a served day without swaps keeps the price
    quiet = _marked(swaps, rows, days, [0, 1, 2])
    last, after = days["day"].iloc[0], days["price_end"].iloc[0]
    assert set(quiet["4h"].index) == {last}
    late = swaps[swaps["time"].dt.tz_localize(None) >= last + pd.Timedelta(hours=20)]
    late = late[late["time"].dt.tz_localize(None) < last + pd.Timedelta(days=1)]
    own = (late["amount0_tokens"] + late["amount1_tokens"] / after).sum()
    early = swaps[swaps["time"].dt.tz_localize(None) < last + pd.Timedelta(hours=20)]
    value = 0.0
    for _, swap in early.iterrows():
        price = swaps.loc[swaps["time"] <= swap["time"] + pd.Timedelta(hours=4), "price"].iloc[-1]
        value += swap["amount0_tokens"] + swap["amount1_tokens"] / price
    assert quiet["4h", last] == pytest.approx(own + value, rel=1e-9)


def test_marks_of_minute_files_count_from_the_end_of_the_minute() -> None:
    swaps = constant_liquidity_swaps(3000, days=2)
    rows = minutes.from_swaps(swaps, facts(), NO_SWITCHES).assign(source="minutes", value_at_swap=np.nan)
    days = pool_day.from_minutes(rows, facts(), {})[0]
    found = _marked(swaps.iloc[:0], rows, days, [0, 1])
    assert "0" not in found.index.get_level_values("mark")
    first = days["day"].iloc[0]
    own = rows[rows["minute"].dt.tz_localize(None).dt.floor("D") == first]
    total = 0.0
    for _, minute in own.iterrows():
        price = rows.loc[rows["minute"] <= minute["minute"] + pd.Timedelta("5min"), "price"].iloc[-1]
        total += minute["net0"] + minute["net1"] / price
    assert found["5min", first] == pytest.approx(total, rel=1e-9)


def test_the_exchange_marks_a_flow_at_the_time_that_the_mark_says() -> None:
    swaps = constant_liquidity_swaps(3000, days=3)
    rows = minutes.from_swaps(swaps, facts(), NO_SWITCHES)
    days = pool_day.from_minutes(rows, facts(), {})[0]
    hours = pd.date_range("2024-01-04", "2024-01-09", freq="h", tz="UTC")
    start = hours[0].value // 1000
    ends = minutes.micros(hours.to_series()) + marks.MINUTE_US * 60

    def price(moments: np.ndarray) -> np.ndarray:
        """Dollars of an ether that grows by one per cent in an hour."""
        return np.asarray(2000 * np.exp(0.01 * (moments - start) / 3.6e9))

    spot = {"ETH": Spot(ends, price(ends))}
    known = minutes.micros(days["day"]) // marks.DAY_US
    found = marks.mark_days(marks.flows(swaps, rows, facts()), days, known, facts(), spot)
    value = found.set_index(["mark", "day"])["pnl_exchange_usd"]
    own = swaps[swaps["time"].dt.tz_localize(None).dt.floor("D") == days["day"].iloc[0]]
    for mark, later in (("1h", 1), ("4h", 4)):
        at = price(minutes.micros(own["time"]) + later * 3_600_000_000)
        worth = (own["amount0_tokens"] + own["amount1_tokens"] * at).sum()
        assert value[mark, days["day"].iloc[0]] == pytest.approx(worth, rel=1e-9), mark
    assert value[["0", "1min", "5min"]].isna().all()
    ended = price((known[:1] + 1) * marks.DAY_US)[0]
    flows = days["net0"].iloc[0] + days["net1"].iloc[0] * ended
    assert value["1d", days["day"].iloc[0]] == pytest.approx(flows, rel=1e-9)


def test_between_two_bars_the_price_is_interpolated_and_nowhere_else() -> None:
    hour = 3_600_000_000
    spot = Spot(np.array([hour, 2 * hour, 20 * hour]), np.array([1.0, 4.0, 8.0]))
    asked = np.array([hour // 2, hour, 3 * hour // 2, 2 * hour, 3 * hour, 20 * hour, 21 * hour])
    expected = [np.nan, 1.0, 2.0, 4.0, np.nan, 8.0, np.nan]
    np.testing.assert_allclose(spot.between(asked), expected)
    assert np.isnan(Spot(np.array([], dtype=np.int64), np.array([])).between(asked)).all()


def test_snapshots_of_a_pair_give_its_fees_and_its_loss() -> None:
    root = np.sqrt(2000.0) * np.exp(np.random.default_rng(3).normal(0, 0.01, 60).cumsum())
    growth = 1.0001 ** np.arange(60)  # sqrt(k) per liquidity token
    supply = np.linspace(10, 20, 60)  # minting changes nothing per token
    volume = np.linspace(0, 1e6, 60)
    frame = pd.DataFrame(
        {
            "time": pd.date_range("2021-01-01", periods=60, freq="4h", tz="UTC"),
            "reserve0": 1000 * growth * supply * root,
            "reserve1": 1000 * growth * supply / root,
            "total_supply": supply,
            "volume0": volume,
            "volume1": volume / 2000,
        }
    )
    days, left_out = snapshots.pool_days(frame, facts("uniswap_v2", fee_pips=3000), {})
    assert left_out.empty
    middle = days.iloc[5]
    assert middle["return_day"] == pytest.approx(-2 * np.log(root[35] / root[29]))
    assert middle["day"] == pd.Timestamp("2021-01-06")
    steps = slice(30, 36)
    value = 2 * 1000 * root[steps] * ((supply[29:35] + supply[30:36]) / 2)
    assert middle["fees_usd"] == pytest.approx((value * np.diff(growth)[29:35]).sum(), rel=1e-9)
    assert middle["pnl_usd"] == pytest.approx(middle["fees_usd"] - middle["convexity_flow_usd"])
    assert middle["volume_usd"] == pytest.approx(middle["fees_usd"] / 0.003)
    assert middle["counted0"] == pytest.approx(volume[35] - volume[29])
    assert (days["convexity_flow_usd"].sum()) == pytest.approx(days["convexity_formula_usd"].sum(), rel=0.6)


def test_minute_files_give_the_day_of_their_swaps() -> None:
    pool = facts()
    swaps = constant_liquidity_swaps(2000)
    rows = minutes.from_swaps(swaps, pool, NO_SWITCHES)
    grouped = swaps.assign(
        minute=swaps["time"].dt.floor("min"),
        in0=swaps["amount0_tokens"].clip(lower=0),
        in1=swaps["amount1_tokens"].clip(lower=0),
    ).groupby("minute")
    raw = pd.DataFrame(
        {
            "minute": list(grouped.groups),
            "net_amount0": [str(round(v * 10**6)) for v in grouped["amount0_tokens"].sum()],
            "net_amount1": [str(round(v * 10**18)) for v in grouped["amount1_tokens"].sum()],
            "in_amount0": [str(round(v * 10**6)) for v in grouped["in0"].sum()],
            "in_amount1": [str(round(v * 10**18)) for v in grouped["in1"].sum()],
            "close_tick": grouped["tick"].last().to_numpy(),
            "current_liquidity": str(10**18),
            "chain": "ethereum",
            "pool": POOL,
        }
    )
    files = minutes.from_files(raw, pool, NO_SWITCHES)
    a = pool_day.from_minutes(rows, pool, {})[0].iloc[0]
    b = pool_day.from_minutes(files, pool, {})[0].iloc[0]
    assert b["source"] == "minutes"
    assert b["volume_usd"] == pytest.approx(a["volume_usd"], rel=1e-6)
    assert b["fees_usd"] == pytest.approx(a["fees_usd"], rel=1e-4)
    # the tick's middle stands for the price: half a basis point of the net flow
    assert b["pnl_usd"] == pytest.approx(a["pnl_usd"], abs=6e-5 * abs(a["net0"]) + 1e-3)
    assert np.allclose(files["liquidity"], 1e6)
