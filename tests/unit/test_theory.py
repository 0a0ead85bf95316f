"""The calculators against the essays' examples and closed forms."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from perp_pipeline.theory import carry, constant_product, delivery, funding_map, gehr, quanto, shiller

RATE = st.floats(-0.05, 0.5)
PREMIUM = st.floats(-0.02, 0.02)


def test_lending_rates_of_6_and_2_percent_make_3_92() -> None:
    assert carry.fair_funding(0.06, 0.02) == pytest.approx(0.04 / 1.02)
    assert round(carry.fair_funding(0.06, 0.02), 4) == 0.0392


@given(RATE, RATE)
def test_ratio_and_premium_are_one_formula(usd: float, asset: float) -> None:
    assert carry.forward_ratio(usd, asset) - 1.0 == pytest.approx(carry.fair_funding(usd, asset), abs=1e-12)


def test_tenor_and_implied_rate_undo_each_other() -> None:
    assert carry.premium_of_tenor(0.11, 1) == pytest.approx(0.0092, abs=5e-5)
    assert carry.premium_of_tenor(0.11, 3) == pytest.approx(0.0275)
    assert carry.implied_rate(102.0, 100.0, 73.0) == pytest.approx(0.10)
    with pytest.raises(ValueError, match="above zero"):
        carry.implied_rate(102.0, 100.0, 0.0)
    with pytest.raises(ValueError, match="no asset"):
        carry.forward_ratio(0.1, -1.0)


def test_the_map_of_the_essays_examples() -> None:
    binance = funding_map.BINANCE
    assert binance.annual(0.0009) == pytest.approx(0.438)
    assert binance.annual(0.000685) == pytest.approx(0.2026, abs=5e-5)
    assert funding_map.annual_from_daily(0.0009) == pytest.approx(0.3285)
    assert funding_map.annual_from_daily(0.000685) == pytest.approx(0.25, abs=5e-4)
    assert funding_map.annual_from_8h(0.0001) == pytest.approx(0.1095)
    assert funding_map.annual_from_8h(0.0003) == pytest.approx(0.3285)
    assert funding_map.daily_map_8h(0.0009) == pytest.approx(0.0003)
    assert 3 * binance.rate_8h(0.0003) == pytest.approx(0.0003)


@given(PREMIUM)
def test_the_map_is_premium_plus_clamped_interest(premium: float) -> None:
    for venue in funding_map.MAPS:
        clamped = min(max(venue.interest - premium, -venue.clamp), venue.clamp)
        expected = min(max(premium + clamped, -venue.cap), venue.cap)
        assert float(venue.rate_8h(premium)) == pytest.approx(expected, abs=1e-15)


@given(PREMIUM)
def test_the_inverse_holds_the_premium(premium: float) -> None:
    for venue in funding_map.MAPS:
        low, high = venue.premiums(float(venue.rate_8h(premium)))
        assert low - 1e-12 <= premium <= high + 1e-12


def test_flat_zone_is_exact_and_hourly_venues_pay_an_eighth() -> None:
    inside = np.linspace(-0.0004, 0.0006, 101)[1:-1]
    assert (funding_map.BINANCE.rate_8h(inside) == 0.0001).all()
    assert funding_map.BINANCE.premiums(0.0001) == pytest.approx((-0.0004, 0.0006))
    assert float(funding_map.HYPERLIQUID.payment(0.0)) == pytest.approx(0.0000125)
    with pytest.raises(ValueError, match="cap"):
        funding_map.BINANCE.premiums(0.004)


def test_a_long_pays_positive_funding() -> None:
    assert funding_map.long_profit(100.0, 50.0, 50.0, 0.0001) == pytest.approx(-0.01)
    assert funding_map.long_profit(100.0, 50.0, 50.0, -0.0001) == pytest.approx(0.01)
    assert funding_map.long_profit(100.0, 50.0, 55.0, 0.0) == pytest.approx(10.0)


def test_cgses_examples() -> None:
    assert gehr.carried_price(111.00, 0.15) == pytest.approx(111.15)
    assert gehr.long_profit(111.00, 0.15, 112.00) == pytest.approx(0.85)
    assert gehr.carried_price_at(100.00, 0.0001) == pytest.approx(100.01)
    assert gehr.long_profit(100.00, 0.01, 100.00) == pytest.approx(-0.01)
    assert gehr.long_profit_over([111.0, 112.0], [0.15], 111.0) == pytest.approx(0.85)
    with pytest.raises(ValueError, match="one interest less"):
        gehr.long_profit_over([111.0], [0.15], 111.0)


def test_shiller_at_its_fair_price_settles_nothing() -> None:
    price = shiller.fair_price(5.0, 0.05)
    assert price == pytest.approx(100.0)
    assert shiller.settlement(price, price, 5.0, 0.05) == pytest.approx(0.0)
    assert shiller.settlements([100.0, 101.0], [5.0], [0.05]) == pytest.approx([1.0])
    with pytest.raises(ValueError, match="no finite price"):
        shiller.fair_price(5.0, 0.0)
    with pytest.raises(ValueError, match="need"):
        shiller.settlements([100.0], [5.0], [0.05])


def test_delivery_locks_in_what_a_perpetual_leaves_open() -> None:
    locked = delivery.delivery_long(102.0, 100.0)
    assert (locked.total, locked.exit) == (pytest.approx(0.02), 0.0)
    open_cost = delivery.perpetual_long([100.1, 110.0, 121.2], [100.0, 110.0, 121.0], [0.0001, 0.0002])
    assert open_cost.entry == pytest.approx(0.001)
    assert open_cost.exit == pytest.approx(0.002)
    assert open_cost.carry == pytest.approx((0.0001 * 110.0 + 0.0002 * 121.2) / 100.0)
    assert open_cost.total == pytest.approx(0.001 + open_cost.carry - 0.002)
    with pytest.raises(ValueError, match="need 3 prices"):
        delivery.perpetual_long([100.0, 100.0], [100.0, 100.0], [0.0, 0.0])


def test_the_pool_example() -> None:
    start = constant_product.Position(1.0, 2000.0)
    moved = start.moved_to(2400.0)
    assert moved.base == pytest.approx(0.9129, abs=5e-5)
    assert moved.quote == pytest.approx(2190.9, abs=0.05)
    assert constant_product.profit(start, 2400.0) == pytest.approx(381.8, abs=0.05)
    assert constant_product.loss_to_holding(start, 2400.0) == pytest.approx(18.2, abs=0.05)
    with pytest.raises(ValueError, match="positive"):
        start.moved_to(0.0)


@given(st.floats(1.0, 1e6), st.floats(1.0, 1e6))
def test_a_pool_never_beats_holding_and_keeps_its_product(price: float, target: float) -> None:
    start = constant_product.Position(1.0, price)
    moved = start.moved_to(target)
    assert moved.base * moved.quote == pytest.approx(price, rel=1e-9)
    assert moved.price == pytest.approx(target, rel=1e-9)
    ratio = target / price
    closed_form = 2 * math.sqrt(ratio) / (1 + ratio)
    assert moved.value(target) / start.value(target) == pytest.approx(closed_form, rel=1e-9)
    assert constant_product.loss_to_holding(start, target) >= -1e-6 * start.value(target)


@given(st.floats(-0.9, 2.0), st.floats(-0.9, 2.0))
def test_quanto_identity(asset: float, margin: float) -> None:
    eth, xbt = 2000.0, 40_000.0
    profit = quanto.dollar_profit((eth, eth * (1 + asset)), (xbt, xbt * (1 + margin)), contracts=3.0)
    ratio = profit / quanto.dollar_notional(eth, xbt, contracts=3.0)
    assert ratio == pytest.approx(float(quanto.dollar_return(asset, margin)), abs=1e-9)


def test_mean_of_product_splits_into_covariance_and_means() -> None:
    rng = np.random.default_rng(1)
    a, b = rng.normal(0.1, 1.0, 500), rng.normal(0.2, 1.0, 500)
    covariance, product = quanto.mean_of_product(a, b)
    assert covariance == pytest.approx(np.cov(a, b, bias=True)[0, 1])
    assert covariance + product == pytest.approx((a * b).mean())
