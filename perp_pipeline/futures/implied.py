"""Interest rates implied by the CME curve."""

from __future__ import annotations

import numpy as np
import pandas as pd

from perp_pipeline.contracts.rates import CORE_CME_IMPLIED, METHODS

DAYS_A_YEAR = 365.0
CONSTANT_MATURITY = 30.0
"""Days."""
NEAREST_SECOND = 28.0
"""Days: a second month nearer than this is not a 30-day rate."""
SHORTEST = 1.0
"""Days to expiry under which a basis says nothing: one tick of 5 USD is then worth several points a year."""


def core_cme_implied(core_cme_curve: pd.DataFrame) -> pd.DataFrame:
    """Annual rates by product, trade date and method.

    With F1, F2 the settlements, S the spot at the settlement, T1 and T2 the days to expiry:

    - ``calendar_x12``: (F2 / F1 - 1) * 12, as the second essay does; to it 28 or 35 days are a month.
    - ``calendar``: (F2 / F1 - 1) * 365 / (T2 - T1).
    - ``front_basis``, ``second_basis``: (F / S - 1) * 365 / T.
    - ``cm30``: log basis ln(F / S), linear in T between 0 (where it is 0), T1 and T2, read at 30 days (or
      at T2 where that is 28 to 30 days away), annualised.

    A method is missing on dates that lack one of its inputs, a basis also within a day of expiry.

    Args:
        core_cme_curve: as its contract.

    Returns:
        product, trade_date, method, rate_annual (fraction a year).
    """
    key = ["product", "trade_date"]
    columns = ["settle", "days_to_expiry", "spot_at_settle"]
    first, second = (
        core_cme_curve[core_cme_curve["rank"] == rank].set_index(key)[columns].add_suffix(f"_{rank}")
        for rank in (1, 2)
    )
    both = first.join(second, how="left")
    rates = implied_rates(
        both["settle_1"].to_numpy(dtype="float64"),
        both["settle_2"].to_numpy(dtype="float64"),
        both["spot_at_settle_1"].to_numpy(dtype="float64"),
        both["days_to_expiry_1"].to_numpy(dtype="float64"),
        both["days_to_expiry_2"].to_numpy(dtype="float64"),
    )
    wide = pd.DataFrame(rates, index=both.index).reset_index()
    long = wide.melt(key, list(METHODS), "method", "rate_annual").dropna(subset=["rate_annual"])
    long = long.astype({"method": "str"}).sort_values([*key, "method"], ignore_index=True)
    return long[[column.name for column in CORE_CME_IMPLIED.columns]]


def implied_rates(
    first: np.ndarray, second: np.ndarray, spot: np.ndarray, days_1: np.ndarray, days_2: np.ndarray
) -> dict[str, np.ndarray]:
    """The rates of :func:`core_cme_implied` by method (fractions a year); NaN where an input is missing.

    Args:
        first, second, spot: prices, in one currency.
        days_1, days_2: days to expiry.
    """
    front_days = np.where(days_1 >= SHORTEST, days_1, np.nan)
    log_1, log_2 = np.log(first / spot), np.log(second / spot)
    inside = days_1 >= CONSTANT_MATURITY
    left_days, left = np.where(inside, 0.0, days_1), np.where(inside, 0.0, log_1)
    right_days, right = np.where(inside, days_1, days_2), np.where(inside, log_1, log_2)
    # Two days before an expiry the second month may be a little nearer than 30 days: read it there.
    target = np.minimum(CONSTANT_MATURITY, right_days)
    target = np.where(target >= NEAREST_SECOND, target, np.nan)
    log_at_target = left + (right - left) * (target - left_days) / (right_days - left_days)
    rates = {
        "calendar_x12": (second / first - 1) * 12,
        "calendar": (second / first - 1) * DAYS_A_YEAR / (days_2 - days_1),
        "front_basis": (first / spot - 1) * DAYS_A_YEAR / front_days,
        "second_basis": (second / spot - 1) * DAYS_A_YEAR / days_2,
        "cm30": log_at_target * DAYS_A_YEAR / target,
    }
    return {method: rates[method] for method in METHODS}
