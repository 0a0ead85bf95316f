"""Raw funding of several venues becomes payments of one form."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from perp_pipeline.contracts.funding import CORE_FUNDING_PAYMENTS
from perp_pipeline.contracts.raw_funding import (
    RAW_BINANCE_FUNDING,
    RAW_BITMEX_BUCKETED,
    RAW_BITMEX_FUNDING,
    RAW_PINNED_FUNDING,
)
from perp_pipeline.funding.payments import core_funding_payments
from perp_pipeline.lake.tables import to_frame
from perp_pipeline.steps import Built

REST = "https://fapi.binance.com/fapi/v1/fundingRate?symbol=BTCUSDT"
FILE = "https://data.binance.vision/data/futures/um/monthly/fundingRate/BTCUSDT/x.zip"


def times(*texts: str) -> pd.Series:
    return pd.Series(pd.to_datetime(list(texts), format="ISO8601", utc=True)).astype("datetime64[us, UTC]")


def binance(
    stamps: pd.Series, hours: float = np.nan, symbol: str = "BTCUSDT", url: str = REST
) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "symbol": symbol,
            "calc_time": stamps,
            "interval_hours": hours,
            "rate": 0.0001,
            "mark_price": np.nan,
            "source_url": url,
            "download_sha256": "0",
        }
    )


def bitmex(stamps: pd.Series, hours: float = 8.0, symbol: str = "XBTUSD") -> pd.DataFrame:
    return pd.DataFrame(
        {
            "symbol": symbol,
            "timestamp": stamps,
            "interval_hours": hours,
            "rate": 0.0002,
            "rate_daily": 0.0006,
            "source_url": "https://www.bitmex.com/api/v1/funding",
            "download_sha256": "0",
        }
    )


def pinned(
    stamps: pd.Series, price: object = 100.0, venue: str = "bitmex", symbol: str = "XBTUSD"
) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "venue": venue,
            "symbol": symbol,
            "timestamp": stamps,
            "interval_hours": np.nan,
            "rate": 0.0003,
            "price": price,
            "source_url": "https://raw.githubusercontent.com/x",
            "download_sha256": "0",
        }
    )


def build(universe: Path | None = None, **tables: pd.DataFrame) -> Built:
    contracts = (RAW_BINANCE_FUNDING, RAW_BITMEX_FUNDING, RAW_BITMEX_BUCKETED, RAW_PINNED_FUNDING)
    frames = {c.name: to_frame(c.schema.empty_table()) for c in contracts} | tables
    return core_funding_payments(universe=universe, **frames)


def test_jitter_is_rounded_and_intervals_are_observed_where_the_venue_is_silent() -> None:
    raw = binance(times("2019-09-10T08:00:00.003", "2019-09-10T16:00:00", "2019-09-11T00:00:00.047"))
    rows = build(raw_binance_funding=raw).frame
    assert rows["paid_at"].tolist() == list(times("2019-09-10T08:00", "2019-09-10T16:00", "2019-09-11"))
    # The first has nothing before it: the time to the next stands in.
    assert rows["interval_hours"].tolist() == [8.0, 8.0, 8.0]
    assert rows["announced_at"].tolist() == rows["paid_at"].tolist()
    assert rows["source"].unique().tolist() == ["rest"]
    assert rows["rate_annual"].tolist() == pytest.approx([0.1095] * 3)


def test_an_interval_that_changes_is_the_one_since_the_payment_before() -> None:
    """The archive states the new interval on the payment that ends an old one (AXSUSDT, 2026-01-26 08:00)."""
    raw = binance(
        times("2026-01-26T06:00", "2026-01-26T07:00", "2026-01-26T08:00", "2026-01-26T12:00"), url=FILE
    )
    raw["symbol"], raw["interval_hours"] = "AXSUSDT", [1.0, 1.0, 4.0, 4.0]
    rows = build(raw_binance_funding=raw).frame
    assert rows["interval_hours"].tolist() == [1.0, 1.0, 1.0, 4.0]
    assert (rows["accrual_start"].iloc[1:].to_numpy() == rows["accrual_end"].iloc[:-1].to_numpy()).all()
    assert rows["source"].unique().tolist() == ["archive"]


def test_a_hole_stays_a_hole() -> None:
    rows = build(
        raw_bitmex_funding=bitmex(times("2021-12-01T04:00", "2021-12-04T04:00", "2021-12-05T04:00"))
    ).frame
    assert rows["interval_hours"].tolist() == [8.0, 8.0, 8.0]
    assert rows["accrual_start"].iloc[1] == pd.Timestamp("2021-12-03T20:00", tz="UTC")


def test_bitmex_announces_one_interval_ahead() -> None:
    rows = build(raw_bitmex_funding=bitmex(times("2016-06-03T12:00", "2016-06-04T12:00"), hours=24.0)).frame
    assert rows["announced_at"].tolist() == rows["accrual_start"].tolist()
    assert (rows["contract_type"] == "inverse").all()
    assert rows["rate_annual"].tolist() == pytest.approx([0.0002 * 365] * 2)


def test_the_venue_wins_over_the_copy_and_the_copy_fills_what_it_lacks() -> None:
    built = build(
        raw_bitmex_funding=bitmex(times("2020-01-01T04:00")),
        raw_pinned_funding=pinned(times("2020-01-01T04:00", "2020-01-01T12:00"), [7000.0, 7100.0]),
    )
    assert built.frame["source"].tolist() == ["rest", "pinned"]
    assert built.frame["rate"].tolist() == [0.0002, 0.0003]
    assert built.frame["perp_price"].tolist() == [7000.0, 7100.0]
    assert built.dropped.empty


def test_a_price_comes_from_the_bar_that_ends_at_the_payment() -> None:
    bars = pd.DataFrame(
        {
            "symbol": "XBTUSD",
            "bin_size": ["1h", "1d", "1h"],
            "timestamp": times("2020-01-01T12:00", "2020-01-01T12:00", "2020-01-01T13:00"),
            "close": [7000.0, 6990.0, 7777.0],
        }
    )
    built = build(
        raw_bitmex_funding=bitmex(times("2020-01-01T12:00")),
        raw_bitmex_bucketed=bars,
        raw_pinned_funding=pinned(times("2020-01-01T12:00"), 6980.0),
    )
    assert built.frame["perp_price"].tolist() == [7000.0]


def test_prices_that_are_zero_or_stand_still_are_kept_out_and_named() -> None:
    stamps = pd.Series(pd.date_range("2020-01-01T04:00", periods=9, freq="8h", tz="UTC", unit="us"))
    prices = [1.0, 2.0, 2.0, 2.0, 2.0, 2.0, 3.0, 0.0, 4.0]
    built = build(raw_bitmex_funding=bitmex(stamps), raw_pinned_funding=pinned(stamps, prices))
    kept = built.frame["perp_price"].dropna().tolist()
    assert kept == [1.0, 3.0, 4.0]
    assert built.dropped["reason"].value_counts().to_dict() == {
        "price stands still": 5,
        "price is not above zero": 1,
    }
    assert "bitmex XBTUSD 2020-01-03 12:00:00" in built.dropped["key"].tolist()


def test_rows_after_a_delisting_and_of_unknown_symbols_are_kept_out_and_named() -> None:
    late = binance(times("2023-10-31T20:00", "2023-11-01T00:00"), symbol="IMXUSDT")
    other = binance(times("2023-10-31T20:00"), symbol="LITUSDT")
    built = build(raw_binance_funding=pd.concat([late, other], ignore_index=True))
    assert len(built.frame) == 1
    assert sorted(built.dropped["reason"]) == ["after the contract was delisted", "not in the universe"]
    assert built.dropped["table"].unique().tolist() == ["raw_binance_funding"]


def test_a_universe_of_the_users_own(tmp_path: Path) -> None:
    own = tmp_path / "own.toml"
    own.write_text(
        '[[instrument]]\nvenue = "binance"\nsymbol = "LITUSDT"\nbase = "LIT"\ncontract_type = "linear"\n'
        'margin_asset = "USDT"\nlisted_from = 2021-02-04T16:00:00Z\nlisted_to = 2025-01-31T08:00:00Z\n'
    )
    built = build(
        own, raw_binance_funding=binance(times("2025-01-31T08:00", "2025-01-31T16:00"), symbol="LITUSDT")
    )
    assert built.frame["base"].tolist() == ["LIT"]
    assert built.dropped["reason"].tolist() == ["after the contract was delisted"]


def test_good_rows_pass_every_check() -> None:
    stamps = pd.Series(pd.date_range("2020-01-01T04:00", periods=9, freq="8h", tz="UTC", unit="us"))
    rows = build(raw_bitmex_funding=bitmex(stamps)).frame.sort_values(["venue", "symbol", "paid_at"])
    for check in CORE_FUNDING_PAYMENTS.checks:
        assert check.passes(rows).all(), check.name


def two_contracts(coin: np.ndarray, dollar: np.ndarray, start: str = "2022-01-01T04:00") -> Built:
    """XBTUSD and XBTUSDT with the given rates, payment by payment."""
    stamps = pd.Series(pd.date_range(start, periods=len(coin), freq="8h", tz="UTC", unit="us"))
    sides = (bitmex(stamps).assign(rate=coin), bitmex(stamps, symbol="XBTUSDT").assign(rate=dollar))
    return build(raw_bitmex_funding=pd.concat(sides, ignore_index=True))


def test_a_copied_stretch_is_kept_out_and_named() -> None:
    rng = np.random.default_rng(1)
    coin = rng.normal(0, 1e-4, 186).round(8)
    dollar = np.concatenate([rng.normal(0, 1e-4, 100).round(8), coin[100:]])
    built = two_contracts(coin, dollar)
    counts = built.frame["symbol"].value_counts()
    assert (counts["XBTUSD"], counts["XBTUSDT"]) == (186, 100)
    assert built.dropped["table"].unique().tolist() == ["raw_bitmex_funding"]
    assert built.dropped["key"].iloc[0] == "bitmex XBTUSDT 2022-02-03 12:00:00"
    assert built.dropped["reason"].unique().tolist() == [
        "the rate is that of XBTUSD, change for change: the source has one contract's rates under two names"
    ]
    # What is left keeps the hours that it was paid for.
    assert set(built.frame["interval_hours"]) == {8.0}


def test_equal_rates_that_do_not_move_are_no_copy() -> None:
    """Both contracts at the default for two months, and now and then a move that they do not share."""
    coin, dollar = np.full(186, 1e-4), np.full(186, 1e-4)
    coin[::20] = 2e-4
    dollar[10::20] = 2e-4
    built = two_contracts(coin, dollar)
    assert len(built.frame) == 2 * 186
    assert built.dropped.empty


def test_a_copy_stays_one_where_it_cannot_be_compared() -> None:
    """XBTUSD has a hole and ends in January 2021: the payments of the other are its, for a year more."""
    rng = np.random.default_rng(3)
    stamps = pd.Series(pd.date_range("2021-01-01T04:00", "2022-06-30T20:00", freq="8h", tz="UTC", unit="us"))
    rates = rng.normal(0, 1e-4, len(stamps)).round(8)
    coin, dollar = (bitmex(stamps, symbol=symbol).assign(rate=rates) for symbol in ("XBTUSD", "XBTUSDT"))
    coin = coin[:90].drop(index=range(30, 40))
    built = build(raw_bitmex_funding=pd.concat([coin, dollar], ignore_index=True))
    left = built.frame[built.frame["symbol"] == "XBTUSDT"]
    assert left["paid_at"].min() == pd.Timestamp("2022-02-01T04:00", tz="UTC")
    reasons = built.dropped["reason"].value_counts()
    assert reasons.filter(like="the rate is that of XBTUSD").tolist() == [80]
    assert reasons.filter(like="where XBTUSD has payments the rates were its own").sum() == len(
        stamps
    ) - 80 - len(left)


def test_one_payment_of_its_own_ends_a_copy() -> None:
    rng = np.random.default_rng(4)
    rates = rng.normal(0, 1e-4, 93).round(8)
    stamps = pd.Series(pd.date_range("2022-01-01T04:00", periods=120, freq="8h", tz="UTC", unit="us"))
    dollar = np.append(rates, rng.normal(0, 1e-4, 27).round(8))
    dollar[92] += 1e-6
    sides = (bitmex(stamps[:93]).assign(rate=rates), bitmex(stamps, symbol="XBTUSDT").assign(rate=dollar))
    rows = build(raw_bitmex_funding=pd.concat(sides, ignore_index=True)).frame
    assert rows.loc[rows["symbol"] == "XBTUSDT", "paid_at"].tolist() == stamps[92:].tolist()


def test_a_month_is_not_judged_by_later_ones() -> None:
    """Seen with the next month or without it, the same payments of a month are kept."""
    rng = np.random.default_rng(2)
    coin = rng.normal(0, 1e-4, 279).round(8)
    coin[:93] = 1e-4
    dollar = coin.copy()
    whole, alone = two_contracts(coin, dollar), two_contracts(coin[:93], dollar[:93])
    january = whole.frame[whole.frame["paid_at"] < pd.Timestamp("2022-02-01", tz="UTC")]
    assert january["paid_at"].tolist() == alone.frame["paid_at"].tolist()
    assert set(alone.frame["symbol"]) == {"XBTUSD", "XBTUSDT"}
    assert whole.frame["symbol"].value_counts()["XBTUSDT"] == 93


def test_a_series_that_is_nearly_a_copy_is_seen() -> None:
    rates = np.linspace(-0.001, 0.001, 93)
    near = rates + np.where(np.arange(93) % 10 == 9, 1e-6, 0.0)
    check = next(check for check in CORE_FUNDING_PAYMENTS.checks if check.name == "rate_is_own")
    rows = two_contracts(rates, near).frame
    assert len(rows) == 2 * 93
    assert check.passes(rows).all()
    nearer = rates + np.where(np.arange(93) % 31 == 9, 1e-6, 0.0)
    frame = rows.assign(rate=np.concatenate([rates, nearer]))
    assert not check.passes(frame).all()
