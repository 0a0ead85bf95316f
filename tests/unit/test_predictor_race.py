"""The predictor race: nothing looks ahead, least squares as by brute force, R2 and tests by hand."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from premium_frames import bars, hourly_premium, no_hyperliquid, weighted
from research_frames import ar1, failed_checks, payments

from perp_pipeline.contracts.research import OUT_PREDICTOR_RACE
from perp_pipeline.funding.premium import core_premium
from perp_pipeline.research.forecasts import (
    Contest,
    mean_ahead,
    mean_behind,
    ols_forecast,
    payment_grid,
    payments_of,
)
from perp_pipeline.research.predictor_race import JUDGED, out_predictor_race, race
from perp_pipeline.research.premium_race import hours_left
from perp_pipeline.research.premium_windows import premium_windows
from perp_pipeline.research.statistics import bartlett_variance
from perp_pipeline.theory.funding_map import BINANCE


def rates(n: int, seed: int, phi: float = 0.9) -> np.ndarray:
    return 1e-4 + 1e-4 * ar1(n, phi, np.random.default_rng(seed))


def premiums(paid: pd.DataFrame, seed: int, hours: int = 8) -> pd.DataFrame:
    """core_premium of windows of ``hours`` that end at multiples of it, over the payments' time."""
    end = paid["paid_at"].max()
    start = paid["accrual_start"].min() + pd.Timedelta(hours, "h")
    ends = pd.date_range(start, end, freq=f"{hours}h").astype("datetime64[us, UTC]")
    value = 5e-4 * ar1(len(ends), 0.9, np.random.default_rng(seed))
    return pd.DataFrame(
        {
            "venue": paid["venue"].iloc[0],
            "symbol": paid["symbol"].iloc[0],
            "window_end": ends,
            "premium_mean": value,
            "premium_last": value + 1e-5,
        }
    )


def market(windows: int, seed: int) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Payments from 2023-06-01 on, made by Binance's rule of the hourly bars of a premium; and those bars."""
    closes = hourly_premium(windows, seed)
    return payments(BINANCE.rate_8h(weighted(closes)), "2023-06-01T08:00"), bars(closes)


def premium_of(paid: pd.DataFrame, raw: pd.DataFrame) -> pd.DataFrame:
    """core_premium, by its builder."""
    return core_premium(
        core_funding_payments=paid, raw_binance_premium=raw, raw_hyperliquid_funding=no_hyperliquid()
    )


def raced(paid: pd.DataFrame, raw: pd.DataFrame, periods: tuple[str, ...] = ()) -> pd.DataFrame:
    """The race as the pipeline runs it."""
    return out_predictor_race(
        core_funding_payments=paid,
        core_premium=premium_of(paid, raw),
        raw_binance_premium=raw,
        periods=periods,
    )


def pick(table: pd.DataFrame, target: str, predictor: str, scheme: str, period: str = "all") -> pd.Series:
    rows = table[
        (table["target"] == target)
        & (table["predictor"] == predictor)
        & (table["scheme"] == scheme)
        & (table["period"] == period)
    ]
    assert len(rows) == 1
    return rows.iloc[0]


def test_means_behind_and_ahead() -> None:
    x = np.arange(10.0) ** 2
    x[4] = np.nan
    behind = [x[i - 2 : i + 1].mean() if i >= 2 else np.nan for i in range(10)]
    assert np.allclose(mean_behind(x, 3), behind, equal_nan=True)
    ahead = [x[i + 1 : i + 4].mean() if i < 7 else np.nan for i in range(10)]
    assert np.allclose(mean_ahead(x, 3), ahead, equal_nan=True)
    assert np.isnan(mean_behind(x[:2], 3)).all() and np.isnan(mean_ahead(x[:3], 3)).all()


@pytest.mark.parametrize("window", [None, 60])
@pytest.mark.parametrize("horizon", [1, 5])
def test_forecasts_are_those_of_refitting_each_time(window: int | None, horizon: int) -> None:
    rng = np.random.default_rng(0)
    x = ar1(200, 0.8, rng)
    y = mean_ahead(0.5 * x + rng.normal(size=200), horizon)
    x[50:53] = np.nan
    found = ols_forecast(x, y, horizon, 30, window)
    for i in range(200):
        last = i - horizon
        first = 0 if window is None else max(0, last - window + 1)
        pairs = [j for j in range(first, last + 1) if np.isfinite(x[j]) and np.isfinite(y[j])]
        if len(pairs) < 30 or not np.isfinite(x[i]):
            assert np.isnan(found[i])
        else:
            slope, level = np.polyfit(x[pairs], y[pairs], 1)
            assert found[i] == pytest.approx(level + slope * x[i], abs=1e-9)


def test_a_regressor_that_never_moved_gives_the_mean() -> None:
    x, y = np.full(100, 0.1095), np.arange(100.0)
    found = ols_forecast(x, y, 1, 10)
    assert found[50] == pytest.approx(y[:50].mean())


@pytest.mark.parametrize(("lead_hours", "premium_hours"), [(0.0, 8), (8.0, 8), (0.0, 1)])
def test_no_forecast_sees_the_future(lead_hours: float, premium_hours: int) -> None:
    """Everything that becomes known after a moment is changed; forecasts made up to it stay, to the bit."""
    paid = payments(rates(1400, 1), lead_hours=lead_hours)
    premium = premiums(paid, 2, premium_hours)
    moment = paid["announced_at"].iloc[1000]
    later, later_premium = paid.copy(), premium.copy()
    later.loc[later["announced_at"] > moment, ["rate", "rate_annual"]] *= -7.0
    after = later_premium["window_end"] > moment
    later_premium.loc[after, ["premium_mean", "premium_last"]] += 1.0

    def made(table: pd.DataFrame, known: pd.DataFrame) -> dict[tuple[str, str, str], np.ndarray]:
        grid = payment_grid(table)
        contests = [*race(grid, "binance", known)]
        seen = grid.announced <= np.datetime64(moment.tz_localize(None))
        assert seen.sum() == 1001
        return {(c.target, c.predictor, c.scheme): c.forecast[seen] for c in contests}

    before, changed = made(paid, premium), made(later, later_premium)
    assert before.keys() == changed.keys() and len(before) > 40
    for name, forecast in before.items():
        assert np.isfinite(forecast).sum() > 300, name
        assert np.array_equal(forecast, changed[name], equal_nan=True), name


@pytest.mark.parametrize("hours", [7, 4, 3, 1, 0])
def test_no_forecast_inside_a_window_sees_the_future(hours: int) -> None:
    """Bars that open after a moment inside a window and payments after it are changed: forecasts made up to
    then stay, to the bit, and the next ones move."""
    paid, raw = market(1400, 17)
    entry = 1000
    moment = paid["paid_at"].iloc[entry] - pd.Timedelta(hours, "h")
    later, later_raw = paid.copy(), raw.copy()
    later.loc[later["paid_at"] > moment, ["rate", "rate_annual"]] *= -7.0
    late = later_raw["open_time"] >= moment
    later_raw.loc[late, ["open", "close"]] = later_raw.loc[late, ["open", "close"]] * -3.0 + 0.001

    def made(paid: pd.DataFrame, raw: pd.DataFrame) -> dict[tuple[str, str], Contest]:
        (windows,) = premium_windows(premium_of(paid, raw), paid, raw)
        return {(c.predictor, c.scheme): c for c in hours_left(payment_grid(paid), windows)}

    before, changed = made(paid, raw), made(later, later_raw)
    assert before.keys() == changed.keys() and len(before) > 100
    moved = 0
    for (name, scheme), contest in before.items():
        left = int(name.rpartition("h_left")[0].rpartition("_")[2])
        count = entry + 1 if left >= hours else entry
        other = changed[name, scheme]
        for one, two in ((contest.forecast, other.forecast), (contest.benchmark, other.benchmark)):
            assert np.isfinite(one[:count]).sum() > 300, name
            assert np.array_equal(one[:count], two[:count], equal_nan=True), (name, scheme)
            moved += not np.array_equal(one[count:], two[count:], equal_nan=True)
    assert moved == 2 * len(before)


def test_the_future_does_matter_to_what_is_forecast() -> None:
    """The same change does move later forecasts and all targets: the test above is not vacuous."""
    paid = payments(rates(1400, 1))
    later = paid.copy()
    later.loc[1001:, "rate_annual"] *= -7.0
    one, two = (next(iter(race(payment_grid(table), "binance"))) for table in (paid, later))
    assert one.actual[1000] != two.actual[1000]
    assert not np.array_equal(one.forecast[1001:], two.forecast[1001:], equal_nan=True)


def test_the_forecast_is_dated_by_the_announcement() -> None:
    grid = payment_grid(payments(rates(500, 3), "2020-01-01T04:00", lead_hours=8, venue="bitmex"))
    assert grid.announced[0] == np.datetime64("2019-12-31T20:00")
    contest = next(c for c in race(grid, "bitmex") if (c.target, c.predictor) == ("next", "ma3"))
    # Made when rate 10 is announced: the target is rate 11, paid sixteen hours later.
    assert contest.actual[10] == pytest.approx(grid.rates[11])
    assert contest.forecast[10] == pytest.approx(grid.rates[8:11].mean())
    assert contest.benchmark[10] == grid.rates[10]


def test_a_missing_payment_takes_out_what_needs_it() -> None:
    paid = payments(rates(400, 4)).drop(index=200)
    grid = payment_grid(paid)
    assert len(grid.rates) == 400 and np.isnan(grid.rates[200])
    contest = next(c for c in race(grid, "binance") if (c.target, c.predictor) == ("mean_1d", "ma9"))
    assert np.isnan(contest.actual[197:200]).all() and np.isfinite(contest.actual[[196, 200]]).all()
    assert np.isnan(contest.forecast[200:209]).all() and np.isfinite(contest.forecast[209])


def test_moving_averages_are_hours_not_payments() -> None:
    grid = payment_grid(payments(rates(3000, 5), hours=1.0))
    contest = next(c for c in race(grid, "hyperliquid") if (c.target, c.predictor) == ("next", "ma3"))
    assert contest.forecast[100] == pytest.approx(grid.rates[77:101].mean())


def test_payments_at_another_interval_are_left_out() -> None:
    old = payments(rates(30, 6), "2020-01-01T08:00", hours=24.0)
    new = payments(rates(500, 7), "2020-03-01T08:00")
    assert len(payment_grid(pd.concat([old, new])).rates) == 500


def test_a_later_interval_changes_nothing_of_what_was_raced_before() -> None:
    """Many more payments at one hour follow on 1,400 at eight: the race stays that of the eight-hour ones."""
    before = payments(rates(1400, 21), lead_hours=8)
    after = payments(rates(9000, 22), "2021-05-01T00:00", hours=1.0)
    one, two = payment_grid(before), payment_grid(pd.concat([before, after]))
    assert one is not None and two is not None
    assert (one.hours, two.hours) == (8.0, 8.0)
    assert np.array_equal(one.announced, two.announced)
    for here, there in zip(race(one, "binance"), race(two, "binance"), strict=True):
        assert np.array_equal(here.forecast, there.forecast, equal_nan=True)


def test_a_symbol_without_a_lasting_interval_is_not_raced() -> None:
    assert payment_grid(payments(rates(359, 23))) is None
    assert payment_grid(payments(rates(360, 23))) is not None


def test_r2_and_diebold_mariano_by_hand() -> None:
    paid = payments(rates(900, 8, phi=0.3))
    table = out_predictor_race(core_funding_payments=paid)
    row = pick(table, "next", "ma9", "direct")
    annual = paid["rate_annual"].to_numpy()
    made = np.arange(8, 899)
    forecast = np.array([annual[i - 8 : i + 1].mean() for i in made])
    rival = (annual[made + 1] - annual[made]) ** 2
    error = (annual[made + 1] - forecast) ** 2
    assert row["estimate"] == pytest.approx(1 - error.sum() / rival.sum())
    assert row["n"] == len(made)
    gain = rival - error
    variance = bartlett_variance(gain - gain.mean(), int(row["hac_lags"]))
    assert row["dm_stat"] == pytest.approx(gain.mean() / (variance / len(gain)) ** 0.5)
    assert row["hac_lags"] >= 90
    assert row["estimate"] > 0.2 and row["dm_p"] < 0.01
    assert failed_checks(OUT_PREDICTOR_RACE, table) == {}


def test_on_a_random_walk_nothing_beats_no_change() -> None:
    rng = np.random.default_rng(9)
    walk = payments(1e-4 + np.cumsum(rng.normal(0, 1e-5, 2000)))
    table = out_predictor_race(core_funding_payments=walk)
    assert pick(table, "next", "ma9", "direct")["ci_high"] < 0
    assert pick(table, "next", "last", "expanding")["estimate"] < 0.02


def test_head_to_head_with_the_premium() -> None:
    paid = payments(rates(1200, 10, phi=0.3))
    table = out_predictor_race(core_funding_payments=paid, core_premium=premiums(paid, 11))
    row = pick(table, "next", "ma9_vs_premium_formula", "expanding")
    ma, formula = (pick(table, "next", name, "expanding") for name in ("ma9", "premium_formula"))
    assert row["estimate"] == pytest.approx(1 - (1 - ma["estimate"]) / (1 - formula["estimate"]), abs=0.02)


def test_the_window_so_far_foretells_its_own_payment() -> None:
    """Payments made of the window's bars: exact with no hours left, worse the earlier."""
    table = raced(*market(900, 12))
    found = [pick(table, "next", f"premium_window_{h}h_left", "direct")["estimate"] for h in range(8)]
    assert found[0] == pytest.approx(1.0)
    assert found == sorted(found, reverse=True)
    assert pick(table, "next", "premium_instant_0h_left", "direct")["estimate"] < found[0]
    assert failed_checks(OUT_PREDICTOR_RACE, table) == {}


def test_the_window_so_far_by_hand() -> None:
    """Three hours before a payment: the five hours so far, weights 1 to N of them, through the map."""
    paid, raw = market(500, 13)
    (windows,) = premium_windows(premium_of(paid, raw), paid, raw)
    grid = payment_grid(paid)
    found = {(c.predictor, c.scheme): c for c in hours_left(grid, windows)}
    closes = raw["close"].to_numpy().reshape(-1, 8)
    opens = raw["open"].to_numpy().reshape(-1, 8)
    seen = weighted(closes[:, :5], opens[:, :5])
    contest = found["premium_window_3h_left", "direct"]
    np.testing.assert_allclose(contest.forecast, BINANCE.annual(seen), atol=1e-12)
    np.testing.assert_allclose(contest.actual, grid.rates)
    np.testing.assert_allclose(contest.benchmark[1:], grid.rates[:-1])
    np.testing.assert_allclose(
        found["premium_instant_3h_left", "direct"].forecast, BINANCE.annual(closes[:, 4]), atol=1e-12
    )
    pair = found["ma9_vs_premium_window_3h_left", "expanding"]
    own = found["premium_window_3h_left", "expanding"]
    assert np.array_equal(pair.benchmark, own.forecast, equal_nan=True)
    at_start = next(c for c in race(grid, "binance") if (c.predictor, c.scheme) == ("ma9", "expanding"))
    assert np.array_equal(pair.forecast[1:], at_start.forecast[:-1], equal_nan=True)
    # Refitted by brute force on the windows before.
    i, x = 400, BINANCE.annual(seen)
    slope, level = np.polyfit(x[:i], grid.rates[:i], 1)
    assert own.forecast[i] == pytest.approx(level + slope * x[i], rel=1e-9)


def test_the_moving_average_wins_early_and_loses_late() -> None:
    """Premiums that turn over within hours about a level that lasts: who wins depends on the hours left."""
    rng = np.random.default_rng(21)
    hourly = np.repeat(0.0012 + 0.0002 * ar1(900, 0.97, rng), 8) + 0.0012 * rng.normal(size=7200)
    closes = hourly.reshape(-1, 8)
    paid = payments(BINANCE.rate_8h(weighted(closes, closes)), "2023-06-01T08:00")
    table = raced(paid, bars(closes, opens=closes))
    early, late = (pick(table, "next", f"ma9_vs_premium_window_{h}h_left", "direct") for h in (7, 1))
    assert early["ci_low"] > 0.0 and early["dm_p"] < 0.05
    assert late["ci_high"] < 0.0 and late["dm_p"] < 0.05


def test_announced_ahead_venues_have_no_window_so_far() -> None:
    paid, raw = market(600, 14)
    (windows,) = premium_windows(premium_of(paid, raw), paid, raw)
    assert list(hours_left(payment_grid(payments(rates(600, 14), lead_hours=8)), windows)) == []
    assert list(hours_left(payment_grid(paid), None)) == []


def test_windows_find_their_payments() -> None:
    grid = payment_grid(payments(rates(400, 15), "2023-06-01T08:00"))
    asked = np.array(["2023-06-01T08:00", "2023-06-01T12:00", "2023-06-02T00:00", "2025-01-01"], "M8[us]")
    assert payments_of(grid, asked).tolist() == [0, -1, 2, -1]


def test_no_row_of_a_closed_period_sees_what_came_later() -> None:
    """Bars and payments after a moment are changed; rows of a period before it stay, to the bit."""
    paid, raw = market(1400, 16)
    moment = pd.Timestamp("2024-05-01", tz="UTC")
    later, later_raw = paid.copy(), raw.copy()
    later.loc[later["paid_at"] > moment, ["rate", "rate_annual"]] *= -7.0
    late = later_raw["open_time"] >= moment
    later_raw.loc[late, ["open", "close"]] = later_raw.loc[late, ["open", "close"]] * -3.0 + 0.001
    closed = "2023-06..2024-04"
    before, after = (
        table[table["period"] == closed].reset_index(drop=True)
        for table in (raced(paid, raw, (closed,)), raced(later, later_raw, (closed,)))
    )
    next_only = before["target"] == "next"
    assert before.loc[next_only, "predictor"].str.contains("h_left").sum() > 100
    # Targets over days reach past the period's end: of those only what was over by then can be compared.
    pd.testing.assert_frame_equal(before[next_only], after[after["target"] == "next"], check_exact=True)


def test_short_histories_are_left_out() -> None:
    assert out_predictor_race(core_funding_payments=payments(rates(100, 16))).empty


@pytest.mark.slow
def test_the_planted_r2_is_recovered() -> None:
    """White-noise rates: against no change the mean has R2 of one half; held in 90 of 100 seeds."""
    held = 0
    for seed in range(100):
        paid = payments(1e-4 + 1e-5 * np.random.default_rng(seed).normal(size=2500))
        row = pick(out_predictor_race(core_funding_payments=paid), "next", "ma90", "direct")
        # The mean of 90 carries 1/90 of the variance of its own.
        held += row["ci_low"] <= 1 - (1 + 1 / 90) / 2 <= row["ci_high"]
    assert held >= 90, held


def test_what_the_claim_judges_is_told_at_other_lags() -> None:
    """30, 60 and 120 days of payments, of the forecasts that are judged; the test follows the bandwidth."""
    table = raced(*market(1500, 3))
    told = table[table["predictor"].str.contains("_lags")]
    assert not told["period"].str.isdigit().any()
    told = told[told["period"] == "all"]
    assert set(told["target"]) == {"next"} and set(told["scheme"]) == {"expanding"}
    assert set(told["predictor"]) == {f"{name}_lags{lags}" for name in JUDGED for lags in (90, 180, 360)}
    for row in told.to_dict("records"):
        name, _, lags = row["predictor"].partition("_lags")
        head = pick(table, "next", name, "expanding")
        assert (row["hac_lags"], row["n"]) == (int(lags), head["n"])
        assert row["estimate"] == pytest.approx(head["estimate"], rel=1e-12)
        assert (row["ci_low"] > 0.0 or row["ci_high"] < 0.0) == (row["dm_p"] < 0.05)
        if row["hac_lags"] != head["hac_lags"]:
            assert row["se"] != head["se"]
    assert failed_checks(OUT_PREDICTOR_RACE, table) == {}
