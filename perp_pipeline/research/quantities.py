"""Words for the quantities that result tables name by short keys."""

from __future__ import annotations

import re
from typing import Final

_PERP, _FUTURE = "the perpetual", "the dated future"
_FAIR_RATES: Final = {
    "cme": "the rate that CME implies",
    "delivery": "the rate that dated futures imply",
    "dff": "the federal funds rate",
    "dtb3": "the three-month bill",
    "lending": "the fair rate from lending",
    "usdc_borrowing": "USDC's borrowing rate",
    "usdc_lending": "USDC's lending rate",
}
_MECHANISMS: Final = {
    "delivery": "dated futures",
    "gehr": "Gehr's future",
    "perp": _PERP,
    "shiller": "Shiller's future",
}

_FAIR: Final = {
    **{f"excess_over_{key}": f"excess over {words}" for key, words in _FAIR_RATES.items()},
    **{f"fair_{key}": f"fair rate: {words}" for key, words in _FAIR_RATES.items()},
    **{f"long_cost_{key}": f"cost of a long in {words}" for key, words in _MECHANISMS.items()},
    **{
        f"long_cost_perp_less_{key}": f"cost of a long in {_PERP} less in {words}"
        for key, words in _MECHANISMS.items()
        if key != "perp"
    },
    "fair_lending": "fair rate from lending",
    "lock_in": f"what {_FUTURE} locks in",
    "lock_in_less_realised": f"what {_FUTURE} locks in less what {_PERP} cost",
    "realised": "funding paid",
    "terminal_spread_delivery": f"{_FUTURE} less spot before delivery",
    "terminal_spread_delivery_abs": f"distance of {_FUTURE} from spot before delivery",
    "terminal_spread_delivery_night": f"{_FUTURE} less spot in the night before delivery",
    "terminal_spread_perp": f"{_PERP} less spot before delivery",
    "terminal_spread_perp_abs": f"distance of {_PERP} from spot before delivery",
    "terminal_spread_perp_night": f"{_PERP} less spot in the night before delivery",
    "terminal_spread_perp_any": f"{_PERP} less spot at any time",
    "terminal_spread_perp_any_abs": f"distance of {_PERP} from spot at any time",
    "terminal_spread_last_trade": f"last trade of {_FUTURE} less spot",
    "terminal_spread_abs_perp_less_delivery": f"distance of {_PERP} from spot less that of {_FUTURE}",
    "terminal_spread_abs_night_perp_less_delivery": (
        f"distance of {_PERP} from spot less that of {_FUTURE}, in the night before delivery"
    ),
}

_SIDES: Final = {
    "locked_value_change": "change of locked value",
    "lp_share_long": "liquidity providers' share that is long",
    "premium_sd": "standard deviation of the premium",
    "premium_sd_less_binance": "standard deviation of the premium less Binance's",
    "price_gap_sd": "standard deviation of price over spot",
    "share_above_default": "share of payments above the default",
    "share_below_default": "share of payments below the default",
    "share_days_long": "share of days that are mostly long",
    "share_default": "share of payments at the default",
    "share_long": "share that is long",
    "share_negative": "share of payments below zero",
    "volume_change": "change of volume",
}

_WINDOW_ERROR = "standard error of a window's average premium"
_PRECISION: Final = {
    "autocorrelation": "correlation of neighbouring samples",
    "cap_at_least": "largest rate, which no cap is below",
    "cap_in_rates": "cap, as the largest rate that several payments share",
    "error_1h": "error from hourly bars",
    "error_2h": "error from bars of two hours",
    "error_4h": "error from bars of four hours",
    "error_8h": "error from one bar of eight hours",
    "error_1min_extrapolated": "error from bars of a minute, extrapolated",
    "error_exponent": "power of the bars' length that the error grows with",
    "interest_in_rates": "default rate, as the rate that most payments share",
    "half_life_outside_hours": "half-life outside the zone, in hours",
    "mean_absolute_error": "mean absolute error",
    "max_absolute_error": "largest absolute error",
    "n_effective": "independent samples in a window",
    "n_effective_windows": "independent windows",
    "p50_absolute_error": "median of the absolute error",
    "p95_absolute_error": "95th percentile of the absolute error",
    "premium_formula": "premium through the venue's formula",
    "premium_instant": "premium of the moment",
    "premium_mean": "mean premium",
    "rms_error": "root mean square of the error",
    "se_mean": _WINDOW_ERROR,
    "se_mean_independent": f"{_WINDOW_ERROR}, with samples taken for independent",
    "share_exact": "share recomputed exactly",
    "share_exact_off_default": "share recomputed exactly, away from the default",
    "share_explained": "share explained by the premium so far",
    "share_explained_instant": "share explained by the premium of the moment",
    "share_inside_fee": "share of premiums inside the fee",
    "share_inside_zone": "share of windows inside the flat zone",
    "trade_sd": "standard deviation from trade to trade",
    **{f"weight_{hour}_of_8": f"weight of hour {hour} of 8" for hour in range(1, 9)},
}

_POOLS: Final = {
    "convexity_flow": "convexity",
    "fees": "fees",
    "mean_absolute_gap": "mean absolute gap",
    "mean_absolute_gap_centred": "mean absolute gap after each month's median",
    "pnl": "profit",
    "share_within_fee": "share within the fee",
    "share_within_fee_centred": "share within the fee of the month's median gap",
}

_RETURNS: Final = {
    "accrual_std": "accrual days, standardised",
    "asset_return": "return of ETH",
    "contemporaneous": "return of the interval itself",
    "corr": "correlation of ETH and BTC",
    "default_share": "share of payments at the default",
    "future3d": "return of the three days after",
    "mean_absolute_error_8h": "mean absolute error from one bar of eight hours",
    "net_funding": "funding net of covariance",
    "past3d": "return of the three days before",
    "perp_return": "return of the contract",
    "product_of_means": "product of means",
    "vol_base": "volatility of ETH",
    "vol_margin": "volatility of BTC",
    "xcorr_daily": "correlation of daily rates and returns",
}

QUANTITIES: Final = {**_FAIR, **_SIDES, **_PRECISION, **_POOLS, **_RETURNS}
"""Key -> words."""

ROUTES: Final[tuple[tuple[re.Pattern[str], str], ...]] = (
    (re.compile(r"(.+)_since_(\d{4}-\d\d-\d\d)"), "since {1}"),
    (re.compile(r"(.+)_lags(\d+)"), "{1} lags"),
    (re.compile(r"(.+)_nls"), "least squares of the rate on the premium"),
    (re.compile(r"(.+)_close"), "by closes alone"),
    (re.compile(r"(.+)_flat"), "by bars of equal weight"),
    (re.compile(r"(.+)_8h"), "by one bar of eight hours"),
    (re.compile(r"(.+)_log"), "in logarithms"),
)
"""Ending of a key, after the key of its quantity -> how it was computed, in words."""
