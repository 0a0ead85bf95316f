"""Cleaning of hourly candles, and returns on the funding grid."""

from __future__ import annotations

from typing import Any

import pandas as pd
import pytest

from perp_pipeline.prices.returns import core_returns_8h
from perp_pipeline.prices.spot import core_spot_1h

BAR = {"open": 10.0, "high": 12.0, "low": 9.0, "close": 11.0, "volume_base": 5.0, "volume_quote": 55.0}
NO_BINANCE = pd.DataFrame(
    {"symbol": pd.Series(dtype="str"), "open_time": pd.to_datetime([], utc=True)}
    | {name: pd.Series(dtype="float64") for name in BAR if name != "volume_quote"}
)


def candles(*bars: dict[str, Any]) -> pd.DataFrame:
    defaults = {
        "venue": "gemini",
        "symbol": "BTCUSD",
        "bin_size": "1h",
        "archive": "file",
        "open_time": pd.Timestamp("2020-01-01", tz="UTC"),
    }
    return pd.DataFrame([defaults | BAR | bar for bar in bars])


def test_symbols_become_coin_and_quote() -> None:
    binance = NO_BINANCE.reindex(range(1)).assign(
        symbol="ETHUSDT", open_time=pd.Timestamp("2020-01-01", tz="UTC"), **BAR
    )
    frame = core_spot_1h(binance, candles({"symbol": "XBT/USD"})).frame
    assert frame[["venue", "base", "quote"]].values.tolist() == [
        ["binance", "ETH", "USDT"],
        ["gemini", "BTC", "USD"],
    ]


@pytest.mark.parametrize(
    ("change", "reason"),
    [({"open": 0.0, "low": 0.0}, "zero"), ({"low": 10.5}, "outside"), ({"high": 9.5}, "outside")],
)
def test_impossible_bars_are_kept_out_and_named(change: dict[str, float], reason: str) -> None:
    built = core_spot_1h(NO_BINANCE, candles(change))
    assert built.frame.empty
    assert reason in built.dropped["reason"].iloc[0]
    assert "symbol=BTCUSD open_time=2020-01-01T00:00:00Z" in built.dropped["key"].iloc[0]


def test_an_unfinished_copy_gives_way_to_the_finished_bar() -> None:
    unfinished = {"high": 10.5, "low": 10.0, "close": 10.2, "volume_base": 1.0}
    built = core_spot_1h(NO_BINANCE, candles(unfinished, {}))
    assert built.frame["close"].tolist() == [11.0]
    assert built.dropped["reason"].str.contains("unfinished").tolist() == [True]


def test_repeats_that_contradict_each_other_all_go() -> None:
    built = core_spot_1h(NO_BINANCE, candles({}, {"open": 11.5, "close": 9.5}))
    assert built.frame.empty
    assert len(built.dropped) == 2


def test_equal_repeats_are_one_bar_and_nothing_to_report() -> None:
    built = core_spot_1h(NO_BINANCE, candles({}, {}))
    assert len(built.frame) == 1
    assert built.dropped.empty


def test_swapped_volumes_are_put_right() -> None:
    built = core_spot_1h(NO_BINANCE, candles({"volume_base": 55.0, "volume_quote": 5.0}))
    assert built.frame["volume_base"].tolist() == [5.0]


def test_daily_files_are_not_used() -> None:
    assert core_spot_1h(NO_BINANCE, candles({"bin_size": "1d"})).frame.empty


def hours(venue: str, closes: dict[str, float]) -> pd.DataFrame:
    ends = pd.to_datetime(list(closes), utc=True)
    return pd.DataFrame(
        {
            "venue": venue,
            "base": "BTC",
            "bar_start": ends - pd.Timedelta(hours=1),
            "close": list(closes.values()),
        }
    )


def test_a_return_never_mixes_venues() -> None:
    spot = pd.concat(
        [
            hours("binance", {"2020-01-01 00:00": 100.0, "2020-01-01 16:00": 130.0}),
            hours("gemini", {"2020-01-01 00:00": 90.0, "2020-01-01 08:00": 99.0, "2020-01-01 16:00": 110.0}),
        ]
    )
    found = core_returns_8h(spot)
    assert found["source_venue"].tolist() == ["gemini", "gemini"]
    assert found["ret_8h"].tolist() == pytest.approx([0.1, 110 / 99 - 1])


def test_the_preferred_venue_gives_the_return_where_it_has_both_closes() -> None:
    spot = pd.concat(
        [
            hours(name, {"2020-01-01 00:00": 100.0, "2020-01-01 08:00": close, "2020-01-01 09:00": 1.0})
            for name, close in (("gemini", 101.0), ("binance", 102.0), ("bitstamp", 103.0))
        ]
    )
    found = core_returns_8h(spot)
    assert found[["close", "source_venue"]].values.tolist() == [[102.0, "binance"]]
