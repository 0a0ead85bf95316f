"""Names of venues, terms, specifications and quantities as people write them.

Tables hold short keys (``h30_accrual_std``, ``share_inside_fee``); what people read holds these words.
"""

from __future__ import annotations

import re
from typing import Final

from perp_pipeline.research.quantities import QUANTITIES, ROUTES

VENUES: Final = {
    "binance": "Binance",
    "bitmex": "BitMEX",
    "bitstamp": "Bitstamp",
    "bybit": "Bybit",
    "cme": "CME",
    "deribit": "Deribit",
    "dydx": "dYdX",
    "dydx_v3": "dYdX v3",
    "ftx": "FTX",
    "gemini": "Gemini",
    "gmx": "GMX",
    "gmx_arbitrum": "GMX Arbitrum",
    "gmx_avalanche": "GMX Avalanche",
    "htx": "HTX",
    "hyperliquid": "Hyperliquid",
    "okx": "OKX",
    "perp_fi": "perp.fi",
    "perpfi": "perp.fi",
    "synthetix": "Synthetix",
}

METHODS: Final = {
    "calendar_x12": "times 12",
    "calendar": "by calendar days",
    "front_basis": "front month over spot",
    "second_basis": "second month over spot",
    "cm30": "30-day maturity",
}
"""Methods of the CME-implied rate."""

TERMS: Final = {
    "same_day": "same day's return",
    "prior": "prior return",
    "lagged_funding": "funding of the day before",
    "prior_minus_same": "prior less same day",
    "const": "constant",
}
"""Terms of the regressions."""

_ALIGNMENTS = {
    "accrual": "accrual days",
    "calendar": "days of payment",
    "announced": "days of announcement",
    "settle-calendar": "at settlement by calendar days",
    "settle-calendar_x12": "at settlement times 12",
}
_NULLS = {
    "null-fitted": "simulated, persistence as fitted",
    "null-ar99": "simulated, AR(1) of 0.99",
    "null-sameday": "simulated, same-day effect alone",
}

_ALONE: Final = frozenset({"corr", "pnl", "past3d", "future3d"})
"""Keys of one word that no English text has."""

_KEY = re.compile(r"(?<![\w.])[A-Za-z][A-Za-z0-9]*(?:[_-][A-Za-z0-9]+)*(?!\w|\.\w)")
_SPEC = re.compile(r"h(\d+)_(.+)")
_AVERAGE = re.compile(r"ma(\d+)")
_HOURS_LEFT = re.compile(r"(.+)_(\d+)h_left")
_LAGS = re.compile(r"(.*)_lags(\d+)")


def venue_words(venue: str) -> str:
    """A venue as people write it."""
    return VENUES.get(venue, venue.replace("_", " ").title())


def spec_words(spec: str) -> str:
    """A specification of out_regressions: ``30 days before, accrual days, standardised``.

    The parts are explained in :mod:`perp_pipeline.research.regressions`.
    """
    found = _SPEC.fullmatch(spec)
    if found is None:
        return spec.replace("_", " ")
    days, rest = int(found[1]), found[2]
    told: list[str] = []
    for ending, words in _NULLS.items():
        if rest.endswith(f"_{ending}"):
            rest = rest.removesuffix(f"_{ending}")
            told.append(words)
    lags = _LAGS.fullmatch(rest)
    if lags:
        rest = lags[1]
        told.insert(0, f"{lags[2]} lags")
    if rest.endswith("_std"):
        rest = rest.removesuffix("_std")
        told.insert(0, "standardised")
    if rest.endswith("_lagged"):
        rest = rest.removesuffix("_lagged")
        told.insert(0, "given the day before's funding")
    before = "1 day before" if days == 1 else f"{days} days before"
    return ", ".join([before, _ALIGNMENTS.get(rest, rest.replace("_", " ")), *told])


def alignment_words(spec: str) -> str:
    """The days that a specification dates funding by: ``accrual days``, ``at settlement times 12``."""
    told = spec_words(spec).split(", ")
    return told[1] if len(told) > 1 else told[0]


def key_words(key: str) -> str:
    """The words of one key; keys without an entry lose their underscores."""
    for known in (VENUES, METHODS, TERMS, QUANTITIES):
        if key in known:
            return known[key]
    if _SPEC.fullmatch(key):
        return spec_words(key)
    first, versus, second = key.partition("_vs_")
    if versus:
        return f"{key_words(first)} against {key_words(second)}"
    first, minus, second = key.partition("_minus_")
    if minus:
        return f"{key_words(first)} less {key_words(second)}"
    average = _AVERAGE.fullmatch(key)
    if average:
        return f"average of the last {average[1]} payments"
    left = _HOURS_LEFT.fullmatch(key)
    if left:
        return f"{key_words(left[1])}, {left[2]} h before payment"
    for pattern, words in ROUTES:
        found = pattern.fullmatch(key)
        if found:
            return f"{key_words(found[1])}, {words.format(*found.groups())}"
    return key.replace("_", " ")


def plain(text: str) -> str:
    """A text with its keys put into words: those with underscores, predictors, and venues' names."""

    def word(found: re.Match[str]) -> str:
        key = found[0]
        if "_" in key or key in VENUES or key in _ALONE or _AVERAGE.fullmatch(key):
            return key_words(key)
        return key

    return _KEY.sub(word, text)
