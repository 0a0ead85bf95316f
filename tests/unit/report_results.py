"""Result frames of known numbers beyond the averages: regressions, lead-lag, quanto, pools and more."""

from __future__ import annotations

import itertools
import math
from typing import Any

import pandas as pd

PERIOD = "2019-09..2022-06"
CONTRACTS = (
    ("binance", "BTCUSDT", "BTC"),
    ("binance", "ETHUSDT", "ETH"),
    ("bitmex", "XBTUSD", "BTC"),
    ("bitmex", "ETHUSD", "ETH"),
)


def estimate(value: float, half: float = 0.1, n: int = 1000) -> dict[str, Any]:
    """The columns that every result row ends with, interval ``value`` plus and minus ``half``."""
    return {
        "estimate": value,
        "se": half / 2,
        "ci_low": value - half,
        "ci_high": value + half,
        "n": n,
        "window_start": pd.Timestamp("2019-09-10", tz="UTC"),
        "window_end": pd.Timestamp("2022-06-30", tz="UTC"),
        "hac_lags": 42,
    }


def regressions() -> pd.DataFrame:
    """out_regressions: the prior effect is 0.01 times the horizon, the same day's 0.05."""
    rows = []
    for venue, symbol, base in (*CONTRACTS, ("cme", "BTC", "BTC")):
        about = {"venue": venue, "base": base, "symbol": symbol, "period": PERIOD}
        alignment = "settle-calendar_x12" if venue == "cme" else "accrual"
        for horizon in (1, 3, 7, 30, 90):
            for ending in ("", "_std", "_lagged", "_lagged_std"):
                effects = {"const": 0.1, "same_day": 0.05, "prior": 0.01 * horizon}
                effects["prior_minus_same"] = effects["prior"] - effects["same_day"]
                if "lagged" in ending:
                    effects["lagged_funding"] = 0.9
                for term, value in effects.items():
                    test = {"t": 2.7, "p": 0.012, "critical": 2.1}
                    extra = test | {"r2": 0.25, "standardised": ending.endswith("_std")}
                    spec = f"h{horizon}_{alignment}{ending}"
                    rows.append(about | {"spec": spec, "term": term} | estimate(value) | extra)
        if venue != "cme":
            for null in ("fitted", "ar99", "sameday"):
                for term in ("same_day", "prior", "prior_minus_same"):
                    spec = f"h30_accrual_std_null-{null}"
                    extra = {"t": 1.0, "p": 0.31, "r2": math.nan, "standardised": True}
                    rows.append(about | {"spec": spec, "term": term} | estimate(0.02, 0.3, 400) | extra)
    return pd.DataFrame(rows)


def lead_lag() -> pd.DataFrame:
    """out_lead_lag: correlations of 0.3 before and 0.0 after; a rate of two points a decile."""
    rows = []
    periods = (PERIOD, "2019-01..2024-05")
    for (venue, symbol, base), period in itertools.product(CONTRACTS, periods):
        about = {"venue": venue, "symbol": symbol, "base": base, "period": period}
        for lag in range(-30, 31):
            rows.append(about | {"kind": "xcorr_daily", "lag": lag} | estimate(0.3 if lag < 0 else 0.0))
        for decile in range(1, 11):
            rows.append(about | {"kind": "decile", "lag": decile} | estimate(0.02 * decile))
            rows.append(about | {"kind": "decile_future3d", "lag": decile} | estimate(0.001))
        for kind, value in (("past3d", 0.31), ("contemporaneous", 0.02), ("future3d", -0.01)):
            rows.append(about | {"kind": kind, "lag": 0} | estimate(value))
    return pd.DataFrame(rows)


def race() -> pd.DataFrame:
    """out_predictor_race: the three-day mean wins."""
    return pd.DataFrame(
        {"venue": venue, "symbol": symbol, "base": base, "target": target, "predictor": predictor}
        | {"scheme": "expanding", "period": PERIOD, "dm_stat": 2.0, "dm_p": 0.04}
        | estimate(value)
        for venue, symbol, base in CONTRACTS
        for target in ("next", "mean_1d", "mean_7d", "mean_30d")
        for predictor, value in (("last", 0.1), ("ma9", 0.44), ("premium_instant", -0.2))
    )


def race_inside_windows() -> pd.DataFrame:
    """out_predictor_race: the mean is better with 7 hours left, the premium so far with 1."""
    values = {
        "ma9_vs_premium_window_7h_left": 0.3,
        "ma9_vs_premium_window_1h_left": -0.7,
        "ma9_vs_premium_instant_7h_left": 0.35,
        "ma9_vs_premium_instant_1h_left": 0.4,
        "premium_window_7h_left": -0.37,
        "premium_window_1h_left": 0.43,
        "last_vs_premium_window_1h_left": -0.6,
    }
    about = {"venue": "binance", "symbol": "BTCUSDT", "base": "BTC", "target": "next", "period": "all"}
    return pd.DataFrame(
        about | {"predictor": predictor, "scheme": scheme, "dm_stat": 2.0, "dm_p": 0.04} | estimate(value)
        for scheme in ("expanding", "direct")
        for predictor, value in values.items()
    )


def quanto() -> pd.DataFrame:
    """out_quanto: covariance 53, funding 63, net 10 percent a year; a linear contract 6 points dearer."""
    values = {
        "asset_return": 0.8,
        "perp_return": 1.34,
        "difference": 0.54,
        "covariance": 0.53,
        "product_of_means": 0.01,
        "funding": 0.63,
        "net_funding": 0.1,
        "vol_base": 0.9,
        "vol_margin": 0.7,
        "corr": 0.82,
    }
    about = {"symbol": "ETHUSD", "venue": "bitmex", "base": "ETH", "n_kept_out": 3}
    rows = [
        about | {"frequency": frequency, "quantity": quantity, "period": period} | estimate(value)
        for frequency in ("8h", "8h_perp")
        for period in ("2018-08..2022-06", "2020", "2021", "all")
        for quantity, value in values.items()
    ]
    linear = {"symbol": "XBTUSDT", "base": "BTC", "frequency": "8h", "quantity": "linear_minus_inverse"}
    rows.append(about | linear | {"period": "all"} | estimate(0.06))
    return pd.DataFrame(rows)


def house_money() -> pd.DataFrame:
    """out_house_money: funding rises by three points a decile."""
    rows = []
    drawdowns = ("0_5pct", "5_20pct", "20_40pct", "40_60pct", "over_60pct")
    for venue, symbol, base in CONTRACTS:
        about = {"venue": venue, "symbol": symbol, "base": base, "period": "all"}
        for place in range(1, 11):
            bucket = {"bucket_kind": "past_return_30d", "bucket": f"d{place:02d}"}
            rows.append(about | bucket | estimate(0.03 * place))
        for place, bucket_name in enumerate(drawdowns):
            bucket = {"bucket_kind": "drawdown_365d", "bucket": bucket_name}
            rows.append(about | bucket | estimate(0.5 - 0.1 * place))
        rows.append(about | {"bucket_kind": "all", "bucket": "mean"} | estimate(0.123))
        rows.append(about | {"bucket_kind": "share_above_50pct", "bucket": "all"} | estimate(0.057))
    return pd.DataFrame(rows)


POOL = {
    "chain": "ethereum",
    "pool": "0xcbcdf9626bc03e24f779434178a73a0b4bad62ed",
    "token0": "WBTC",
    "token1": "WETH",
}


def pool_profit() -> pd.DataFrame:
    """out_amm_profit_per_volume: -0.48 basis points in 2023."""
    rows = []
    for numeraire in ("USD", "WETH"):
        for mark in ("0", "1min", "5min", "1h", "4h", "1d", "7d"):
            for period, value in (("2023", -0.48), ("all", 0.71)):
                slow = mark in ("1h", "4h", "1d", "7d")
                rows.append(
                    POOL
                    | {"numeraire": numeraire, "mark": mark, "period": period, "pool_fee_bp": 30.0}
                    | {key: value for key, value in estimate(value, 0.2, 97).items() if key != "hac_lags"}
                    | {"volume_usd": 2e9, "pnl_usd": -96000.0, "n_days": 97, "block_days": 5}
                    | _figures(
                        fee=("_bp", 29.9),
                        convexity_flow=("_bp", 30.4),
                        convexity_formula=("_bp", 31.2),
                        convexity_gap=("_bp", -0.8),
                        convexity_trend=("_bp", -0.7),
                        win_share=("", 0.67),
                    )
                    | {"estimate_exchange": value - 1 if slow else math.nan}
                    | {"se_exchange": 0.1 if slow else math.nan}
                    | {"ci_low_exchange": value - 1.2 if slow else math.nan}
                    | {"ci_high_exchange": value - 0.8 if slow else math.nan}
                )
    return pd.DataFrame(rows)


def _figures(**values: tuple[str, float]) -> dict[str, float]:
    """Figures with an error of 0.1 and the interval of two of them."""
    ends = {"_se": (0.0, 0.1), "_ci_low": (1.0, -0.2), "_ci_high": (1.0, 0.2)}
    return {f"{name}{suffix}": value for name, (suffix, value) in values.items()} | {
        f"{name}{end}": by * value + add
        for name, (_, value) in values.items()
        for end, (by, add) in ends.items()
    }


def price_gaps() -> pd.DataFrame:
    """out_amm_price_gap: within the fee three quarters of the hours, four fifths without the median gap."""
    shares = {"share_within_fee": 0.75, "share_within_fee_centred": 0.8, "mean_gap": -0.0002}
    return pd.DataFrame(
        POOL | {"quantity": quantity, "period": period, "pool_fee_bp": 30.0} | estimate(value, 0.02, 1824)
        for quantity, value in shares.items()
        for period in ("2023", "all")
    )


def pool_days() -> pd.DataFrame:
    """core_amm_pool_day: a million of fees and two of convexity from flows a day, for ten days."""
    return pd.DataFrame(
        POOL
        | {"day": day, "fee_bp": 30.0, "fees_usd": 1e6, "convexity_flow_usd": 2e6, "volume_usd": 3e8}
        | {"convexity_formula_usd": 1.5e6, "pnl_usd": -1e6}
        for day in pd.date_range("2023-01-01", periods=10)
    )


def pool_sums() -> pd.DataFrame:
    """out_amm_cumulative of those days, plus and minus two million for the last three."""
    days = pool_days()
    daily = {"fees": 1e6, "convexity_flow": 2e6, "convexity_formula": 1.5e6, "net": -1e6}
    rows = []
    for quantity, value in daily.items():
        for place, day in enumerate(days["day"], start=1):
            se = 1e6 if place > 7 else math.nan
            rows.append(
                POOL
                | {"quantity": quantity, "day": day, "pool_fee_bp": 30.0, "run": 1, "block_days": 2}
                | {"estimate": place * value, "se": se, "n": place}
                | {"ci_low": place * value - 2 * se, "ci_high": place * value + 2 * se}
                | {
                    "window_start": days["day"].iloc[0].tz_localize("UTC"),
                    "window_end": day.tz_localize("UTC"),
                }
            )
    return pd.DataFrame(rows)


def precision() -> pd.DataFrame:
    """out_premium_precision: interest 1, clamp 5 basis points; shares explained."""
    values = {
        "interest": 1e-4,
        "clamp": 5e-4,
        "premium_sd": 5.01e-4,
        "se_mean": 0.81e-4,
        "error_8h": 2.02e-4,
        "slope": 0.98,
        "clamp_since_2023-06-16": 3e-4,
        "weight_1_of_8": 0.055,
        "weight_2_of_8": 0.066,
        "share_explained_4h_left": 0.55,
        "share_explained_0h_left": 0.79,
        "share_explained_instant_4h_left": -0.03,
        "share_explained_instant_0h_left": -0.6,
    }
    return pd.DataFrame(
        {"venue": "binance", "base": base, "symbol": f"{base}USDT", "quantity": quantity, "period": "all"}
        | {"sampling_hours": 1.0}
        | estimate(value, value / 10 if value > 0 else 0.01)
        for base in ("BTC", "ETH")
        for quantity, value in values.items()
    )


def audit() -> pd.DataFrame:
    """out_funding_audit: 2.4 points of mean error, 35 % exact."""
    values = {"p50": 0.011, "mean": 0.024, "rms": 0.052, "p95": 0.087}
    rows = []
    for base in ("BTC", "ETH"):
        about = {"venue": "binance", "symbol": f"{base}USDT", "base": base, "period": "all"}
        for end in ("", "_8h"):
            for name, value in values.items():
                statistic = {"p50": "p50_absolute_error", "mean": "mean_absolute_error"}.get(name)
                statistic = statistic or {"rms": "rms_error", "p95": "p95_absolute_error"}[name]
                row = about | {"statistic": statistic + end, "sampling_hours": 1.0}
                rows.append(row | estimate(value, 0.001))
        rows.append(about | {"statistic": "share_exact", "sampling_hours": 1.0} | estimate(0.35))
    return pd.DataFrame(rows)


def fair() -> pd.DataFrame:
    """out_fair_funding: 4.2 % fair by USDC lending, Binance 19 points over it; mechanisms and spreads."""
    values = (
        ("all", "fair_usdc_lending", 0.042),
        ("binance", "excess_over_usdc_lending", 0.19),
        ("binance", "long_cost_perp", 0.102),
        ("binance", "long_cost_gehr", 0.051),
        ("binance", "terminal_spread_delivery_abs", 0.00218),
        ("binance", "terminal_spread_perp_abs", 0.00058),
    )
    return pd.DataFrame(
        {"base": base, "venue": venue, "method": method, "period": "all", "symbol": "x"}
        | estimate(value, value / 2)
        for base in ("BTC", "ETH")
        for venue, method, value in values
    )


def sides() -> pd.DataFrame:
    """out_sides: 36 % of payments at the default; GMX 72 % long."""
    rows = [
        {"venue": venue, "base": base, "quantity": quantity, "period": "all", "symbol": symbol}
        | estimate(value)
        for venue, symbol, base in CONTRACTS
        for quantity, value in (("share_default", 0.358), ("share_negative", 0.146), ("premium_sd", 0.0005))
    ]
    gmx = {"venue": "gmx_arbitrum", "base": "all", "period": "all", "symbol": "all"}
    rows.append(gmx | {"quantity": "share_long"} | estimate(0.724))
    return pd.DataFrame(rows)


def claim_parts() -> pd.DataFrame:
    """out_claim_parts: claim 1 holds at every lag, claim 10 is weak and holds at 30 lags."""
    rows = []
    for claim, label, unit, value, half, verdicts in (
        (1, "Binance minus BitMEX", "fraction a year", 0.104, 0.04, ("holds", "holds")),
        (10, "perps above 50 %", "share", 0.146, 0.05, ("weak", "holds")),
    ):
        for variant, (by, verdict) in enumerate(zip(("", "30 lags"), verdicts, strict=True)):
            names = {"claim_id": claim, "part": 1, "variant": variant, "label": label, "by": by}
            judged = {"published": "above 10 %", "unit": unit, "verdict": verdict}
            rows.append(names | judged | estimate(value, half))
    for claim, rate, printed in ((21, 0.3285, "33 %"), (22, 0.25, "25 %"), (23, 0.1095, "11 %")):
        names = {"claim_id": claim, "part": 1, "variant": 0, "label": "sum", "by": ""}
        judged = {"published": printed, "unit": "fraction a year", "verdict": "arithmetic"}
        rows.append(names | judged | estimate(rate, 0.0))
    return pd.DataFrame(rows).drop(columns="hac_lags")


def returns_8h() -> pd.DataFrame:
    """core_returns_8h: ETH moves by 4 % a day, up and down in turn."""
    ends = pd.date_range("2021-01-01", "2021-03-31 16:00", freq="8h", tz="UTC")
    close = [1000.0 * math.exp(0.04 * (place // 3 % 2)) for place in range(len(ends))]
    return pd.DataFrame({"base": "ETH", "window_end": ends, "close": close})


def every() -> dict[str, pd.DataFrame]:
    """All of them by table name."""
    return {
        "out_regressions": regressions(),
        "out_lead_lag": lead_lag(),
        "out_predictor_race": pd.concat([race(), race_inside_windows()], ignore_index=True),
        "out_quanto": quanto(),
        "out_house_money": house_money(),
        "out_amm_profit_per_volume": pool_profit(),
        "out_amm_price_gap": price_gaps(),
        "core_amm_pool_day": pool_days(),
        "out_amm_cumulative": pool_sums(),
        "out_premium_precision": precision(),
        "out_funding_audit": audit(),
        "out_fair_funding": fair(),
        "out_sides": sides(),
        "out_claim_parts": claim_parts(),
        "core_returns_8h": returns_8h(),
    }
