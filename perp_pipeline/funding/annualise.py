"""Simple annualisation, one definition for all tables."""

from __future__ import annotations

from typing import TypeVar

import numpy as np
import pandas as pd

from perp_pipeline.contracts.funding import HOURS_A_YEAR

Rate = TypeVar("Rate", float, np.ndarray, pd.Series)


def annualised(rate: Rate, hours: Rate) -> Rate:
    """Simple annual rate: ``rate * 8760 / hours``.

    Args:
        rate: fraction of notional over ``hours``.
        hours: length of the period the rate is for.

    Returns:
        Fraction a year. 0.0001 over 8 hours is 0.1095.
    """
    annual: Rate = rate * HOURS_A_YEAR / hours
    return annual
