"""Pool prices against exchange prices: hours, staleness, the fee zone, and a planted gap."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from perp_pipeline.amm.hourly import last_prices
from perp_pipeline.amm.pools import PoolFacts
from perp_pipeline.amm.spot import spot_by_base
from perp_pipeline.research.amm_price_gap import hourly_gaps, out_amm_price_gap
from perp_pipeline.research.shares import hac_share

POOL = "0x" + "ab" * 20
FACTS = PoolFacts("ethereum", POOL, "v3", "USDC", "WETH", 6, 18, "USD", "ETH", 500)


def _spot(hours: int, price: float = 2000.0, start: str = "2024-01-01") -> pd.DataFrame:
    opens = pd.date_range(start, periods=hours, freq="h", tz="UTC")
    return pd.DataFrame({"venue": "binance", "base": "ETH", "bar_start": opens, "close": price})


def _prices(stamps: list[str] | pd.DatetimeIndex, values: list[float]) -> pd.DataFrame:
    times = pd.DatetimeIndex(stamps)
    times = times if times.tz else times.tz_localize("UTC")
    minutes = pd.DataFrame({"chain": "ethereum", "pool": POOL, "minute": times, "price": values})
    return last_prices(minutes)


def _days() -> pd.DataFrame:
    row = {
        "chain": "ethereum",
        "pool": POOL,
        "protocol": "v3",
        "token0": "USDC",
        "token1": "WETH",
        "decimals0": 6,
        "decimals1": 18,
        "tracks0": "USD",
        "tracks1": "ETH",
        "fee_pips": 500,
        "fee_protocol0": 0,
        "fee_protocol1": 0,
        "fee_protocol_source": "declared",
    }
    return pd.DataFrame([row])


def test_the_last_swap_before_the_hour_counts() -> None:
    prices = _prices(
        ["2024-01-01 00:10", "2024-01-01 00:59", "2024-01-01 01:00"], [1 / 1000, 1 / 1999, 1 / 1500]
    )
    gaps = hourly_gaps(prices, FACTS, spot_by_base(_spot(2)))
    assert gaps.index.tolist() == [pd.Timestamp("2024-01-01 01:00"), pd.Timestamp("2024-01-01 02:00")]
    # one WETH for 1999 USDC: the pool has more WETH per dollar than the exchange
    assert gaps.iloc[0] == pytest.approx(np.log(2000 / 1999))
    assert gaps.iloc[1] == pytest.approx(np.log(2000 / 1500))


def test_prices_are_not_carried_into_days_without_swaps_nor_to_missing_bars() -> None:
    prices = _prices(["2024-01-01 22:30", "2024-01-05 03:30"], [1 / 2000, 1 / 2000])
    bars = _spot(24 * 6).drop(index=4 * 24 + 4)
    gaps = hourly_gaps(prices, FACTS, spot_by_base(bars))
    hours = pd.date_range("2024-01-05 04:00", "2024-01-05 04:00", freq="h")
    assert gaps.index.tolist() == [
        pd.Timestamp("2024-01-01 23:00"),
        pd.Timestamp("2024-01-02 00:00"),
        *hours,
    ]


def test_a_token_without_an_exchange_price_gives_no_row() -> None:
    bars = _spot(48).assign(base="BTC")
    prices = _prices(["2024-01-01 00:10", "2024-01-01 12:00"], [1 / 2000, 1 / 2000])
    assert hourly_gaps(prices, FACTS, spot_by_base(bars)).empty
    found = out_amm_price_gap(core_amm_price_1h=prices, raw_amm_days=_days(), core_spot_1h=bars)
    assert found.empty and "share_within_fee" not in found.get("quantity", [])


def test_planted_gaps_are_found_again() -> None:
    """A standing gap of 10 bp on a 5 bp pool: never within the fee, always once it is taken out."""
    rng = np.random.default_rng(7)
    stamps = pd.date_range("2024-01-01", periods=24 * 30 * 4, freq="15min", tz="UTC")
    noise = rng.normal(0.0, 1e-4, len(stamps))
    prices = _prices(stamps, list(np.exp(0.001 + noise) / 2000))
    found = out_amm_price_gap(core_amm_price_1h=prices, raw_amm_days=_days(), core_spot_1h=_spot(24 * 31))
    rows = found[found["period"] == "all"].set_index("quantity")
    assert rows.loc["share_within_fee", "estimate"] < 0.01
    assert rows.loc["share_within_fee_centred", "estimate"] > 0.99
    assert abs(rows.loc["mean_gap", "estimate"] - 0.001) < 4 * rows.loc["mean_gap", "se"] < 1e-4
    half_normal = 1e-4 * np.sqrt(2 / np.pi)
    assert rows.loc["mean_absolute_gap_centred", "estimate"] == pytest.approx(half_normal, rel=0.1)
    assert set(found["n"]) == {24 * 30}


def _gaps_of(gap: np.ndarray) -> pd.DataFrame:
    """Rows of the whole period by quantity, of a pool that is so far off at the end of each hour."""
    swaps = pd.date_range("2024-01-01 00:30", periods=len(gap), freq="h")
    prices = _prices(swaps, list(np.exp(gap) / 2000.0))
    found = out_amm_price_gap(core_amm_price_1h=prices, raw_amm_days=_days(), core_spot_1h=_spot(len(gap)))
    return found[found["period"] == "all"].set_index("quantity")


def test_shares_have_wilson_intervals_on_their_effective_number_of_hours() -> None:
    """A month of lags or a third of the sample; a share of one is not known exactly."""
    rng = np.random.default_rng(2)
    off = np.where(rng.uniform(size=24 * 100) < 0.02, 0.001, 0.0)
    rows = _gaps_of(off)
    for quantity in ("share_within_fee", "share_within_fee_centred", "share_within_fee_lags720"):
        row, wanted = rows.loc[quantity], hac_share((off <= 0.0005).astype(float), 720)
        for name in ("estimate", "se", "ci_low", "ci_high", "hac_lags"):
            assert row[name] == pytest.approx(getattr(wanted, name), rel=1e-12), (quantity, name)
        assert row["ci_high"] - row["estimate"] < row["estimate"] - row["ci_low"]
    always = _gaps_of(np.zeros(24 * 100)).loc["share_within_fee"]
    assert always["estimate"] == 1.0 and always["ci_high"] == pytest.approx(1.0, abs=1e-12)
    assert 0.99 < always["ci_low"] < 1.0


def test_bandwidths_are_a_month_of_hours_and_sizes_are_above_zero() -> None:
    gap = np.where(np.arange(24 * 100) % 2300 == 5, 0.05, 1e-9)
    rows = _gaps_of(gap)
    assert (rows.loc[["share_within_fee", "mean_gap", "mean_absolute_gap"], "hac_lags"] == 720).all()
    size = rows.loc["mean_absolute_gap"]
    assert 0.0 < size["ci_low"] < size["estimate"] < size["ci_high"]


def test_the_share_within_the_fee_is_told_at_other_lags() -> None:
    """30 days of hours are a third of 100 days, 60 are not; the interval stays in 0..1."""
    hours = 24 * 100
    swaps = pd.date_range("2024-01-01 00:30", periods=hours, freq="h")
    off = np.where(np.random.default_rng(1).uniform(size=hours) < 0.2, 0.001, 0.0)
    prices = _prices(swaps, list(np.exp(off) / 2000.0))
    found = out_amm_price_gap(core_amm_price_1h=prices, raw_amm_days=_days(), core_spot_1h=_spot(hours))
    rows = found[found["period"] == "all"].set_index("quantity")
    assert {name for name in rows.index if "_lags" in name} == {"share_within_fee_lags720"}
    told = rows.loc["share_within_fee_lags720"]
    assert told["hac_lags"] == 720
    assert told["estimate"] == rows.loc["share_within_fee", "estimate"]
    assert 0.0 <= told["ci_low"] <= told["estimate"] <= told["ci_high"] <= 1.0
