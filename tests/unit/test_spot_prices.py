"""Cleaning of hourly candles, and returns on the funding grid."""

from __future__ import annotations

from typing import Any

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from perp_pipeline.prices.returns import PREFERENCE, core_returns_8h
from perp_pipeline.prices.spot import core_spot_1h
from perp_pipeline.steps import Built

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


def answers(*bars: dict[str, Any]) -> pd.DataFrame:
    """Rows of raw_spot_candles; all parts of a bar that its rows have not are dropped."""
    return candles(*bars).drop(columns=["bin_size", "archive", "volume_quote"])


NO_ANSWERS = answers({}).iloc[:0]


def cleaned(*bars: dict[str, Any]) -> Built:
    """What becomes of the lines of a file."""
    return core_spot_1h(NO_BINANCE, candles(*bars), NO_ANSWERS)


def test_symbols_become_coin_and_quote() -> None:
    binance = NO_BINANCE.reindex(range(1)).assign(
        symbol="ETHUSDT", open_time=pd.Timestamp("2020-01-01", tz="UTC"), **BAR
    )
    by_rest = answers({"venue": "coinbase", "symbol": "BTC-USD"})
    frame = core_spot_1h(binance, candles({"symbol": "XBT/USD"}), by_rest).frame
    assert frame[["venue", "base", "quote"]].values.tolist() == [
        ["binance", "ETH", "USDT"],
        ["coinbase", "BTC", "USD"],
        ["gemini", "BTC", "USD"],
    ]


def test_the_unfinished_last_bar_of_a_file_gives_way_to_the_venues_answer() -> None:
    file = candles({"high": 10.5, "low": 10.0, "close": 10.2, "volume_base": 1.0})
    later = {"open_time": pd.Timestamp("2020-01-01 01:00", tz="UTC")}
    frame = core_spot_1h(NO_BINANCE, file, answers({}, later)).frame
    assert frame["close"].tolist() == [11.0, 11.0]


@pytest.mark.parametrize(
    ("change", "reason"),
    [({"open": 0.0, "low": 0.0}, "zero"), ({"low": 10.5}, "outside"), ({"high": 9.5}, "outside")],
)
def test_impossible_bars_are_kept_out_and_named(change: dict[str, float], reason: str) -> None:
    built = cleaned(change)
    assert built.frame.empty
    assert reason in built.dropped["reason"].iloc[0]
    assert "symbol=BTCUSD open_time=2020-01-01T00:00:00Z" in built.dropped["key"].iloc[0]


def test_an_unfinished_copy_gives_way_to_the_finished_bar() -> None:
    unfinished = {"high": 10.5, "low": 10.0, "close": 10.2, "volume_base": 1.0}
    built = cleaned(unfinished, {})
    assert built.frame["close"].tolist() == [11.0]
    assert built.dropped["reason"].str.contains("unfinished").tolist() == [True]


def test_repeats_that_contradict_each_other_all_go() -> None:
    built = cleaned({}, {"open": 11.5, "close": 9.5})
    assert built.frame.empty
    assert len(built.dropped) == 2


def test_equal_repeats_are_one_bar_and_nothing_to_report() -> None:
    built = cleaned({}, {})
    assert len(built.frame) == 1
    assert built.dropped.empty


def test_swapped_volumes_are_put_right() -> None:
    built = cleaned({"volume_base": 55.0, "volume_quote": 5.0})
    assert built.frame["volume_base"].tolist() == [5.0]


def test_daily_files_are_not_used() -> None:
    assert cleaned({"bin_size": "1d"}).frame.empty


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


GRID = pd.date_range("2020-01-01", periods=12, freq="8h", tz="UTC")


@given(
    st.dictionaries(
        st.sampled_from([*PREFERENCE, "elsewhere"]),
        st.dictionaries(st.sampled_from(range(len(GRID))), st.floats(1.0, 1e6), min_size=1),
        min_size=1,
    )
)
def test_every_return_is_of_the_first_venue_that_has_both_closes(had: dict[str, dict[int, float]]) -> None:
    """Whatever hours venues have: no return compares closes of two, and none that could be is left out."""
    spot = pd.concat([hours(v, {str(GRID[at]): close for at, close in had[v].items()}) for v in had])
    found = core_returns_8h(spot).set_index("window_end")
    for at in range(1, len(GRID)):
        able = [venue for venue in (*PREFERENCE, "elsewhere") if {at - 1, at} <= had.get(venue, {}).keys()]
        assert (GRID[at] in found.index) == bool(able)
        if able:
            row, closes = found.loc[GRID[at]], had[able[0]]
            assert row["source_venue"] == able[0]
            assert row["close"] == closes[at]
            assert row["ret_8h"] == pytest.approx(closes[at] / closes[at - 1] - 1)
