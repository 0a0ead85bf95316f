"""Rates that a source gives twice: one contract's under the name of another of the same venue and base.

Two contracts have premiums of their own, but a clamp holds both at the same default for days. So equal rates
say nothing while neither moves, and everything where they move together: a payment that changes one rate or
the other is evidence, a payment like the one before is not. A stretch of equal payments with
:data:`CHANGES` such changes is a copy. (At BitMEX contracts that do have rates of their own agree on one
change in nine, never on two in a row.)
"""

from __future__ import annotations

import pandas as pd

CHANGES = 10
"""Changes of a rate that another contract's must repeat without a miss before it is taken for a copy."""


def copied_from(payments: pd.DataFrame) -> pd.Series:
    """Which other contract's rate a payment repeats; empty where its rate is its own.

    Of two contracts the one that was listed first (then the first by name) has the rate, the other the copy.
    A month is judged by its own payments and those of the month before it, never by later ones, so that what
    was published of a closed month stays. Payments that only one of the contracts has are its own.

    Args:
        payments: venue, base, symbol, listed_from, paid_at (UTC), rate.

    Returns:
        symbol of the contract that has the rate, by the index of ``payments``; "" elsewhere.
    """
    found = pd.Series("", index=payments.index, dtype="str")
    for _, group in payments.groupby(["venue", "base"], observed=True):
        listed = group.groupby("symbol", observed=True)["listed_from"].min().reset_index()
        symbols = listed.sort_values(["listed_from", "symbol"])["symbol"].tolist()
        sides = {symbol: own.sort_values("paid_at") for symbol, own in group.groupby("symbol", observed=True)}
        for place, symbol in enumerate(symbols):
            for original in symbols[:place]:
                repeats = _repeats(sides[original], sides[symbol])
                new = repeats[found[repeats].to_numpy() == ""]
                found[new] = original
    return found


def _repeats(original: pd.DataFrame, other: pd.DataFrame) -> pd.Index:
    """Index of the payments of ``other`` that repeat those of ``original``."""
    both = other[["paid_at", "rate"]].reset_index(names="row")
    both = both.merge(original[["paid_at", "rate"]], on="paid_at", suffixes=("", "_original"))
    if both.empty:
        return other.index[:0]
    rates = both[["rate", "rate_original"]]
    moved = (rates != rates.shift()).any(axis=1)
    moved.iloc[0] = False
    equal = both["rate"] == both["rate_original"]
    stretch = (equal != equal.shift()).cumsum()
    month = both["paid_at"].dt.year * 12 + both["paid_at"].dt.month
    judged = pd.Series(False, index=both.index)
    for one in month.unique():
        seen = month.isin([one - 1, one])
        changes = (moved & equal & seen).groupby(stretch).sum()
        judged |= equal & (month == one) & (stretch.map(changes) >= CHANGES)
    return pd.Index(both.loc[judged, "row"])
