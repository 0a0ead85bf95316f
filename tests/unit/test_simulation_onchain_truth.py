"""Marks, volumes, archives and intervals of simulated pools against what their state and their law say."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from onchain_market import COIN_FIRST, built, downloaded, empty, market_of

from perp_pipeline.amm import build, decode, minutes, pool_day
from perp_pipeline.amm.pools import PoolFacts
from perp_pipeline.amm.spot import HOUR_US, Spot
from perp_pipeline.months import Month
from perp_pipeline.research.amm_profit import out_amm_profit_per_volume
from perp_pipeline.simulation.market import SimulatedMarket
from perp_pipeline.simulation.onchain.chain import PoolRecord, SimulatedChain, block_time
from perp_pipeline.simulation.onchain.node import Node
from perp_pipeline.simulation.onchain.parameters import POOLS, Noise, OnChain
from perp_pipeline.simulation.onchain.truth import marked, pool_days, volumes
from perp_pipeline.simulation.parameters import Planted
from perp_pipeline.sources.evm_events import V3
from perp_pipeline.sources.evm_logs import log_table

SWAP = V3[0]
DAYS = 12
SEEDS = 100


@pytest.fixture(scope="module")
def market() -> SimulatedMarket:
    return market_of(8, OnChain(days=DAYS, check_blocks=100, pools=(*POOLS, COIN_FIRST)))


@pytest.fixture(scope="module")
def tables(market: SimulatedMarket, tmp_path_factory: pytest.TempPathFactory) -> dict[str, pd.DataFrame]:
    raw = downloaded(market, tmp_path_factory.mktemp("node"))
    return raw | built(raw)


def marks_of(tables: dict[str, pd.DataFrame]) -> pd.DataFrame:
    names = ("core_amm_swaps", "core_amm_minutes", "core_amm_pool_day", "raw_amm_days")
    return build.core_amm_marks(**{name: tables[name] for name in names}, core_spot_1h=empty("core_spot_1h"))


def test_marks_are_what_the_pools_prices_say(
    market: SimulatedMarket, tables: dict[str, pd.DataFrame]
) -> None:
    found = marks_of(tables).set_index(["pool", "mark", "day"])["pnl_usd"]
    truth = pool_days(market.chain)
    for address in market.chain.records:
        days = [day for day in truth if day.pool == address]
        for mark, later in (("0", 0), ("1min", 1), ("5min", 5), ("1h", 60), ("4h", 240)):
            values = marked(market.chain, address, later)
            # the last day's marks lie beyond the market's end
            for day, value in list(zip(days, values, strict=True))[: None if mark == "0" else -1]:
                own = found[address, mark, pd.Timestamp(day.day)]
                rounding = 2e-6 * (day.n_swaps + 10)
                assert own == pytest.approx(value - day.protocol_fees_usd, abs=rounding, rel=1e-9), mark
        for day in days:
            assert found[address, "1d", pd.Timestamp(day.day)] == pytest.approx(day.pnl_usd, abs=1e-3)
        for first, last in zip(days, days[6:], strict=False):
            coin = market.chain.records[address].planted
            scale = 10.0 ** (coin.token1.decimals - coin.token0.decimals)
            values7 = coin.usd_values(coin.usd_price(last.price_end * scale))
            worth = first.net0 * values7[0] + first.net1 * values7[1] - first.protocol_fees_usd
            assert found[address, "7d", pd.Timestamp(first.day)] == pytest.approx(worth, abs=1.0, rel=1e-6)


def test_profit_per_volume_is_that_of_the_pools_state(
    market: SimulatedMarket, tables: dict[str, pd.DataFrame]
) -> None:
    held = tables | {"core_amm_marks": marks_of(tables)}
    found = out_amm_profit_per_volume(
        core_amm_pool_day=held["core_amm_pool_day"], core_amm_marks=held["core_amm_marks"]
    )
    rows = found[(found["numeraire"] == "USD") & (found["mark"] == "1d") & (found["period"] == "all")]
    truth = pool_days(market.chain)
    for row in rows.to_dict("records"):
        own = [day for day in truth if day.pool == row["pool"]]
        volume = sum(volumes(market.chain, row["pool"]))
        # the price of a minute's end stands for that of each swap in it
        assert row["volume_usd"] == pytest.approx(volume, rel=2e-4)
        assert row["estimate"] == pytest.approx(1e4 * sum(d.pnl_usd for d in own) / volume, rel=1e-3)
        assert row["fee_bp"] == pytest.approx(1e4 * sum(d.fees_usd for d in own) / volume, rel=1e-3)
        assert row["win_share"] == np.mean([day.pnl_usd > 0 for day in own])
    assert len(rows) == 3


# archives


def minute_files(record: PoolRecord, address: str) -> pd.DataFrame:
    """Rows of raw_amm_minutes, from the pool's trades and the state words of its logs."""
    rows: dict[pd.Timestamp, dict[str, Any]] = {}
    words = {entry.block: entry.log.data for entry in record.entries if len(entry.log.data) == 2 + 5 * 64}
    for trade in record.trades:
        minute = pd.Timestamp(block_time(trade.block), unit="s", tz="UTC").floor("min")
        row = rows.setdefault(minute, {"net0": 0, "net1": 0, "in0": 0, "in1": 0})
        for token, moved in enumerate(trade.moved):
            row[f"net{token}"] += moved
            row[f"in{token}"] += max(moved, 0)
        data = words[trade.block]
        tick = int(data[2 + 4 * 64 :], 16)
        row |= {
            "tick": tick - 2**256 if tick >> 255 else tick,
            "liquidity": int(data[2 + 3 * 64 : 2 + 4 * 64], 16),
        }
    values = list(rows.values())
    names = {"net_amount0": "net0", "net_amount1": "net1", "in_amount0": "in0", "in_amount1": "in1"}
    return pd.DataFrame(
        {"chain": "ethereum", "pool": address, "minute": list(rows)}
        | {name: [str(row[own]) for row in values] for name, own in names.items()}
        | {"close_tick": [row["tick"] for row in values]}
        | {"current_liquidity": [str(row["liquidity"]) for row in values]}
    ).astype({"minute": "datetime64[us, UTC]"})


def snapshots(record: PoolRecord, address: str, chain: SimulatedChain, hours: int = 4) -> pd.DataFrame:
    """Rows of raw_amm_snapshots: reserves and supply every few hours, counters of what went in and out."""
    start = pd.Timestamp(chain.first_day, tz="UTC")
    times = pd.date_range(
        start + pd.Timedelta(minutes=10), periods=chain.days * 24 // hours, freq=f"{hours}h"
    )
    blocks = np.array([block for block, _ in record.balances])
    scale = [10.0**token.decimals for token in (record.planted.token0, record.planted.token1)]
    traded = np.array([trade.block for trade in record.trades])
    counters = np.cumsum(np.abs([trade.moved for trade in record.trades]) / scale, axis=0)
    rows = []
    for time in times:
        block = (int(time.timestamp()) - block_time(0)) // 12
        place = np.searchsorted(blocks, block, side="right") - 1
        count = int(np.searchsorted(traded, block, side="right"))
        volume = counters[count - 1] if count else (0.0, 0.0)
        held = record.balances[place][1]
        rows.append(
            {
                "chain": "ethereum",
                "pool": address,
                "time": time.as_unit("us"),
                "reserve0": held[0] / scale[0],
                "reserve1": held[1] / scale[1],
                "total_supply": record.supplies[place][1] / 1e18,
                "volume0": volume[0],
                "volume1": volume[1],
                "tx_count": count,
            }
        )
    return pd.DataFrame(rows)


def test_minute_files_of_the_same_market_give_its_days(
    market: SimulatedMarket, tables: dict[str, pd.DataFrame]
) -> None:
    address = POOLS[0].address
    days = tables["raw_amm_days"]
    filed = build.core_amm_minutes(
        core_amm_swaps=empty("core_amm_swaps"),
        raw_amm_minutes=minute_files(market.chain.records[address], address),
        core_amm_fee_protocol=tables["core_amm_fee_protocol"],
        raw_amm_days=days,
    )
    found = build.core_amm_pool_day(
        core_amm_minutes=filed,
        raw_amm_snapshots=empty("raw_amm_snapshots"),
        raw_amm_days=days,
        core_spot_1h=empty("core_spot_1h"),
    ).frame.set_index("day")
    for day in (day for day in pool_days(market.chain) if day.pool == address):
        row = found.loc[pd.Timestamp(day.day)]
        # the middle of a tick stands for the price: half a basis point of what flowed
        off = 6e-5 * (abs(row["net0"]) + day.fees_usd) + 1.0
        assert row["pnl_usd"] == pytest.approx(day.pnl_usd, abs=off)
        assert row["fees_usd"] == pytest.approx(day.fees_usd, rel=2e-4)


def test_snapshots_of_the_same_market_give_its_profit(
    market: SimulatedMarket, tables: dict[str, pd.DataFrame]
) -> None:
    address = POOLS[1].address
    record = market.chain.records[address]
    rows = snapshots(record, address, market.chain)
    found = build.core_amm_pool_day(
        core_amm_minutes=empty("core_amm_minutes"),
        raw_amm_snapshots=rows,
        raw_amm_days=tables["raw_amm_days"],
        core_spot_1h=empty("core_spot_1h"),
    ).frame
    last = rows["time"].iloc[-1]
    cut = (int(last.timestamp()) - block_time(0)) // 12
    first = (int(rows["time"].iloc[0].timestamp()) - block_time(0)) // 12
    seen = [trade for trade in record.trades if first < trade.block <= cut]
    came = [
        sum(
            max(moved, 0) * value
            for moved, value in zip(trade.moved, _worth(record, trade.raw_price), strict=True)
        )
        for trade in seen
    ]
    # providers who come and go within a step make sqrt(k) per token a mean over it
    assert found["fees_usd"].sum() == pytest.approx(0.003 * sum(came), rel=0.01)
    assert found["volume_usd"].sum() == pytest.approx(sum(came), rel=0.01)
    assert found["counted0"].sum() == pytest.approx(sum(abs(t.moved[0]) for t in seen) / 1e6, rel=1e-9)
    # a day ends at its last snapshot: what trades moved since the day before's, at the price of the end
    ends = rows.groupby(rows["time"].dt.floor("D"))["time"].max()
    closing = [(int(end.timestamp()) - block_time(0)) // 12 for end in ends]
    for row, after, until in zip(found.to_dict("records"), [first, *closing], closing, strict=False):
        own = [trade for trade in record.trades if after < trade.block <= until]
        worth = _worth(record, own[-1].raw_price)
        pnl = sum(moved * value for trade in own for moved, value in zip(trade.moved, worth, strict=True))
        assert row["pnl_usd"] == pytest.approx(pnl, abs=0.03 * row["fees_usd"]), row["day"]


def _worth(record: PoolRecord, raw_price: float) -> tuple[float, float]:
    return record.planted.usd_values(record.planted.usd_price(raw_price))


# a hundred short markets


def short_market(seed: int) -> tuple[pd.Series, float]:
    """Four weeks of a pool: its row of out_amm_profit_per_volume, and its convexity by state in dollars."""
    pool = replace(POOLS[0], liquidity=((0.0, 3e7),), noise=Noise(60.0, 15_000.0), protocol_share=0)
    onchain = OnChain(days=28, check_blocks=150, pools=(pool,))
    market = SimulatedMarket(seed, Month(2022, 2), Month(2022, 2), Planted(onchain=onchain))
    node = Node(lambda: market.chain, max_span=10**9, max_logs=10**9)
    asked = {"address": pool.address, "topics": [[SWAP.topic0]], "fromBlock": "0x0", "toBlock": "latest"}
    call = {"jsonrpc": "2.0", "id": 1, "method": "eth_getLogs", "params": [asked]}
    logs = log_table(json.loads(node.answer(json.dumps(call).encode()).body)["result"]).to_pandas()
    time = pd.to_datetime(logs["block_timestamp"], unit="s", utc=True).dt.as_unit("us")
    raw = logs.assign(chain="ethereum", pool=pool.address, time=time)
    facts = PoolFacts(
        "ethereum", pool.address, "uniswap_v3", "USDC", "WETH", 6, 18, "USD", "ETH", pool.fee_pips
    )
    swaps = decode.swaps(raw, facts)
    rows = minutes.from_swaps(swaps, facts, empty("core_amm_fee_protocol"))
    spot = {"ETH": exchange_bars(market)}
    days, _ = pool_day.from_minutes(rows, facts, spot)
    marked_days = days[["chain", "pool", "day", "pnl_usd"]].assign(mark="1d", pnl_exchange_usd=np.nan)
    found = out_amm_profit_per_volume(core_amm_pool_day=days, core_amm_marks=marked_days)
    row = found[(found["period"] == "all") & (found["numeraire"] == "USD")]
    assert (days["variance_source"] == "exchange_1h").all()
    return row.iloc[0], sum(day.convexity_usd for day in pool_days(market.chain))


def exchange_bars(market: SimulatedMarket) -> Spot:
    """The market's own price of ether at the ends of hours."""
    hours = np.arange(market.start_hour, market.end_hour + 1)
    closes = market.index[market.rows(hours), market.column("ETH")]
    return Spot(hours * HOUR_US, np.asarray(closes, dtype=np.float64))


@pytest.fixture(scope="module")
def sample() -> pd.DataFrame:
    """One row per market; truth_usd is the convexity that the pool's state shows."""
    rows, truth = zip(*map(short_market, range(SEEDS)), strict=True)
    return pd.DataFrame(rows).assign(truth_usd=truth)


@pytest.mark.slow
def test_convexity_by_formula_is_that_of_the_pools_state(sample: pd.DataFrame) -> None:
    """Small noise leaves the pool's price near the market's, and then both routes expect the same."""
    formula = sample["convexity_formula_bp"] * sample["volume_usd"] / 1e4
    flow = sample["convexity_flow_bp"] * sample["volume_usd"] / 1e4
    np.testing.assert_allclose(flow, sample["truth_usd"], rtol=1e-6)
    off = formula - sample["truth_usd"]
    error = off.std() * np.sqrt(len(off)) / sample["truth_usd"].sum()
    assert formula.sum() / sample["truth_usd"].sum() == pytest.approx(1.0, abs=3 * error)
    assert error < 0.04


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "suffix"),
    [
        ("estimate", ""),
        ("convexity_flow", "_bp"),
        ("convexity_formula", "_bp"),
        ("convexity_gap", "_bp"),
        ("win_share", ""),
    ],
)
def test_intervals_cover_what_all_markets_together_say(sample: pd.DataFrame, name: str, suffix: str) -> None:
    weights = 1.0 if name == "win_share" else sample["volume_usd"]
    truth = (sample[f"{name}{suffix}"] * weights).sum() / (weights * np.ones(len(sample))).sum()
    before = "" if name == "estimate" else f"{name}_"
    covered = (sample[f"{before}ci_low"] <= truth) & (truth <= sample[f"{before}ci_high"])
    assert covered.sum() >= 90
