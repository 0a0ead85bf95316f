"""The simulated pools' arithmetic against slow references and real swaps."""

from __future__ import annotations

import math
from dataclasses import replace
from decimal import Decimal, localcontext
from fractions import Fraction
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st
from onchain_market import COIN_FIRST

from perp_pipeline.simulation.onchain.concentrated import ConcentratedPool
from perp_pipeline.simulation.onchain.constant_product import LOCKED, ConstantProductPool
from perp_pipeline.simulation.onchain.deployed import deploy
from perp_pipeline.simulation.onchain.parameters import POOLS, USDT, PlantedPool
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
