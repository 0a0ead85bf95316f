"""The tables that claims read, in words, and how long a window their rows take."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any, Final

from perp_pipeline.research.periods import parse_period

TABLES: Final = {
    "core_amm_pool_day": "days of pools",
    "core_cme_implied": "rates implied by CME futures",
    "core_funding_daily": "daily funding",
    "core_funding_payments": "funding payments",
    "core_reference_rates": "interest rates",
    "core_returns_8h": "spot returns",
    "core_spot_1h": "spot prices",
    "out_amm_price_gap": "pool prices beside exchange prices",
    "out_amm_profit_per_volume": "profits of pools",
    "out_fair_funding": "fair rates and funding over them",
    "out_funding_audit": "rates recomputed from the premium index",
    "out_funding_averages": "averages of funding",
    "out_funding_monthly": "monthly averages of funding",
    "out_house_money": "funding by past return",
    "out_lead_lag": "correlations of funding with returns",
    "out_predictor_race": "forecasts of funding",
    "out_premium_precision": "the precision of premiums",
    "out_quanto": "returns of the quanto contract",
    "out_regressions": "regressions of funding on returns",
    "out_sides": "who is on which side",
    "out_venue_spreads": "differences between two series",
}
"""What each table that claims read is about."""

WINDOWS_A_DAY: Final = 3
"""8-hour windows, and payments of the venues that claims ask for."""


def least_days(table: str, where: Mapping[str, Any]) -> int:
    """Days that a number of a result table takes at least; 0 where the table has no such bound.

    Args:
        where: column -> value of the row asked for.
    """
    counted = ("excess", "fair", "long_cost")
    if table == "out_fair_funding" and not str(where.get("method", "")).startswith(counted):
        return 0
    every, daily = _bounds().get(table, (0, 0))
    return daily if _is_daily(where) else every


@cache
def _bounds() -> Mapping[str, tuple[int, int]]:
    """Table -> least days of its rows, and of those of its rows that are daily."""
    from perp_pipeline.research import (
        fair_funding,
        house_money,
        lead_lag,
        predictor_race,
        quanto,
        regressions,
    )

    def of(windows: int) -> tuple[int, int]:
        return windows // WINDOWS_A_DAY, windows

    return {
        "out_regressions": (regressions.MIN_DAYS, regressions.MIN_DAYS),
        "out_lead_lag": of(lead_lag.MIN_ROWS),
        "out_quanto": of(quanto.MIN_ROWS),
        "out_predictor_race": of(predictor_race.MIN_FORECASTS),
        "out_house_money": (house_money.MIN_DAYS, house_money.MIN_DAYS),
        "out_fair_funding": (fair_funding.MIN_DAYS, fair_funding.MIN_DAYS),
    }


def too_short(table: str, where: Mapping[str, Any], period: str) -> str:
    """``2021-02 has 28 days, and regressions take at least 90``; empty where the window is long enough."""
    least, span = least_days(table, where), parse_period(period) if period else None
    if span is None:
        return ""
    days = (span.end - span.start).days
    what = f"daily {TABLES[table]}" if _is_daily(where) else TABLES[table]
    return f"{period} has {days} days, and {what} take at least {least}" if days < least else ""


def _is_daily(where: Mapping[str, Any]) -> bool:
    return any(
        str(where.get(name, "")).startswith(("daily", "xcorr_daily")) for name in ("frequency", "kind")
    )
