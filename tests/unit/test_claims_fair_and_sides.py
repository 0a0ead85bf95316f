"""Claims 8, 9, 45 and 52 to 56: which rows they read, and what they say where a source is missing."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd
import pytest

from perp_pipeline.research.claims import Finding, Verdict, evaluate
from perp_pipeline.research.claims.register import find_claim

Rows = Sequence[tuple[object, ...]]
FAIR = ["base", "venue", "method", "estimate", "se"]


def table(names: list[str], rows: Rows) -> pd.DataFrame:
    frame = pd.DataFrame(list(rows), columns=names).assign(period="all", n=600, symbol="x")
    frame["ci_low"] = frame["estimate"] - 2 * frame["se"]
    frame["ci_high"] = frame["estimate"] + 2 * frame["se"]
    frame["window_start"] = pd.Timestamp("2022-01-01", tz="UTC")
    frame["window_end"] = pd.Timestamp("2023-12-30", tz="UTC")
    return frame


def claim(number: int, fair: Rows = (), sides: Rows = ()) -> Finding:
    tables = {
        "out_fair_funding": table(FAIR, fair),
        "out_sides": table(["venue", "base", "quantity", "estimate", "se"], sides),
    }
    return evaluate(find_claim(number), tables)


@pytest.mark.parametrize(
    ("estimate", "verdict"), [(0.08, Verdict.HOLDS), (0.01, Verdict.WEAK), (-0.08, Verdict.FAILS)]
)
def test_too_high_is_above_the_fair_rate(estimate: float, verdict: Verdict) -> None:
    venues = ("dydx_v3", "hyperliquid")
    found = claim(9, fair=[("ETH", venue, "excess_over_dtb3", estimate, 0.02) for venue in venues])
    assert found.verdict is verdict
    assert "three-month bill" in found.reason
    alone = claim(9, fair=[("ETH", "dydx_v3", "excess_over_dtb3", 0.08, 0.02)])
    assert alone.verdict is Verdict.WEAK
    assert "Hyperliquid" in alone.reason  # named as missing


def test_lending_rates_come_first_where_there_are_any() -> None:
    found = claim(
        9,
        fair=[
            ("ETH", "dydx_v3", "excess_over_dtb3", -0.08, 0.02),
            ("ETH", "dydx_v3", "excess_over_lending", 0.08, 0.02),
            ("ETH", "hyperliquid", "excess_over_lending", 0.09, 0.02),
        ],
    )
    assert found.verdict is Verdict.HOLDS
    assert found.estimate == 0.08


def test_the_sum_of_claim_8_is_shown_beside_what_was_measured() -> None:
    assert claim(8).verdict is Verdict.ARITHMETIC
    found = claim(8, fair=[("ETH", "all", "fair_usdc_lending", 0.041, 0.006)])
    assert found.verdict is Verdict.ARITHMETIC
    assert "4.10 %" in found.reason
    assert found.estimate == pytest.approx(0.04 / 1.02)


def test_the_lock_in_is_judged_by_both_ends() -> None:
    """The future ends at spot, and the perpetual further from it than the future."""
    rows = [(base, "binance", "terminal_spread_delivery", 0.0005, 0.001) for base in ("BTC", "ETH")]
    assert claim(45, fair=rows).verdict is Verdict.WEAK
    further = [
        (base, "binance", "terminal_spread_abs_perp_less_delivery", 0.0004, 0.0001) for base in ("BTC", "ETH")
    ]
    assert claim(45, fair=rows + further).verdict is Verdict.HOLDS
    nearer = [(base, venue, method, 0.0001, error) for base, venue, method, _, error in further]
    assert claim(45, fair=rows + nearer).verdict is Verdict.WEAK
    rows[1] = ("ETH", "binance", "terminal_spread_delivery", 0.01, 0.001)
    assert claim(45, fair=rows + further).verdict is Verdict.FAILS


def test_the_verdict_on_the_lock_in_says_whether_it_hangs_on_the_moment() -> None:
    rows = [
        ("BTC", "binance", "terminal_spread_delivery", 0.0005, 0.001),
        ("BTC", "binance", "terminal_spread_delivery_night", 0.01, 0.001),
    ]
    assert "spreads averaged over the night" in claim(45, fair=rows).reason


def test_sides_of_gmx() -> None:
    chains = ("gmx_arbitrum", "gmx_avalanche")
    long = [(chain, "all", "share_long", 0.7, 0.03) for chain in chains]
    assert claim(52, sides=long).verdict is Verdict.HOLDS
    pool = [
        (chain, "all", "lp_share_long", share, 0.03) for chain, share in zip(chains, (0.3, 0.48), strict=True)
    ]
    assert claim(53, sides=pool).verdict is Verdict.WEAK


@pytest.mark.parametrize(
    ("number", "source"), [(52, "open interest of GMX"), (54, "dYdX"), (55, "perp.fi"), (56, "Synthetix")]
)
def test_a_missing_source_is_named(number: int, source: str) -> None:
    found = claim(number, sides=[("binance", "BTC", "share_default", 0.4, 0.01)])
    assert found.verdict is Verdict.NO_DATA
    assert source in found.reason
