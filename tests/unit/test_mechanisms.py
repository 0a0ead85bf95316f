"""What a long pays under each mechanism: against sums by hand and the calculators of theory/."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from delivery_frames import EXPIRIES, SYMBOLS, market, reference

from perp_pipeline.research.mechanisms import (
    carried,
    daily_costs,
    holdings,
    implied_by_day,
    perp_spreads,
    terminal_spreads,
)


def bill(daily: pd.DataFrame, rate: float = 0.05) -> pd.Series:
    rows = reference(daily, DTB3=rate)
    return pd.Series(rows["rate_annual"].to_numpy(), index=pd.DatetimeIndex(rows["day"]))


def test_a_rate_is_carried_over_a_weekend_and_not_over_a_hole() -> None:
    rates = pd.Series([0.01, 0.02], index=pd.to_datetime(["2024-01-05", "2024-01-15"]))
    days = pd.date_range("2024-01-04", "2024-01-15")
    found = carried(rates, days)
    assert found["2024-01-08"] == 0.01
    assert np.isnan(found["2024-01-04"])
    assert np.isnan(found["2024-01-11"])
    assert found["2024-01-15"] == 0.02
    assert carried(pd.Series(dtype="float64"), days).isna().all()


def test_the_days_of_a_contract_add_up_to_its_lock_in() -> None:
    futures, funding, daily = market()
    costs = daily_costs(futures, funding, bill(daily))
    own = futures[futures["symbol"] == SYMBOLS[1]].set_index("bar_end")
    entry = pd.Timestamp(EXPIRIES[0], tz="UTC")
    held = costs[costs["symbol"] == SYMBOLS[1]]
    started = held["time"] - pd.Timedelta(days=1)
    assert started.iloc[0] == entry
    assert len(held) == 91
    in_dollars = (held["delivery"].to_numpy() * own.loc[started, "spot"].to_numpy()).sum()
    assert in_dollars == pytest.approx(own.loc[entry, "close"] - own.loc[entry, "spot"])


def test_a_day_of_the_perpetual_by_hand() -> None:
    futures, funding, daily = market()
    costs = daily_costs(futures, funding, bill(daily))
    start = pd.Timestamp("2023-02-14 08:00", tz="UTC")
    path = futures[futures["symbol"] == SYMBOLS[0]].set_index("bar_end")
    rates = funding.set_index("window_end")["rate_8h"]
    paid = sum(
        rates[start + pd.Timedelta(hours=h)] * path.loc[start + pd.Timedelta(hours=h), "perp_close"]
        for h in (8, 16, 24)
    )
    end = start + pd.Timedelta(days=1)
    # The long of one unit, against one who holds the asset.
    perp_gain = path.loc[end, "perp_close"] - path.loc[start, "perp_close"] - paid
    spot_gain = path.loc[end, "spot"] - path.loc[start, "spot"]
    found = costs.set_index("time").loc[end]
    assert found["perp"] == pytest.approx((spot_gain - perp_gain) / path.loc[start, "spot"])
    assert found["gehr"] == pytest.approx(0.05 / 365)
    assert found["shiller"] == pytest.approx(0.05 / 365, abs=1e-12)


def test_a_day_with_a_missing_payment_or_price_is_left_out() -> None:
    futures, funding, daily = market()
    whole = daily_costs(futures, funding, bill(daily))
    gone = funding[funding["window_end"] != pd.Timestamp("2023-02-14 16:00", tz="UTC")]
    assert len(daily_costs(futures, gone, bill(daily))) == len(whole) - 1
    partly = funding.assign(coverage=funding["coverage"].mask(funding.index == 100, 0.5))
    assert len(daily_costs(futures, partly, bill(daily))) == len(whole) - 1
    blind = futures.assign(spot=futures["spot"].mask(futures["bar_end"] == "2023-02-14 08:00+00:00"))
    assert len(daily_costs(blind, funding, bill(daily))) == len(whole) - 2


def test_holdings_are_the_lock_in_and_what_the_perpetual_cost() -> None:
    futures, funding, _ = market(carry=0.10)
    held = holdings(futures, funding)
    assert held["symbol"].tolist() == list(SYMBOLS)
    assert held["lock_in"].tolist() == pytest.approx([0.10, 0.10])
    # By hand: one unit bought at the first delivery and sold at the second, funding on the perpetual's price.
    path = futures[futures["symbol"] == SYMBOLS[1]].set_index("bar_end")
    first, last = (pd.Timestamp(end, tz="UTC") for end in EXPIRIES)
    way = path.loc[first:last]
    rates = funding.set_index("window_end")["rate_8h"].reindex(way.index[1:])
    profit = (
        way["perp_close"].iloc[-1] - way["perp_close"].iloc[0] - (rates * way["perp_close"].iloc[1:]).sum()
    )
    cost = (way["spot"].iloc[-1] - way["spot"].iloc[0] - profit) / way["spot"].iloc[0]
    assert held["realised"].iloc[1] == pytest.approx(cost * 365 / 91)
    holed = funding[funding["window_end"] != pd.Timestamp("2023-05-01 16:00", tz="UTC")]
    assert holdings(futures, holed)["symbol"].tolist() == [SYMBOLS[0]]


def test_a_contract_that_has_not_been_delivered_is_no_holding() -> None:
    futures, funding, _ = market()
    early = futures[futures["bar_end"] < "2023-06-01 00:00+00:00"]
    assert holdings(early, funding)["symbol"].tolist() == [SYMBOLS[0]]
    assert len(terminal_spreads(early)) == 1
    only_first = early[early["bar_end"] <= EXPIRIES[0] + "+00:00"]
    assert holdings(only_first, funding)["symbol"].tolist() == [SYMBOLS[0]]


def test_spreads_before_delivery() -> None:
    """The future is one hour's carry above spot when the average of the last hour begins."""
    futures, _, _ = market()
    spreads = terminal_spreads(futures)
    hour = 0.10 / 365 / 24
    assert spreads["time"].tolist() == [pd.Timestamp(end, tz="UTC") for end in EXPIRIES]
    assert spreads["delivery"].tolist() == pytest.approx([hour] * 2)
    assert spreads["perp"].tolist() == pytest.approx([3e-4] * 2)
    assert spreads["last_trade"].tolist() == pytest.approx([0, 0], abs=1e-12)
    # Eight hours' ends: the last seven, and 00:00 on the grid.
    assert spreads["delivery_abs"].tolist() == pytest.approx([4.5 * hour] * 2)
    midnights = futures[futures["days_to_expiry"] == 1 / 3].sort_values("expiry")
    at_midnight = (midnights["perp_close"] / midnights["spot"] - 1).to_numpy()
    assert spreads["perp_abs"].to_numpy() == pytest.approx((7 * 3e-4 + np.abs(at_midnight)) / 8)
    assert spreads["perp_night"].to_numpy() == pytest.approx((7 * 3e-4 + at_midnight) / 8)
    assert spreads["abs_perp_less_delivery"].tolist() == pytest.approx(
        (spreads["perp_abs"] - spreads["delivery_abs"]).tolist()
    )


def test_a_delivery_without_a_price_before_it_is_left_out() -> None:
    futures, _, _ = market()
    seven = futures["bar_end"] == pd.Timestamp(EXPIRIES[0], tz="UTC") - pd.Timedelta(hours=1)
    assert terminal_spreads(futures[~seven])["time"].tolist() == [pd.Timestamp(EXPIRIES[1], tz="UTC")]


def test_the_perp_at_any_time_counts_every_eight_hours() -> None:
    futures, _, _ = market()
    anytime = perp_spreads(futures)
    assert (anytime["time"].dt.hour % 8 == 0).all()
    assert len(anytime) == (futures["bar_end"].drop_duplicates().dt.hour % 8 == 0).sum()


def test_implied_rates_stop_before_delivery() -> None:
    futures, _, _ = market(carry=0.08)
    rates = implied_by_day(futures, 14)
    assert rates.to_numpy() == pytest.approx(np.full(len(rates), 0.08))
    near = futures[futures["symbol"] == SYMBOLS[0]]
    assert implied_by_day(near, 14).index.max() == pd.Timestamp(
        "2023-03-17"
    )  # its last moment is 08:00, 14 days before
