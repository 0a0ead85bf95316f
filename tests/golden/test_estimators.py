"""The estimators against numbers that generate_estimators.py gets by loops over the definitions."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from generate_estimators import DAYS, HORIZON, LAGS, persistent, prices

from perp_pipeline.research.least_squares import ols_hac
from perp_pipeline.research.predictor_race import out_predictor_race
from perp_pipeline.research.quanto import out_quanto
from perp_pipeline.research.regressions import daily_frame
from perp_pipeline.research.standardised import standardised
from perp_pipeline.research.statistics import hac_correlation

GOLDEN = json.loads(Path(__file__).with_name("estimators.json").read_text())


def payments(rate: np.ndarray, **names: str) -> pd.DataFrame:
    paid = pd.Series(pd.date_range("2020-01-01T08:00", periods=len(rate), freq="8h", tz="UTC").as_unit("us"))
    table = pd.DataFrame({"paid_at": paid, "announced_at": paid, "rate": rate, "rate_annual": rate * 1095})
    table["perp_price"] = np.nan
    start = paid - pd.Timedelta(8, "h")
    return table.assign(interval_hours=8.0, accrual_start=start, accrual_end=paid, **names)


def test_regression_raw_and_standardised() -> None:
    price = prices(DAYS + HORIZON + 1, 7, 0.1)
    days = pd.date_range("2020-01-01", periods=len(price))
    at = np.arange(HORIZON, HORIZON + DAYS)
    same, prior = price[at + 1] / price[at] - 1, price[at] / price[at - HORIZON] - 1
    funding = 0.1 + 0.5 * same + 0.3 * prior + 0.05 * persistent(DAYS, 0.8, 8)
    frame = daily_frame(pd.Series(funding, days[at]), pd.Series(price, days), (HORIZON,)).iloc[1:]
    names = ["same_day", f"prior_{HORIZON}", "lagged_funding"]
    y, x = frame["funding"].to_numpy(), {name: frame[name].to_numpy() for name in names}
    fit = ols_hac(y, x, LAGS)[0]
    assert fit.params == pytest.approx(GOLDEN["regression"]["raw"]["params"], rel=1e-8)
    assert np.sqrt(np.diag(fit.cov)) == pytest.approx(GOLDEN["regression"]["raw"]["se"], rel=1e-8)
    std = standardised([fit], np.column_stack([y, *x.values()]))[0]
    golden = GOLDEN["regression"]["standardised"]
    assert std.params[1:] == pytest.approx(golden["params"], rel=1e-8)
    assert np.sqrt(np.diag(std.cov))[1:] == pytest.approx(golden["se"], rel=1e-6)
    contrast = std.combine([0, -1, 1, 0])
    assert contrast.estimate == pytest.approx(golden["difference"], rel=1e-8)
    assert contrast.se == pytest.approx(golden["difference_se"], rel=1e-6)


def test_correlation() -> None:
    x, y = persistent(300, 0.7, 9), persistent(300, 0.4, 10)
    found = hac_correlation(x, y + 0.5 * x, LAGS)
    assert found.estimate == pytest.approx(GOLDEN["correlation"]["rho"], rel=1e-10)
    assert found.se == pytest.approx(GOLDEN["correlation"]["se"], rel=1e-10)


def test_out_of_sample_r2() -> None:
    table = out_predictor_race(
        core_funding_payments=payments(
            persistent(700, 0.6, 11), venue="binance", symbol="BTCUSDT", base="BTC", contract_type="linear"
        )
    )
    rows = table[
        (table["predictor"] == "ma9") & (table["scheme"] == "expanding") & (table["period"] == "all")
    ].set_index("target")
    for target, golden in GOLDEN["race"].items():
        assert rows.loc[target, "estimate"] == pytest.approx(golden["r2"], rel=1e-8)
        assert rows.loc[target, "n"] == golden["n"]


def test_quanto() -> None:
    btc = prices(601, 13, 0.06)
    closes = {"ETH": prices(601, 12, 0.08) * btc**0.8, "BTC": btc}
    ends = pd.date_range("2020-01-01", periods=601, freq="8h", tz="UTC").as_unit("us")
    returns = pd.concat(
        [
            pd.DataFrame(
                {"base": base, "window_end": ends, "close": close, "ret_8h": pd.Series(close).pct_change()}
            )
            for base, close in closes.items()
        ]
    )
    names = {"venue": "bitmex", "symbol": "ETHUSD", "base": "ETH"}
    paid = payments(np.full(600, 1e-4), **names, contract_type="quanto", margin_asset="BTC")
    grid = paid.assign(window_end=paid["paid_at"], coverage=1.0)
    daily = grid.assign(day=paid["accrual_start"].dt.tz_localize(None).dt.normalize()).drop_duplicates("day")
    table = out_quanto(
        core_funding_payments=paid,
        core_funding_8h=grid,
        core_funding_daily=daily,
        core_returns_8h=returns,
    ).frame
    rows = table[(table["frequency"] == "8h") & (table["period"] == "all")].set_index("quantity")
    golden = dict(GOLDEN["quanto"])
    error = golden.pop("covariance_se_90_lags")
    for quantity, value in golden.items():
        assert rows.loc[quantity, "estimate"] == pytest.approx(value, rel=1e-9)
    assert rows.loc["covariance", "hac_lags"] == 90
    assert rows.loc["covariance", "se"] == pytest.approx(error, rel=1e-9)
