"""The simulated chain: the pools' arithmetic against slow references, and LP truth against the pipeline."""

from __future__ import annotations

import hashlib
import json
import math
import subprocess
import sys
from dataclasses import replace
from datetime import date
from decimal import Decimal, localcontext
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from perp_pipeline import contracts
from perp_pipeline.amm import build
from perp_pipeline.lake.tables import to_arrow, to_frame
from perp_pipeline.months import Month, Span
from perp_pipeline.simulation.market import SimulatedMarket
from perp_pipeline.simulation.onchain.chain import BLOCKS_AN_HOUR, block_at, price_path
from perp_pipeline.simulation.onchain.concentrated import ConcentratedPool
from perp_pipeline.simulation.onchain.constant_product import LOCKED, ConstantProductPool
from perp_pipeline.simulation.onchain.deployed import deploy
from perp_pipeline.simulation.onchain.node import Node
from perp_pipeline.simulation.onchain.parameters import POOLS, USDT, WETH, Noise, OnChain, PlantedPool
from perp_pipeline.simulation.onchain.swap_step import swap_step
from perp_pipeline.simulation.onchain.ticks import (
    MAX_SQRT_PRICE,
    MAX_TICK,
    MIN_SQRT_PRICE,
    MIN_TICK,
    Q96,
    sqrt_price_at,
    tick_at,
)
from perp_pipeline.simulation.onchain.truth import PoolDayTruth, pool_days
from perp_pipeline.simulation.parameters import Planted
from perp_pipeline.simulation.transport import RPC_SETTING, SimulatedTransport, simulated_pools
from perp_pipeline.sources.amm import amm_datasets
from perp_pipeline.sources.http import Http
from perp_pipeline.sources.store import BodyStore

SPAN = Span.parse("2022-05", "2022-06")
COIN_FIRST = PlantedPool(
    "0x11b815efb8f581194ae79006d24e0d814b7697f6", "uniswap_v3", WETH, USDT, 3000, 60,
    liquidity=((0.0, 2e6), (1.03, 3e6)), noise=Noise(30.0, 20_000.0, exact_output=0.5),
)  # fmt: skip
"""The coin is token0 here, and prices run over the end of the narrow position."""
ONCHAIN = OnChain(days=33, check_blocks=150, pools=(*POOLS, COIN_FIRST))


def market_of(seed: int = 5, onchain: OnChain = ONCHAIN) -> SimulatedMarket:
    return SimulatedMarket(seed, SPAN.first, SPAN.last, Planted(onchain=onchain))


@pytest.fixture(scope="module")
def market() -> SimulatedMarket:
    return market_of()


# ticks and prices


@pytest.mark.parametrize("tick", [0, 1, -1, 10, -60, 4055, -88_727, 200_000, -200_000, MAX_TICK, MIN_TICK])
def test_square_root_price_of_a_tick_is_the_power_that_it_stands_for(tick: int) -> None:
    with localcontext() as context:
        context.prec = 60
        exact = (Decimal("1.0001") ** tick).sqrt() * Q96
        # 96 bits after the point, and what 20 products lose of a 128-bit number that is small far out
        lost = 20 / (2**128 / (Decimal("1.0001") ** abs(tick)).sqrt())
        assert abs(sqrt_price_at(tick) - exact) <= 1 + exact * lost
    assert tick_at(sqrt_price_at(tick)) == tick


def test_bounds_are_those_that_the_contract_publishes() -> None:
    assert MIN_SQRT_PRICE == 4295128739
    assert MAX_SQRT_PRICE == 1461446703485210103287273052203988822378723970342
    with pytest.raises(ValueError, match="887273"):
        sqrt_price_at(MAX_TICK + 1)


@given(st.integers(MIN_SQRT_PRICE, MAX_SQRT_PRICE - 1))
def test_tick_is_the_floor_of_the_price(sqrt_price: int) -> None:
    tick = tick_at(sqrt_price)
    assert sqrt_price_at(tick) <= sqrt_price < sqrt_price_at(tick + 1)


# one step and whole swaps

PRICES = st.integers(-100_000, 260_000)
LIQUIDITY = st.integers(10**12, 10**24)


@given(PRICES, LIQUIDITY, st.floats(0.001, 0.5), st.booleans(), st.sampled_from([100, 500, 3000, 10_000]))
def test_step_of_a_given_input_agrees_with_real_numbers(
    tick: int, liquidity: int, share: float, zero_for_one: bool, fee: int
) -> None:
    start = sqrt_price_at(tick)
    root = Fraction(start, Q96)
    reserve = liquidity / root if zero_for_one else liquidity * root
    amount = int(reserve * Fraction(share))
    assume(amount > 10**6)
    target = MIN_SQRT_PRICE + 1 if zero_for_one else MAX_SQRT_PRICE - 1
    step = swap_step(start, target, liquidity, amount, fee)
    net = amount * Fraction(1_000_000 - fee, 1_000_000)
    after = 1 / (1 / root + net / liquidity) if zero_for_one else root + net / liquidity
    out = liquidity * (root - after) if zero_for_one else liquidity * (1 / root - 1 / after)
    # the input after the fee is rounded to a unit, which moves the price by as much of the reserve
    assert float(Fraction(step.sqrt_price, Q96) / after) == pytest.approx(1, abs=1e-9 + 2 / amount)
    assert step.amount_in + step.fee == amount
    # rounding is the pool's gain, and no more than the unit that the input and the price are rounded by
    price = after**2 if zero_for_one else 1 / after**2
    assert 0 <= out - step.amount_out <= 2 + 4 * price
    assert abs(step.fee - amount * Fraction(fee, 1_000_000)) <= 2 + 2 * Fraction(liquidity, start)


@given(PRICES, LIQUIDITY, st.floats(0.0001, 0.5), st.booleans())
def test_step_of_a_given_output_costs_what_the_curve_says(
    tick: int, liquidity: int, share: float, zero_for_one: bool
) -> None:
    start = sqrt_price_at(tick)
    root = Fraction(start, Q96)
    reserve = liquidity * root if zero_for_one else liquidity / root
    amount = int(reserve * Fraction(share))
    assume(amount > 10**6)
    target = MIN_SQRT_PRICE + 1 if zero_for_one else MAX_SQRT_PRICE - 1
    step = swap_step(start, target, liquidity, -amount, 3000)
    after = (
        root - Fraction(amount, liquidity) if zero_for_one else 1 / (1 / root - Fraction(amount, liquidity))
    )
    came = liquidity * (1 / after - 1 / root) if zero_for_one else liquidity * (after - root)
    assert step.amount_out == amount
    assert float(step.amount_in / came) == pytest.approx(1, abs=1e-6 + 2 / float(came))
    assert step.amount_in >= math.floor(came)


def pool_at(tick: int, *positions: tuple[int, int, int], fee: int = 3000) -> ConcentratedPool:
    pool = ConcentratedPool(fee, 60, sqrt_price_at(tick) + 1)
    for place, position in enumerate(positions):
        pool.mint(f"owner {place}", *position)
    return pool


@settings(max_examples=60)
@given(
    st.integers(10**15, 10**22),
    st.lists(st.tuples(st.booleans(), st.floats(1e-6, 5e-4)), min_size=1, max_size=12),
)
def test_one_range_is_a_constant_product_pair_with_virtual_reserves(
    liquidity: int, trades: list[tuple[bool, float]]
) -> None:
    pool = pool_at(1000, (-6000, 6000, liquidity))
    root = Fraction(pool.sqrt_price, Q96)
    reserves = [liquidity / root, liquidity * root]
    for zero_for_one, share in trades:
        side = 0 if zero_for_one else 1
        amount = max(10**6, int(reserves[side] * Fraction(share)))
        moved = pool.swap(zero_for_one, amount)
        # Uniswap v2 with the fee kept outside of the reserves
        net = amount * Fraction(997, 1000)
        out = reserves[1 - side] * net / (reserves[side] + net)
        reserves[side] += net
        reserves[1 - side] -= out
        assert moved[side] == amount
        assert abs(-moved[1 - side] - out) <= 4
    assert float(reserves[1] / reserves[0]) == pytest.approx((pool.sqrt_price / Q96) ** 2, rel=1e-9)


@settings(max_examples=60)
@given(
    st.lists(st.tuples(st.booleans(), st.booleans(), st.integers(10**9, 10**17)), min_size=1, max_size=25),
    st.sampled_from([(0, 0), (4, 10)]),
)
@example([(True, False, 10**17), (False, False, 10**17), (True, True, 10**15)], (4, 10))
def test_crossing_ticks_conserves_liquidity_tokens_and_fees(
    trades: list[tuple[bool, bool, int]], protocol: tuple[int, int]
) -> None:
    positions = ((-60, 120, 10**18), (-600, 0, 3 * 10**18), (60, 1200, 2 * 10**18), (-88_740, 88_740, 10**17))
    pool = pool_at(30, *positions)
    pool.set_fee_protocol(*protocol)
    gross = [0, 0]
    for zero_for_one, exact_output, amount in trades:
        limit = sqrt_price_at(-3000 if zero_for_one else 3000)
        if (pool.sqrt_price <= limit) if zero_for_one else (pool.sqrt_price >= limit):
            continue
        moved = pool.swap(zero_for_one, -amount if exact_output else amount, limit)
        came, went = moved if zero_for_one else moved[::-1]
        assert came >= 0 >= went
        gross[0 if zero_for_one else 1] += came
        assert pool.tick == tick_at(pool.sqrt_price) or pool.sqrt_price == sqrt_price_at(pool.tick + 1)
        assert pool.liquidity == sum(size for low, high, size in positions if low <= pool.tick < high)
    held, fees = pool.holdings(), pool.fees_earned()
    steps = 8 * len(trades)
    for token in (0, 1):
        # the pool owes no more than it has, and keeps no more than roundings
        assert 0 <= pool.balance[token] - held[token] - pool.protocol_fees[token] <= steps
        paid = fees[token] + pool.protocol_fees[token]
        assert abs(paid - gross[token] * 3 / 1000) <= steps + 1e-9 * gross[token]
        if protocol[token]:
            assert pool.protocol_fees[token] == pytest.approx(paid / protocol[token], abs=steps)
        else:
            assert pool.protocol_fees[token] == 0
    for place, (low, high, size) in enumerate(positions):
        pool.burn(f"owner {place}", low, high, size)
        pool.collect(f"owner {place}", low, high)
    pool.collect_protocol()
    assert pool.liquidity == 0 and not pool.ticks
    assert all(0 <= rest <= steps + 9 for rest in pool.balance)


def test_a_swap_across_a_tick_is_the_sum_of_its_parts() -> None:
    positions = ((-6000, 6000, 10**20), (0, 6000, 10**20))
    whole, parts = pool_at(500, *positions, fee=0), pool_at(500, *positions, fee=0)
    end = sqrt_price_at(-500)
    moved = whole.swap(True, 10**30, end)
    first = parts.swap(True, 10**30, sqrt_price_at(0))
    second = parts.swap(True, 10**30, end)
    assert moved == (first.amount0 + second.amount0, first.amount1 + second.amount1)
    assert (whole.tick, whole.liquidity) == (parts.tick, parts.liquidity) == (-500, 10**20)
    start = Fraction(sqrt_price_at(500) + 1, Q96)
    upper, lower = 2 * 10**20 * (start - 1), 10**20 * (1 - Fraction(end, Q96))
    assert -moved.amount1 == pytest.approx(float(upper + lower), rel=1e-15)


def test_what_the_pool_refuses() -> None:
    pool = pool_at(0, (-60, 60, 10**18))
    with pytest.raises(ValueError, match="ahead of the price"):
        pool.swap(True, 10**6, sqrt_price_at(10))
    with pytest.raises(ValueError, match="no position"):
        pool.mint("a", -61, 60, 1)
    with pytest.raises(ValueError, match="no liquidity"):
        pool.burn("owner 0", -60, 60, 10**18 + 1)
    with pytest.raises(ValueError, match="4 to 10"):
        pool.set_fee_protocol(3, 4)
    with pytest.raises(ValueError, match="dollar token"):
        replace(COIN_FIRST, token0=USDT)


@given(
    st.integers(10**6, 10**24),
    st.integers(10**6, 10**24),
    st.lists(st.tuples(st.booleans(), st.booleans(), st.floats(1e-5, 0.9)), min_size=1, max_size=20),
)
def test_constant_product_never_falls_and_its_outputs_are_the_largest_allowed(
    reserve0: int, reserve1: int, trades: list[tuple[bool, bool, float]]
) -> None:
    pool = ConstantProductPool()
    assert pool.mint("a", reserve0, reserve1) == math.isqrt(reserve0 * reserve1) - LOCKED
    for zero_for_one, exact_output, share in trades:
        before = pool.reserves
        held_in, held_out = before if zero_for_one else before[::-1]
        amount = int((held_out if exact_output else held_in) * share)
        assume(amount > 0)
        try:
            came, went = pool.swap(zero_for_one, -amount if exact_output else amount)
        except ValueError:
            assert amount * held_out < 2 * held_in  # not worth one unit
            continue
        net = came * Fraction(997, 1000)
        k = Fraction(held_in) * held_out
        assert (held_in + net) * (held_out - went) >= k
        # one unit less in, or one more out, would break the invariant
        tighter = (
            (held_in + (came - 1) * Fraction(997, 1000)) * (held_out - went)
            if exact_output
            else (held_in + net) * (held_out - went - 1)
        )
        assert tighter < k or (exact_output and tighter == k)
        assert pool.reserves[0] * pool.reserves[1] >= before[0] * before[1]
    assert pool.burn("a", pool.shares["a"] // 2)[0] <= pool.reserves[0] + 1


@pytest.mark.parametrize("planted", [*POOLS, COIN_FIRST], ids=lambda pool: pool.address[:6])
@pytest.mark.parametrize("usd", [1500.0, 2000.0 * 1.0004, 2600.0])
def test_arbitrageurs_bring_the_pool_to_within_its_fee_of_the_market(
    planted: PlantedPool, usd: float
) -> None:
    pool = deploy(planted)
    pool.open(2000.0)
    market = planted.raw_price(usd)
    pool.arbitrage(market)
    gap = abs(math.log(pool.raw_price / market))
    # a v2 pair keeps the fee among its reserves, which moves its price a little further
    assert gap <= -math.log(1 - pool.fee) * (1 + 0.2 * (planted.protocol == "uniswap_v2")) + 1e-9
    assert (pool.swaps == 0) == (abs(usd / 2000.0 - 1) < pool.fee)
    swaps = pool.swaps
    pool.arbitrage(market)
    assert pool.swaps <= swaps + 1


# real swaps


def test_real_swaps_are_reproduced_to_the_last_unit(shared: Path) -> None:
    """Each real swap that followed another at the same liquidity, from the price before it."""
    rows = pd.read_csv(shared / "replay" / "data" / "eth_logs_verbatim.csv.gz")
    rows = rows[rows["topics"].str.startswith("0xc42079f9")]
    checked = same = 0
    for address, own in rows.groupby("address"):
        fee = {"0x88e6": 500, "0x8ad5": 3000}[str(address)[:6]]
        before: list[int] | None = None
        for data in own["data"].head(4000):
            words = [int(data[2 + 64 * n : 66 + 64 * n], 16) for n in range(5)]
            amount0, amount1, root, liquidity, tick = (w - 2**256 if w >> 255 else w for w in words)
            assert tick_at(root) == tick
            if before is not None and before[3] == liquidity:
                zero_for_one = amount0 > 0
                came, went = (amount0, -amount1) if zero_for_one else (amount1, -amount0)
                limit = MIN_SQRT_PRICE + 1 if zero_for_one else MAX_SQRT_PRICE - 1
                found = [
                    swap_step(before[2], *asked, fee)
                    for asked in (
                        (limit, liquidity, came),
                        (limit, liquidity, -went),
                        (root, liquidity, 10**40),
                    )
                ]
                same += (root, came, went) in [
                    (s.sqrt_price, s.amount_in + s.fee, s.amount_out) for s in found
                ]
                checked += 1
            before = [amount0, amount1, root, liquidity, tick]
    assert checked > 3000
    assert same / checked > 0.999  # the rest crossed a position and came back


# the market's chain


def test_blocks_between_two_hours_are_a_bridge(market: SimulatedMarket) -> None:
    first = block_at(int(SPAN.first.start.timestamp()))
    path = np.log(price_path(market, "ETH", first, 20))
    hours = market.rows(np.arange(20 * 24) + market.start_hour)
    np.testing.assert_allclose(np.exp(path[::BLOCKS_AN_HOUR]), market.index[hours, 1], rtol=1e-12)
    daily = np.diff(path).std() * np.sqrt(7200)
    assert daily == pytest.approx(market.planted.eth.daily_vol, rel=0.02)


def chain_digest(market: SimulatedMarket) -> str:
    entries = [(address, record.entries, record.balances) for address, record in market.chain.records.items()]
    return hashlib.sha256(repr(entries).encode()).hexdigest()


def test_same_seed_gives_the_same_chain_in_a_fresh_process() -> None:
    small = OnChain(days=3)
    code = (
        "from tests.unit.test_simulation_onchain import *\nprint(chain_digest(market_of(5, OnChain(days=3))))"
    )
    root = Path(__file__).parents[2]
    fresh = subprocess.run([sys.executable, "-c", code], cwd=root, capture_output=True, text=True, check=True)
    assert fresh.stdout.strip() == chain_digest(market_of(5, small))
    assert chain_digest(market_of(6, small)) != chain_digest(market_of(5, small))


def downloaded(market: SimulatedMarket, folder: Path, **limits: int) -> dict[str, pd.DataFrame]:
    """Raw tables of the market's pools, through the client and the reader of real nodes."""
    transport = SimulatedTransport(market)
    node = Node(lambda: market.chain, **limits)
    transport.venues = _WithNode(transport.venues, node)  # type: ignore[assignment]
    http = Http(BodyStore(folder), transport=transport, sleep=lambda _: None, now=lambda: SPAN.end)
    sets = amm_datasets(
        (), {RPC_SETTING: "https://eth-rpc.simulated/"}, registry=simulated_pools(market), archives=()
    )
    tables = {}
    for name in ("raw_eth_logs", "raw_amm_days"):
        frames = [f for s in sets if s.contract.name == name for f in s.fetch(http, SPAN, SPAN.end)]
        contract = contracts.get(name)
        tables[name] = to_frame(to_arrow(contract, pd.concat(frames, ignore_index=True)))
    return tables


class _WithNode:
    """The market's venues with a node of other limits."""

    def __init__(self, venues: Any, node: Node) -> None:
        self.answer = venues.answer
        self.node = node

    def post(self, url: str, body: bytes) -> Any:
        return self.node.answer(body)


def empty(name: str) -> pd.DataFrame:
    frame: pd.DataFrame = contracts.get(name).schema.empty_table().to_pandas(date_as_object=False)
    return frame


def built(raw: dict[str, pd.DataFrame]) -> dict[str, pd.DataFrame]:
    """The AMM chapter's core tables, by its builders."""
    tables = {name: getattr(build, name)(**raw) for name in ("core_amm_swaps", "core_amm_liquidity")}
    tables["core_amm_fee_protocol"] = build.core_amm_fee_protocol(**raw)
    days = raw["raw_amm_days"]
    tables["core_amm_flows"] = build.core_amm_flows(
        core_amm_swaps=tables["core_amm_swaps"],
        core_amm_liquidity=tables["core_amm_liquidity"],
        raw_amm_days=days,
    )
    tables["core_amm_minutes"] = build.core_amm_minutes(
        core_amm_swaps=tables["core_amm_swaps"],
        raw_amm_minutes=empty("raw_amm_minutes"),
        core_amm_fee_protocol=tables["core_amm_fee_protocol"],
        raw_amm_days=days,
    )
    tables["core_amm_pool_day"] = build.core_amm_pool_day(
        core_amm_minutes=tables["core_amm_minutes"],
        raw_amm_snapshots=empty("raw_amm_snapshots"),
        raw_amm_days=days,
        core_spot_1h=empty("core_spot_1h"),
    ).frame
    return tables


@pytest.fixture(scope="module")
def raw(market: SimulatedMarket, tmp_path_factory: pytest.TempPathFactory) -> dict[str, pd.DataFrame]:
    return downloaded(market, tmp_path_factory.mktemp("node"))


@pytest.fixture(scope="module")
def tables(raw: dict[str, pd.DataFrame]) -> dict[str, pd.DataFrame]:
    return built(raw)


@pytest.fixture(scope="module")
def truth(market: SimulatedMarket) -> tuple[PoolDayTruth, ...]:
    return pool_days(market.chain)


def test_pool_days_from_logs_are_what_the_pools_state_says(
    tables: dict[str, pd.DataFrame], truth: tuple[PoolDayTruth, ...]
) -> None:
    found = tables["core_amm_pool_day"].set_index(["pool", "day"])
    assert len(found) == len(truth) == 3 * ONCHAIN.days
    for day in truth:
        row = found.loc[(day.pool, pd.Timestamp(day.day))]
        assert row["n_swaps"] == day.n_swaps > 0
        assert row["price_end"] == pytest.approx(day.price_end, rel=1e-12)
        # each swap's fee, and the protocol's part of it, is rounded to a millionth of a dollar
        rounding = 2e-6 * (day.n_swaps + 10)
        assert row["fees_usd"] == pytest.approx(day.fees_usd, abs=rounding)
        assert row["protocol_fees_usd"] == pytest.approx(day.protocol_fees_usd, abs=rounding)
        assert row["pnl_usd"] == pytest.approx(day.pnl_usd, abs=rounding)
        assert row["convexity_flow_usd"] == pytest.approx(day.convexity_usd, abs=2 * rounding)


def test_net_flows_are_what_positions_own_but_for_rounding(
    tables: dict[str, pd.DataFrame], truth: tuple[PoolDayTruth, ...]
) -> None:
    flows = tables["core_amm_flows"].set_index(["pool", "day"])
    for day in truth:
        row = flows.loc[(day.pool, pd.Timestamp(day.day))]
        # what each step rounds up stays in the pool and is nobody's: a unit of each token at most
        for token, owned in (("swaps0", day.net0), ("swaps1", day.net1)):
            assert -20 <= int(row[token]) - owned <= 2 * day.n_swaps + 20


def test_protocol_takes_its_share_from_the_switch_on(
    market: SimulatedMarket, tables: dict[str, pd.DataFrame], truth: tuple[PoolDayTruth, ...]
) -> None:
    switches = tables["core_amm_fee_protocol"]
    assert switches[["old0", "old1", "new0", "new1"]].to_numpy().tolist() == [[0, 0, 4, 4]]
    switched = market.chain.first_day + pd.Timedelta(days=POOLS[0].share_from_day)
    own = [day for day in truth if day.pool == POOLS[0].address]
    assert all(day.protocol_fees_usd == 0 for day in own if day.day < switched)
    later = [day for day in own if day.day > switched]
    shares = [day.protocol_fees_usd / (day.protocol_fees_usd + day.fees_usd) for day in later]
    assert shares == pytest.approx([0.25] * len(later), abs=1e-6)
    assert "collect_protocol" in set(tables["core_amm_liquidity"]["event"])
    assert all(day.protocol_fees_usd == 0 for day in truth if day.pool != POOLS[0].address)


def test_balances_change_by_what_the_logs_moved_and_every_check_passes(
    raw: dict[str, pd.DataFrame], tables: dict[str, pd.DataFrame]
) -> None:
    flows = tables["core_amm_flows"]
    assert flows["gap0"].notna().sum() == len(flows) - 3  # the first day of each pool has none before it
    for name, frame in (raw | tables).items():
        for check in contracts.get(name).checks:
            if (
                check.name == "amounts_match_move"
            ):  # swaps do run across that pool's narrow position, and say so
                frame = frame[frame["pool"] != COIN_FIRST.address]
            assert check.passes(frame).all(), f"{name}: {check.name}"


def test_constants_come_from_the_node(raw: dict[str, pd.DataFrame]) -> None:
    days = raw["raw_amm_days"].drop_duplicates("pool").set_index("pool")
    for planted in ONCHAIN.pools:
        row = days.loc[planted.address]
        assert (row["protocol"], row["fee_pips"], row["tick_spacing"]) == (
            planted.protocol, planted.fee_pips, planted.tick_spacing,
        )  # fmt: skip
        assert (row["token0"], row["decimals0"]) == (planted.token0.symbol, planted.token0.decimals)
    assert days.loc[COIN_FIRST.address, "tracks0"] == "ETH"
    assert raw["raw_amm_days"]["served"].all()
    assert raw["raw_amm_days"]["day"].max().date() == date(2022, 6, 30)


def test_a_node_with_tight_limits_gives_the_same_logs(tmp_path: Path) -> None:
    market = market_of(5, OnChain(days=2))
    usual = downloaded(market, tmp_path / "usual")["raw_eth_logs"]
    tight = downloaded(market, tmp_path / "tight", max_span=2000, max_logs=40)["raw_eth_logs"]
    told = ["source_url", "download_sha256"]
    pd.testing.assert_frame_equal(usual.drop(columns=told), tight.drop(columns=told))
    assert tight["source_url"].nunique() > 4 * usual["source_url"].nunique()


def call(node: Node, method: str, *params: Any) -> Any:
    body = json.dumps({"jsonrpc": "2.0", "id": 1, "method": method, "params": params}).encode()
    answer = json.loads(node.answer(body).body)
    return answer.get("result", answer.get("error"))


def test_node_refuses_as_providers_do() -> None:
    market = market_of(5, OnChain(days=1))
    node = Node(lambda: market.chain, max_span=100, max_logs=5)
    head = int(call(node, "eth_blockNumber"), 16)
    assert call(node, "eth_getLogs", {"fromBlock": "0x1", "toBlock": hex(101)})["code"] == -32005
    first = block_at(int(SPAN.end.timestamp())) - 7200
    busy = {"fromBlock": hex(first), "toBlock": hex(first + 99)}
    assert "more than 5 results" in call(node, "eth_getLogs", busy)["message"]
    assert call(node, "eth_getLogs", {"fromBlock": "0x2", "toBlock": "0x1"})["code"] == -32000
    assert call(node, "eth_getLogs", {"fromBlock": "2", "toBlock": "0x1"})["code"] == -32602
    assert call(node, "eth_getBlockByNumber", hex(head + 1), False) is None
    assert call(node, "eth_sendTransaction", {})["code"] == -32601
    pair = POOLS[1].address
    assert call(node, "eth_call", {"to": pair, "data": "0xddca3f43"}, "latest")["code"] == 3
    assert json.loads(node.answer(b"{").body)["error"]["code"] == -32700
    assert json.loads(node.answer(b"[]").body)["error"]["code"] == -32600


def test_a_market_shorter_than_the_pools_life_has_them_all_along() -> None:
    market = SimulatedMarket(1, Month(2022, 2), Month(2022, 2), Planted(onchain=OnChain(check_blocks=3600)))
    assert (market.chain.first_day, market.chain.last_day) == (date(2022, 2, 1), date(2022, 2, 28))


def test_without_noise_convexity_is_what_the_formula_gives() -> None:
    """A pair that only arbitrageurs use costs V r**2 / 8 a day: V its value, r the return of the day.

    That is L sqrt(p) r**2 / 4 with V = 2 L sqrt(p).
    """
    quiet = replace(POOLS[1], noise=Noise(0.0, 1.0), liquidity=((0.0, 1e7), (0.0, 1.0)))
    market = market_of(11, OnChain(days=61, check_blocks=25, pools=(quiet,), tend_days=1000))
    days = pool_days(market.chain)
    prices = np.array([day.price_end for day in days])
    value = np.array([2.0 * state.held[0] * 1e-6 for state in market.chain.records[quiet.address].states])
    expected = float((value[:-1] * np.diff(np.log(prices)) ** 2).sum() / 8)
    assert sum(day.convexity_usd for day in days[1:]) == pytest.approx(expected, rel=0.02)
