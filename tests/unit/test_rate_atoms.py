"""The default and the cap that published rates show by themselves, against planted maps and without any."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from perp_pipeline.research.rate_atoms import atom_rows, atoms
from perp_pipeline.research.statistics import Array, Estimate
from perp_pipeline.theory.funding_map import FundingMap

EIGHT = np.full(1000, 8.0)


def premiums(n: int = 1000, seed: int = 3, sd: float = 0.0008) -> Array:
    return np.random.default_rng(seed).normal(0.0002, sd, n)


def found(rate: Array, hours: Array) -> dict[str, Estimate]:
    return {name: estimate for name, estimate, _ in atoms(rate, hours)}


@pytest.mark.parametrize("hours", [8.0, 4.0, 1.0])
@pytest.mark.parametrize("interest", [0.0001, 0.0, -0.0003])
def test_the_planted_default_and_cap_come_back_per_8_hours(interest: float, hours: float) -> None:
    rule = FundingMap("any", interest=interest, cap=0.0016)
    rate = np.round(rule.rate_8h(premiums()) * hours / 8.0, 9)
    told = found(rate, np.full(len(rate), hours))
    for name, planted in (("interest_in_rates", interest), ("cap_in_rates", rule.cap)):
        assert told[name].ci_low - 1e-12 <= planted <= told[name].ci_high + 1e-12, name
        assert told[name].ci_high - told[name].ci_low == pytest.approx(1e-9 * 8.0 / hours)
    assert told["cap_in_rates"].n == int((np.abs(rate) == np.abs(rate).max()).sum())
    assert told["cap_at_least"].estimate == pytest.approx(rule.cap)


def test_payments_every_four_and_every_eight_hours_are_one_contract() -> None:
    hours = np.where(np.arange(1000) < 500, 8.0, 4.0)
    rule = FundingMap("any", cap=0.0016)
    told = found(np.round(rule.rate_8h(premiums()) * hours / 8.0, 9), hours)
    assert told["interest_in_rates"].estimate == pytest.approx(0.0001)
    assert told["cap_in_rates"].estimate == pytest.approx(0.0016)


def test_rates_that_many_share_because_few_decimals_are_printed_are_no_default() -> None:
    coarse = np.round(premiums(sd=0.00002), 6)
    assert pd.Series(coarse).value_counts().iloc[0] >= 15
    for hours in (8.0, 1.0):
        assert set(found(coarse, np.full(1000, hours))) == {"cap_at_least"}


def test_a_period_that_never_leaves_the_default_upwards_shows_no_cap() -> None:
    rate = np.where(np.arange(200) % 3 == 0, -0.00005 + np.arange(200) * 1e-8, 0.0001)
    told = found(rate, np.full(200, 8.0))
    assert told["interest_in_rates"].estimate == pytest.approx(0.0001)
    assert "cap_in_rates" not in told
    assert told["cap_at_least"].estimate == pytest.approx(0.0001)


def test_a_cap_of_either_side_counts_and_two_payments_are_not_enough() -> None:
    rate = np.round(premiums(sd=0.0003), 8)
    rate[[10, 20, 30]] = 0.005, -0.005, -0.005
    assert found(rate, EIGHT)["cap_in_rates"].n == 3
    rate[30] = 0.0
    assert "cap_in_rates" not in found(rate, EIGHT)


@given(st.lists(st.integers(-40_000, 40_000), min_size=60, max_size=200))
def test_no_rate_is_beyond_the_cap_and_none_shared_is_off_the_data(places: list[int]) -> None:
    rate = np.array(places) * 1e-8
    told = found(rate, np.full(len(rate), 8.0))
    largest = float(np.abs(rate).max())
    assert told["cap_at_least"].estimate == pytest.approx(largest)
    if "cap_in_rates" in told:
        assert told["cap_in_rates"].estimate == pytest.approx(largest, abs=1e-12)


def test_rows_are_of_the_longest_contract_with_the_payments_that_share_the_value() -> None:
    rate = np.round(premiums(300, sd=0.0003), 8)
    rate[[30, 60, 90]] = 0.005
    rate[np.arange(1, 300, 4)] = 0.0001
    times = pd.date_range("2021-01-01", periods=300, freq="8h", tz="UTC", unit="us")
    own = pd.DataFrame({"paid_at": times, "rate": rate, "interval_hours": 8.0})
    paid = pd.concat([own.assign(symbol="XBTUSD"), own.iloc[:100].assign(symbol="XBTUSDT", rate=0.5)])
    frame = pd.DataFrame(atom_rows(paid.assign(venue="bitmex", base="BTC")))
    assert set(frame["symbol"]) == {"XBTUSD"}
    assert set(frame["sampling_hours"]) == {8.0}
    cap = frame[frame["period"] == "all"].set_index("quantity").loc["cap_in_rates"]
    assert (cap["window_start"], cap["window_end"], cap["n"]) == (times[30], times[90], 3)
    assert frame[frame["period"] == "all"].set_index("quantity").loc["cap_at_least", "n"] == 300
