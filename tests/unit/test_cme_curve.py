"""From prices by place on the curve, or by contract, to contracts with expiries and spot."""

from __future__ import annotations

from typing import Any

import pandas as pd
import pytest

from perp_pipeline.futures.curve import core_cme_curve

SPOT = pd.DataFrame({"venue": [], "base": [], "bar_start": pd.to_datetime([], utc=True), "close": []}).astype(
    {"venue": "str", "base": "str", "close": "float64"}
)


def raw(rows: list[tuple[str, str, float]], **columns: Any) -> pd.DataFrame:
    frame = pd.DataFrame(rows, columns=["trade_date", "instrument", "settle"])
    defaults = {"product": "BTC", "archive": "file", "roll_sessions": 1}
    return frame.assign(trade_date=pd.to_datetime(frame["trade_date"]), **(defaults | columns))


def spot(moment: str, **closes: float) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "venue": list(closes),
            "base": "BTC",
            "bar_start": pd.Timestamp(moment, tz="UTC"),
            "close": list(closes.values()),
        }
    )


def contracts(frame: pd.DataFrame) -> list[str]:
    return frame.sort_values(["trade_date", "rank"])["contract"].tolist()


def test_the_source_rolls_before_the_contract_expires() -> None:
    days = ["2024-01-24", "2024-01-25", "2024-01-26"]  # Wednesday to the last Friday
    prices = raw([(day, place, 40_000.0) for day in days for place in ("f1", "f2")])
    found = core_cme_curve(prices, SPOT).frame
    assert contracts(found) == ["BTCF24", "BTCG24", "BTCG24", "BTCH24", "BTCG24", "BTCH24"]
    two = core_cme_curve(prices.assign(roll_sessions=2), SPOT).frame
    assert contracts(two) == ["BTCG24", "BTCH24"] * 3


def test_the_last_day_of_a_contract_is_not_on_the_curve() -> None:
    prices = raw([("2024-01-26", "f1", 40_000.0), ("2024-01-26", "f2", 40_100.0)], roll_sessions=-1)
    built = core_cme_curve(prices, SPOT)
    assert contracts(built.frame) == ["BTCG24"]
    assert built.dropped["reason"].str.contains("had expired").all()


def test_the_first_contract_listed_was_january_2018() -> None:
    found = core_cme_curve(raw([("2017-12-18", "f1", 19_100.0), ("2017-12-18", "f2", 19_080.0)]), SPOT).frame
    assert contracts(found) == ["BTCF18", "BTCG18"]


def test_a_holiday_row_goes_only_where_the_next_session_is_missing() -> None:
    stolen = raw([("2024-01-12", "f1", 1e4), ("2024-01-15", "f1", 1.1e4), ("2024-01-17", "f1", 1.2e4)])
    built = core_cme_curve(stolen, SPOT)
    assert list(built.frame["trade_date"].dt.day) == [12, 17]
    assert built.dropped["key"].str.contains("trade_date=2024-01-15").all()
    own = pd.concat([stolen, raw([("2024-01-16", "f1", 1.15e4)])])
    assert list(core_cme_curve(own, SPOT).frame["trade_date"].dt.day) == [12, 15, 16, 17]


def test_spot_is_of_the_hour_that_ends_at_the_settlement_and_in_dollars_if_possible() -> None:
    prices = raw([("2024-01-10", "f1", 46_000.0)])
    closes = pd.concat(
        [
            spot("2024-01-10 20:00", binance=45_900.0, gemini=45_950.0),
            spot("2024-01-10 21:00", bitstamp=1.0),
        ]
    )
    row = core_cme_curve(prices, closes).frame.iloc[0]
    assert (row["spot_at_settle"], row["spot_venue"]) == (45_950.0, "gemini")
    assert row["days_to_expiry"] == pytest.approx(16 - 5 / 24)


def test_contract_prices_win_over_places_and_differences_are_named() -> None:
    both = pd.concat(
        [
            raw([("2024-01-10", "f1", 46_000.0), ("2024-01-10", "f2", 46_500.0)]),
            raw([("2024-01-10", "BTCF4", 46_005.0), ("2024-01-10", "BTCG4", 47_500.0)], archive="own"),
        ]
    )
    built = core_cme_curve(both, SPOT)
    assert built.frame["settle"].tolist() == [46_005.0, 47_500.0]
    assert contracts(built.frame) == ["BTCF24", "BTCG24"]
    assert built.dropped["key"].tolist() == ["product=BTC trade_date=2024-01-10 archive=file instrument=f2"]


def test_unknown_names_and_zero_prices_are_named() -> None:
    prices = raw([("2024-01-10", "BTCF24-BTCG24", 5.0), ("2024-01-10", "BTCF24", 0.0)])
    built = core_cme_curve(prices, SPOT)
    assert built.frame.empty
    assert len(built.dropped) == 2
