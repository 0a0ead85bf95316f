"""US dollar reference rates as fractions a year."""

from __future__ import annotations

import numpy as np
import pandas as pd

from perp_pipeline.contracts.rates import CORE_REFERENCE_RATES

BILL_DAYS = 91
"""Days of a 13-week bill."""


def bond_equivalent(discount: np.ndarray, days: int = BILL_DAYS) -> np.ndarray:
    """Bond-equivalent yield of a bill quoted at a bank discount.

    The price is 1 - d * days / 360; the yield is what it earns, simple, on a 365-day year:
    (1 / price - 1) * 365 / days = 365 d / (360 - days * d). US Treasury, 31 CFR 356 appendix B.

    Args:
        discount: bank discount d, fraction a year of 360 days.
        days: to maturity, up to 182.

    Returns:
        Yield, fraction a year of 365 days.
    """
    yields: np.ndarray = 365 * discount / (360 - days * discount)
    return yields


def core_reference_rates(raw_fred: pd.DataFrame) -> pd.DataFrame:
    """Reference rates by series and day; days without an observation are left out.

    DTB3 is turned from a bank discount into a bond-equivalent yield. DFF is as published, a simple rate on a
    360-day year: times 365 / 360 it compares with DTB3.

    Args:
        raw_fred: as its contract (percent a year).

    Returns:
        series, day, rate_annual (fraction a year).
    """
    known = raw_fred.dropna(subset=["percent"])
    published = known["percent"].to_numpy(dtype="float64") / 100
    bill = (known["series"] == "DTB3").to_numpy()
    rates = known.assign(rate_annual=np.where(bill, bond_equivalent(published), published))
    return rates[[column.name for column in CORE_REFERENCE_RATES.columns]].reset_index(drop=True)
