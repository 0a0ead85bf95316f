"""Rates that a source gives twice: one contract's under the name of another of the same venue and base.

Two contracts have premiums of their own, but a clamp holds both at the same default for days. So equal rates
say nothing while neither moves, and everything where they move together: a payment that changes one rate or
the other is evidence, a payment like the one before is not. A stretch of equal payments with
:data:`CHANGES` such changes is a copy. (At BitMEX contracts that do have rates of their own agree on one
change in nine, never on two in a row.) Payments that cannot be compared, because the other contract has none,
are taken for what the last ones were that could.
"""

from __future__ import annotations

import pandas as pd

CHANGES = 10
"""Changes of a rate that another contract's must repeat without a miss before it is taken for a copy."""

REMEMBERED_MONTHS = 12
"""So many months after the last comparison a copy that cannot be compared is still taken for one."""

CONTEXT_MONTHS = REMEMBERED_MONTHS + 1
"""Months before a month that its verdict rests on."""


def copied_from(payments: pd.DataFrame) -> pd.DataFrame:
    """Which other contract's rate a payment has.

    Of two contracts the one that was listed first (then the first by name) has the rate, the other the copy.
    What can be compared in a month is judged by it and the month before, never by later ones, so that what
    was published of a closed month stays.

    Args:
        payments: venue, base, symbol, listed_from, paid_at (UTC), rate.

    Returns:
        by the index of ``payments``: original, symbol of the contract that has the rate ("" where it is the
        payment's own), and compared, whether the original has a payment of that moment.
    """
    found = pd.DataFrame({"original": "", "compared": False}, index=payments.index)
    for _, group in payments.groupby(["venue", "base"], observed=True):
        listed = group.groupby("symbol", observed=True)["listed_from"].min().reset_index()
        symbols = listed.sort_values(["listed_from", "symbol"])["symbol"].tolist()
        sides = {symbol: own.sort_values("paid_at") for symbol, own in group.groupby("symbol", observed=True)}
        for place, symbol in enumerate(symbols):
            for original in symbols[:place]:
                repeats = _repeats(sides[original], sides[symbol])
                new = repeats[found.loc[repeats.index, "original"] == ""]
                found.loc[new.index, "original"] = original
                found.loc[new.index, "compared"] = new
    return found.astype({"original": "str"})


def _repeats(original: pd.DataFrame, other: pd.DataFrame) -> pd.Series:
    """The payments of ``other`` that repeat those of ``original``, by index: whether they were compared."""
    rows = other[["paid_at", "rate"]].reset_index(names="row")
    rows = rows.merge(
        original[["paid_at", "rate"]], on="paid_at", how="left", suffixes=("", "_original")
    ).set_index("row")
    both = rows[rows["rate_original"].notna()]
    copies = _copies(both)
    # What the last comparison said, while it is remembered.
    last = copies.astype("float64").reindex(rows.index).ffill()
    month = rows["paid_at"].dt.year * 12 + rows["paid_at"].dt.month
    age = month - month[both.index].reindex(rows.index).ffill()
    repeats = (last == 1.0) & (age <= REMEMBERED_MONTHS)
    return rows["rate_original"].notna()[repeats]


def _copies(both: pd.DataFrame) -> pd.Series:
    """Which payments that both contracts have (paid_at, rate, rate_original) are in a copied stretch."""
    rates = both[["rate", "rate_original"]]
    moved = (rates != rates.shift()).any(axis=1)
    moved.iloc[:1] = False
    equal = both["rate"] == both["rate_original"]
    stretch = (equal != equal.shift()).cumsum()
    month = both["paid_at"].dt.year * 12 + both["paid_at"].dt.month
    judged = pd.Series(False, index=both.index)
    for one in month.unique():
        seen = month.isin([one - 1, one])
        changes = (moved & equal & seen).groupby(stretch).sum()
        judged |= equal & (month == one) & (stretch.map(changes) >= CHANGES)
    return judged
