"""Bars of dated futures: which moments, which prices, what is kept out."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from research_frames import UTC_US, spot_1h

from perp_pipeline.contracts.delivery import CORE_DELIVERY_FUTURES
from perp_pipeline.futures.delivery import core_delivery_futures, delivery_time
from perp_pipeline.futures.reference_rates import core_reference_rates
from perp_pipeline.lake.tables import to_arrow


def bars(symbol: str, first: str, closes: np.ndarray) -> pd.DataFrame:
    opened = pd.date_range(first, periods=len(closes), freq="h", tz="UTC").astype(UTC_US)
    frame = pd.DataFrame({"symbol": symbol, "open_time": opened, "close": closes, "volume_base": 1.0})
    return frame.assign(open=closes, high=closes, low=closes, source_url="", download_sha256="")


def test_the_day_is_in_the_name() -> None:
    found = delivery_time(pd.Series(["BTCUSDT_230929", "BTCUSDT", "ETHUSDT_241227"]))
    assert found.iloc[0] == pd.Timestamp("2023-09-29 08:00", tz="UTC")
    assert found.isna().tolist() == [False, True, False]


def test_moments_prices_and_the_bars_after_delivery() -> None:
    hours = np.arange(48.0)
    built = core_delivery_futures(
        raw_binance_futures_klines=pd.concat(
            [
                bars("BTCUSDT_230929", "2023-09-28", 27_000 + hours),
                bars("BTCUSDT", "2023-09-28", 26_990 + hours),
                bars("DOGEUSDT_230929", "2023-09-28", hours + 1),
            ],
            ignore_index=True,
        ),
        core_spot_1h=pd.concat(
            [
                spot_1h("BTC", 26_900 + hours, "2023-09-28"),
                spot_1h("BTC", hours + 1, "2023-09-28", "bitstamp"),
            ]
        ),
    )
    frame = built.frame.sort_values("bar_end", ignore_index=True)
    # Every 8 hours, and every hour of the last 24.
    assert frame["bar_end"].dt.strftime("%d %H").tolist() == [
        "28 08",
        *(f"28 {hour:02d}" for hour in range(9, 24)),
        *(f"29 {hour:02d}" for hour in range(9)),
    ]
    # The bar that opens at 07:00 closes at 08:00.
    assert frame[["close", "spot", "perp_close"]].iloc[0].tolist() == [27_007, 26_907, 26_997]
    assert frame["days_to_expiry"].tolist() == pytest.approx([hours / 24 for hours in range(24, -1, -1)])
    assert frame["rate_annual"].iloc[0] == pytest.approx((27_007 / 26_907 - 1) * 365)
    assert np.isnan(frame["rate_annual"].iloc[-1])
    reasons = built.dropped["reason"].value_counts().to_dict()
    assert reasons == {"not in the universe": 48, "after delivery": 16}
    arrow = to_arrow(CORE_DELIVERY_FUTURES, frame)
    for check in CORE_DELIVERY_FUTURES.checks:
        assert check.passes(arrow.to_pandas()).all(), check.name


def test_a_missing_hour_of_spot_is_null_and_not_filled() -> None:
    spot = spot_1h("BTC", np.full(24, 26_900.0), "2023-09-28").drop(index=7)
    raw = bars("BTCUSDT_230929", "2023-09-28", np.full(24, 27_000.0))
    frame = core_delivery_futures(raw_binance_futures_klines=raw, core_spot_1h=spot).frame
    frame = frame[frame["bar_end"].dt.hour % 8 == 0]
    assert frame["spot"].isna().tolist() == [True, False, False]
    assert frame["perp_close"].isna().all()


def test_no_rows_at_all() -> None:
    raw = bars("BTCUSDT_230929", "2023-09-28", np.empty(0))
    built = core_delivery_futures(
        raw_binance_futures_klines=raw, core_spot_1h=spot_1h("BTC", np.empty(0), "2023-09-28")
    )
    assert len(to_arrow(CORE_DELIVERY_FUTURES, built.frame)) == 0


def test_lending_rates_by_day() -> None:
    times = pd.date_range("2021-01-01 12:00", "2021-01-03 23:00", freq="h", tz="UTC").astype(UTC_US)
    early = times < pd.Timestamp("2021-01-01 16:00", tz="UTC")
    late = times >= pd.Timestamp("2021-01-02", tz="UTC")
    kept = times[early | late]
    raw = pd.DataFrame(
        {"series": "compound_usdc_supply", "time": kept, "rate": np.where(kept.day == 3, 0.05, 0.03)}
    )
    yields = pd.DataFrame(
        {
            "series": "aave_v3_usdc_supply",
            "time": pd.to_datetime(["2024-01-01 23:01", "2024-01-02 23:04", "2024-01-03 22:59"], utc=True),
            "apy": [2.5, 3.0, np.nan],
            "apy_base": [2.0, np.nan, np.nan],
        }
    )
    fred = pd.DataFrame({"series": ["DFF"], "day": pd.to_datetime(["2021-01-01"]), "percent": [0.09]})
    rates = core_reference_rates(raw_fred=fred, raw_lending_rates=raw, raw_defillama_yields=yields)
    found = {name: own.set_index("day")["rate_annual"] for name, own in rates.groupby("series")}
    # Four hours of the first day are no day; rewards are no interest; an unknown yield is no day.
    assert found["compound_usdc_supply"].to_dict() == pytest.approx(
        {pd.Timestamp("2021-01-02"): 0.03, pd.Timestamp("2021-01-03"): 0.05}
    )
    assert found["aave_v3_usdc_supply"].tolist() == pytest.approx([0.02, 0.03])
    assert found["DFF"].tolist() == pytest.approx([0.0009])
