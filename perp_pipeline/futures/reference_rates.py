"""Reference rates as fractions a year: US dollars from FRED, and what lending on chain pays."""

from __future__ import annotations

import numpy as np
import pandas as pd

from perp_pipeline.contracts.rates import CORE_REFERENCE_RATES

BILL_DAYS = 91
"""Days of a 13-week bill."""

_COLUMNS = [column.name for column in CORE_REFERENCE_RATES.columns]
_PART_OF_A_DAY = 0.5
"""A day with fewer than this share of a series' usual observations is left out."""


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


def core_reference_rates(
    raw_fred: pd.DataFrame,
    raw_lending_rates: pd.DataFrame | None = None,
    raw_defillama_yields: pd.DataFrame | None = None,
) -> pd.DataFrame:
    """Reference rates by series and day; days without an observation are left out.

    DTB3 is turned from a bank discount into a bond-equivalent yield. DFF is as published, a simple rate on a
    360-day year: times 365 / 360 it compares with DTB3. Lending rates are the mean of the UTC day's
    observations, as the source states them (compounding or not).

    Args:
        raw_fred: as its contract (percent a year).
        raw_lending_rates: as its contract (fraction a year), if the lake has it.
        raw_defillama_yields: as its contract (percent a year; ``apy_base``, without rewards, where it is
            known, else ``apy``), if the lake has it.

    Returns:
        series, day, rate_annual (fraction a year).
    """
    parts = [_fred(raw_fred)]
    if raw_lending_rates is not None and len(raw_lending_rates):
        parts.append(_daily(raw_lending_rates[["series", "time", "rate"]]))
    if raw_defillama_yields is not None and len(raw_defillama_yields):
        percent = raw_defillama_yields["apy_base"].fillna(raw_defillama_yields["apy"])
        yields = raw_defillama_yields[["series", "time"]].assign(rate=percent / 100)
        parts.append(_daily(yields.dropna(subset=["rate"])))
    parts = [part for part in parts if len(part)] or parts[:1]
    return pd.concat(parts, ignore_index=True)


def _fred(raw_fred: pd.DataFrame) -> pd.DataFrame:
    known = raw_fred.dropna(subset=["percent"])
    published = known["percent"].to_numpy(dtype="float64") / 100
    bill = (known["series"] == "DTB3").to_numpy()
    rates = known.assign(rate_annual=np.where(bill, bond_equivalent(published), published))
    return rates[_COLUMNS].reset_index(drop=True)


def _daily(rows: pd.DataFrame) -> pd.DataFrame:
    """Means by series and UTC day; days that a series covers by less than half as usual are left out."""
    day = rows["time"].dt.tz_convert("UTC").dt.tz_localize(None).dt.normalize()
    means = rows.assign(day=day).groupby(["series", "day"], observed=True)["rate"].agg(["mean", "size"])
    usual = means.groupby(level="series", observed=True)["size"].transform("median")
    whole = means[means["size"] >= _PART_OF_A_DAY * usual]
    return whole["mean"].rename("rate_annual").reset_index()[_COLUMNS]
