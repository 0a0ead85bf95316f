"""Lags of the numbers of claims: what one lag is, and the rows of tables at other lags."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

import pandas as pd

from perp_pipeline.research.claims.model import DAY, Part

TRADING_DAY: Final = "a trading day"
PAYMENT: Final = "a payment"
WINDOW: Final = "a window"
HOUR: Final = "an hour"
MONTH: Final = "a month"
EIGHT_HOURS: Final = "8 hours"

_UNITS: Final = {
    "out_predictor_race": PAYMENT,
    "out_premium_precision": WINDOW,
    "out_funding_audit": WINDOW,
    "out_amm_price_gap": HOUR,
}
"""Tables whose lags all have one unit, which is not a day."""

_KEYS: Final = {
    "out_regressions": "spec",
    "out_lead_lag": "kind",
    "out_predictor_race": "predictor",
    "out_quanto": "quantity",
    "out_premium_precision": "quantity",
    "out_funding_audit": "statistic",
    "out_sides": "quantity",
    "out_amm_price_gap": "quantity",
}
"""Tables that tell what claims judge at other lags, and the column whose keys say so (``clamp_lags90``)."""


def lag_unit(table: str, where: Mapping[str, Any]) -> str:
    """What one lag of a row's error is: the distance of the row's observations.

    Args:
        where: columns of the row and their values.
    """
    if table == "out_lead_lag":
        return DAY if str(where["kind"]).startswith("xcorr_daily") else PAYMENT
    if table == "out_quanto":
        return EIGHT_HOURS if str(where["frequency"]).startswith("8h") else DAY
    if table == "out_sides":
        quantity = str(where["quantity"])
        of_days = quantity.startswith(("share_long", "share_days_long", "lp_share_long"))
        of_days = of_days or quantity.endswith("_change")
        return DAY if of_days else WINDOW if quantity == "premium_sd" else PAYMENT
    if "cme" in (where.get("venue"), where.get("venue_a"), where.get("venue_b")):
        return TRADING_DAY
    return _UNITS.get(table, DAY)


def at_other_lags(table: pd.DataFrame, name: str, where: Mapping[str, Any]) -> dict[int, dict[Any, Any]]:
    """Lags -> the row of a table that is one row of it at other lags; none where it does not tell them.

    Args:
        name: the table's.
        where: what singles out the row: column -> value.
    """
    column = _KEYS.get(name)
    if column is None or column not in where:
        return {}
    found = table
    for other, wanted in where.items():
        if other != column:
            found = found[found[other] == wanted]
    found = found[found[column].str.fullmatch(rf"{re.escape(where[column])}_lags\d+")]
    by_lags = {int(row[column].rpartition("_lags")[2]): row for row in found.to_dict("records")}
    return dict(sorted(by_lags.items()))


def lag_words(part: Part) -> str:
    """``42 lags``, ``126 lags of 8 hours``; empty where the number's error has none."""
    if not part.hac_lags:
        return ""
    told = f"{part.hac_lags:,} lag{'s' if part.hac_lags > 1 else ''}"
    return told if part.lag_unit == DAY else f"{told} of {part.lag_unit}"
