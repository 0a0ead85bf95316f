"""What a lake lacks where a table has no row that a claim asks for, in words."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from perp_pipeline.research.words import key_words, plain, spec_words, venue_words

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

SOURCES: Final[tuple[tuple[str, Mapping[str, str], str], ...]] = (
    (
        "out_premium_precision",
        {"venue": "gemini"},
        "needs Gemini's trade prints; a declared archive can fill them (see archives.toml)",
    ),
    (
        "out_premium_precision",
        {"quantity": "cap"},
        "a fitted cap; too few rates reached one",
    ),
    (
        "out_fair_funding",
        {"method": "fair_lending"},
        "needs what lenders of ETH earn (Aave's WETH rate, from DefiLlama), which the lake does not have",
    ),
    (
        "out_fair_funding",
        {"method": "excess_over_lending"},
        "needs what lenders of ETH earn (Aave's WETH rate, from DefiLlama), which the lake does not have",
    ),
)
"""Table, condition on the row asked for, and what is missing: the first entry that fits is said."""

_PREMIUM_INDEX: Final = ("out_premium_precision", "out_funding_audit")
"""Tables that have no row of Binance in a window without its premium index."""

_NOT_SAID: Final = ("scheme", "frequency", "numeraire", "mark", "chain", "method_a", "method_b")
_PLACES: Final = ("venue", "venue_a", "venue_b")
_NAMES: Final = ("base", "symbol", "symbol_a", "symbol_b", "product")


def no_table(table: str) -> str:
    """A lake without a table."""
    return f"{TABLES.get(table, key_words(table))}, which the lake does not have yet"


def no_rows(table: str, where: Mapping[str, Any], period: str = "", *, covered: bool = False) -> str:
    """A table without the rows asked for: its missing source where that is known, else what was asked.

    Args:
        where: column -> value, or list of values.
        period: the period asked for, where it is not among the columns.
        covered: the table has other rows of the venue and period asked for.
    """
    period = period or str(where.get("period", ""))
    for name, condition, text in SOURCES:
        if name == table and all(str(where.get(column)) == wanted for column, wanted in condition.items()):
            return text
    if table in _PREMIUM_INDEX and where.get("venue") == "binance" and not covered:
        return f"needs Binance's premium index, which the lake does not have{_in(period) or ' yet'}"
    predictor = str(where.get("predictor", ""))
    if table == "out_predictor_race" and "premium" in predictor:
        index = f"Binance's premium index, which the lake does not have{_in(period)}"
        return f"{key_words(predictor)}; needs {index}"
    method = str(where.get("method", ""))
    if table == "out_fair_funding" and method.startswith("excess_over_usdc"):
        return (
            f"days that have both {venue_words(str(where.get('venue')))} {where.get('base')} funding and "
            f"USDC's lending rate{_in(period)}"
        )
    about = [_said(column, wanted) for column, wanted in where.items() if column not in _NOT_SAID]
    told = ", ".join(text for text in about if text)
    return f"{TABLES.get(table, key_words(table))}{': ' + told if told else ''}{_in(period)}"


def _in(period: str) -> str:
    return f" in {period}" if period and period != "all" else ""


def _said(column: str, wanted: Any) -> str:
    values = [str(value) for value in (wanted if isinstance(wanted, list) else [wanted])]
    if column == "period":
        return ""
    if column in _PLACES:
        return ", ".join(venue_words(value) for value in values if value != "all")
    if column in _NAMES:
        return ", ".join(value for value in values if value != "all")
    if column == "pool":
        return f"pool {values[0][:8]}"
    if column == "spec":
        return f"({spec_words(values[0])})"
    if column == "lag":
        return f"at {values[0]} days" if values[0] != "0" else ""
    return ", ".join(plain(key_words(value)) for value in values)
