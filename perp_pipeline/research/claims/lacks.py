"""What a lake lacks where a table has no row that a claim asks for, in words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from perp_pipeline.research.claims.lengths import TABLES, least_days, too_short
from perp_pipeline.research.words import key_words, plain, spec_words, venue_words

POOLS: Final = {
    "0x88e6a0c2ddd26feeb64f039a2c41296fcb3f5640": "the ETH-USDC pool (5 bp, Uniswap v3 on Ethereum)",
    "0xb4e16d0168e52d35cacd2c6185b44281ec28c9dc": "the ETH-USDC pair (30 bp, Uniswap v2 on Ethereum)",
    "0xcbcdf9626bc03e24f779434178a73a0b4bad62ed": "the WBTC-WETH pool (30 bp, Uniswap v3 on Ethereum)",
}
"""Pools that claims ask for, by address."""

SOURCES: Final[tuple[tuple[str, Mapping[str, str], str], ...]] = (
    (
        "out_premium_precision",
        {"venue": "gemini"},
        "Gemini's trade prints (a declared archive can fill them, see archives.toml)",
    ),
    (
        "out_premium_precision",
        {"quantity": "cap_in_rates"},
        "a largest rate that three payments or more share (it would be a cap)",
    ),
    (
        "out_fair_funding",
        {"method": "fair_lending"},
        "what lenders of ETH earn (Aave's WETH rate, from DefiLlama)",
    ),
    (
        "out_fair_funding",
        {"method": "excess_over_lending"},
        "what lenders of ETH earn (Aave's WETH rate, from DefiLlama)",
    ),
    (
        "out_fair_funding",
        {"method": "fair_usdc_lending"},
        "days of USDC's lending rates (Compound, Aave)",
    ),
)
"""Table, condition on the row asked for, and what is missing: the first entry that fits is said."""

_FAIR: Final = {
    "excess_over_usdc_lending": "USDC's lending rate",
    "excess_over_dtb3": "the three-month bill's rate",
}
"""Methods of funding over a fair rate, and the fair rate."""

_PREMIUM_INDEX: Final = ("out_premium_precision", "out_funding_audit")
"""Tables that have no row of Binance in a window without its premium index."""

_PLACES: Final = ("venue",)
_NAMES: Final = ("base", "symbol", "product")
_WHAT: Final = (
    *("quantity", "statistic", "method", "series", "predictor", "target"),
    *("kind", "spec", "term", "lag", "month"),
)
"""Columns whose values say which number; others (a frequency, a numeraire) are not told."""


def no_table(table: str) -> str:
    """A lake without a table."""
    return f"{TABLES.get(table, key_words(table))}, which the lake does not have yet"


def no_rows(table: str, where: Mapping[str, Any], period: str = "", *, covered: bool = False) -> str:
    """A table without the rows asked for: a window too short, a missing source, or else what was asked.

    Args:
        where: column -> value, or list of values.
        period: the period asked for, where it is not among the columns.
        covered: the table has other rows of the venue and period asked for.
    """
    period = period or str(where.get("period", ""))
    short = too_short(table, where, period)
    if short:
        return f"a longer window ({short})"
    for name, condition, text in SOURCES:
        if name == table and all(str(where.get(column)) == wanted for column, wanted in condition.items()):
            return text
    if table in _PREMIUM_INDEX and where.get("venue") == "binance" and not covered:
        return f"Binance's premium index{_in(period)}"
    predictor = str(where.get("predictor", ""))
    if table == "out_predictor_race" and "premium" in predictor:
        return f"forecasts by the premium, which need Binance's premium index{_in(period)}"
    method = str(where.get("method", ""))
    about = f"{venue_words(str(where.get('venue')))} {where.get('base')}"
    if table == "out_fair_funding" and method in _FAIR:
        return f"days that have both {about} funding and {_FAIR[method]}{_in(period)}"
    if table == "out_fair_funding" and method.startswith(("terminal_spread", "lock_in")):
        return f"dated futures of {about} that were delivered{_in(period)}"
    if table == "out_venue_spreads":
        sides = (f"{venue_words(str(where[f'venue_{side}']))} {where[f'symbol_{side}']}" for side in "ab")
        return f"days that have both {' and '.join(sides)}{_in(period)}"
    least = least_days(table, where)
    if least and "venue" in where and not covered:
        # One sentence for all numbers of the venue: none of them is there.
        place = f"{TABLES[table]} of {venue_words(str(where['venue']))}{_in(period)}"
        return f"{place}, which take at least {least} days"
    own = " ".join(_said(column, where[column]) for column in (*_PLACES, *_NAMES, "pool") if column in where)
    own = own.strip()
    rest = [_said(column, wanted) for column, wanted in where.items() if column in _WHAT]
    what = ", ".join(text for text in rest if text)
    told = f"{f' of {own}' if own else ''}{f': {what}' if what else ''}"
    name = TABLES.get(table, key_words(table))
    return f"{name.removesuffix(' of pools') if 'pool' in where else name}{told}{_in(period)}"


def joined_pools(pools: Sequence[str]) -> str:
    """Pools by name; those without one by address."""
    return ", ".join(POOLS.get(pool, f"pool {pool}") for pool in pools)


def _in(period: str) -> str:
    return f" in {period}" if period and period != "all" else ""


def _said(column: str, wanted: Any) -> str:
    values = [str(value) for value in (wanted if isinstance(wanted, list) else [wanted])]
    if column == "period":
        return ""
    if column in _PLACES:
        return ", ".join(venue_words(value) for value in values if value != "all")
    if column in _NAMES:
        return " and ".join(value for value in values if value != "all")
    if column == "pool":
        return joined_pools(values)
    if column == "spec":
        return spec_words(values[0])
    if column == "lag":
        return f"at {values[0]} days" if values[0] != "0" else ""
    return ", ".join(plain(key_words(value)) for value in values)
