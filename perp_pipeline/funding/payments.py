"""Raw funding of all venues -> core_funding_payments."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from perp_pipeline.contracts.checks import run_lengths
from perp_pipeline.contracts.raw_funding import INTERVALS
from perp_pipeline.funding.annualise import annualised
from perp_pipeline.funding.copies import copied_from
from perp_pipeline.sources.universe import Universe, load_universe
from perp_pipeline.steps import Built

FROZEN_PRICES = 5
"""Equal prices in a row, at payments 8 hours apart, from which on a price source is taken to stand still."""

_KEY = ["venue", "symbol", "paid_at"]
_COPY_KEY = ["venue", "symbol", "timestamp"]
_DEFAULT_HOURS = 8.0
_LATE_STAMPS = ("hyperliquid",)
"""Venues that pay on the hour and stamp some payments seconds or minutes after it."""
_ARCHIVE_HOST = "https://data.binance.vision/"
_COLUMNS = [
    *_KEY,
    "base",
    "contract_type",
    "margin_asset",
    "accrual_start",
    "accrual_end",
    "announced_at",
    "interval_hours",
    "rate",
    "rate_annual",
    "perp_price",
    "source",
]


def core_funding_payments(
    *,
    raw_binance_funding: pd.DataFrame,
    raw_bitmex_bucketed: pd.DataFrame,
    raw_pinned_funding: pd.DataFrame,
    universe: Path | None = None,
    **raw_venue_funding: pd.DataFrame,
) -> Built:
    """Funding payments of all followed instruments; see the contract of core_funding_payments.

    A payment that the venue itself reported wins over one of a pinned copy. Rows of instruments that are not
    followed, rows after a delisting and rates that are another contract's
    (:mod:`~perp_pipeline.funding.copies`) are kept out; so are prices that are zero or stand still.

    Args:
        universe: a user's own list of instruments.
        raw_venue_funding: further tables named raw_{venue}_funding, with the columns symbol, timestamp,
            interval_hours and rate.
    """
    known = load_universe(universe)
    told = [
        _rest(table.removeprefix("raw_").removesuffix("_funding"), raw)
        for table, raw in raw_venue_funding.items()
    ]
    rows = pd.concat([_binance(raw_binance_funding), *told, _pinned(raw_pinned_funding)], ignore_index=True)
    rows["paid_at"] = rows.pop("stamp").dt.round("s").astype("datetime64[us, UTC]")
    # Venues first, pinned copies behind them: the stable sort keeps that order within a key.
    rows = rows.sort_values(_KEY, kind="stable", ignore_index=True)
    rows, dropped = _followed(_first_of_each(rows), known)
    rows["interval_hours"] = observed_interval(rows)
    rows, copies = _own(rows)
    hours = pd.to_timedelta(rows["interval_hours"], unit="h").astype("timedelta64[us]")
    rows["accrual_end"] = rows["paid_at"]
    rows["accrual_start"] = rows["paid_at"] - hours
    rows["announced_at"] = rows["paid_at"] - hours * rows["announced_ahead"]
    rows["rate_annual"] = annualised(rows["rate"], rows["interval_hours"])
    rows["perp_price"], bad_prices = _prices(rows, raw_bitmex_bucketed, raw_pinned_funding)
    return Built(rows[_COLUMNS], pd.concat([dropped, copies, bad_prices], ignore_index=True))


def _binance(raw: pd.DataFrame) -> pd.DataFrame:
    archived = raw["source_url"].str.startswith(_ARCHIVE_HOST)
    return pd.DataFrame(
        {
            "venue": "binance",
            "symbol": raw["symbol"],
            "stamp": raw["calc_time"],
            "stated_hours": raw["interval_hours"],
            "rate": raw["rate"],
            "mark_price": raw["mark_price"],
            "source": np.where(archived, "archive", "rest"),
        }
    )


def _rest(venue: str, raw: pd.DataFrame) -> pd.DataFrame:
    """Rows of a venue whose raw table has symbol, timestamp, interval_hours and rate."""
    return pd.DataFrame(
        {
            "venue": venue,
            "symbol": raw["symbol"],
            "stamp": raw["timestamp"].dt.round("h") if venue in _LATE_STAMPS else raw["timestamp"],
            "stated_hours": raw["interval_hours"],
            "rate": raw["rate"],
            "mark_price": np.nan,
            "source": "rest",
        }
    )


def _pinned(raw: pd.DataFrame) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "venue": raw["venue"],
            "symbol": raw["symbol"],
            "stamp": raw["timestamp"],
            "stated_hours": raw["interval_hours"],
            "rate": raw["rate"],
            "mark_price": np.nan,
            "source": "pinned",
        }
    )


def _first_of_each(rows: pd.DataFrame) -> pd.DataFrame:
    """One row per key, the first; a venue that reports a payment twice within a second keeps both and
    fails."""
    again = rows.duplicated(_KEY) & (rows["source"] == "pinned")
    return rows[~again]


def _followed(rows: pd.DataFrame, universe: Universe) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Rows of followed instruments with the instrument's facts, and the rows kept out with the reason."""
    rows = rows.merge(universe.frame(), on=["venue", "symbol"], how="left", validate="many_to_one")
    delisted = rows["listed_to"].notna() & (rows["paid_at"] > rows["listed_to"] + pd.Timedelta("1s"))
    reasons = np.select(
        [rows["base"].isna(), delisted], ["not in the universe", "after the contract was delisted"], ""
    )
    return _parted(rows, reasons)


def _own(rows: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Rows with a rate of their own, and those that repeat another contract's."""
    found = copied_from(rows)
    original, names = found["original"], "the source has one contract's rates under two names"
    reason = np.select(
        [original == "", found["compared"]],
        ["", "the rate is that of " + original + f", change for change: {names}"],
        "where " + original + f" has payments the rates were its own, change for change: {names}",
    )
    return _parted(rows, reason)


def _parted(rows: pd.DataFrame, reasons: np.ndarray) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Rows without a reason to keep them out, and the report of those with one."""
    out = reasons != ""
    table = "raw_" + rows["venue"].where(rows["source"] != "pinned", "pinned") + "_funding"
    dropped = _report(rows[out], table[out], reasons[out])
    return rows[~out].reset_index(drop=True), dropped


def observed_interval(rows: pd.DataFrame) -> pd.Series:
    """Hours that each payment is for.

    The time since the payment before, where that is an interval perpetuals have; the stated one where that is
    shorter (the payment before is missing) or nothing came before. Where neither is known, the time to the
    next payment, else 8 hours.

    Args:
        rows: venue, symbol, paid_at, stated_hours (null where the venue does not say), sorted by the first
        three.
    """
    same = (rows[["venue", "symbol"]] == rows[["venue", "symbol"]].shift()).all(axis=1)
    step = rows["paid_at"].diff().dt.total_seconds().div(3600).round(1).where(same)
    before = step.where(step.isin(INTERVALS))
    # Not every hole is an interval of 24 hours: only where a daily interval is stated, or nothing is.
    after = before.shift(-1).where(same.shift(-1, fill_value=False))
    hours = before.fillna(rows["stated_hours"])
    hours = hours.where(rows["stated_hours"].isna() | (hours <= rows["stated_hours"]), rows["stated_hours"])
    result: pd.Series = hours.fillna(after).fillna(_DEFAULT_HOURS)
    return result


def _prices(
    rows: pd.DataFrame, bucketed: pd.DataFrame, pinned: pd.DataFrame
) -> tuple[pd.Series, pd.DataFrame]:
    """Price of the perpetual at each payment by order of preference, and the prices kept out."""
    closes = bucketed[["symbol", "timestamp", "close", "bin_size"]].assign(venue="bitmex")
    # The shorter bar's close is the same moment's; where the two differ it is the one nearer to trades.
    closes = closes.sort_values("bin_size", ascending=False, kind="stable")
    closes = closes.drop_duplicates(["symbol", "timestamp"])
    copies = pinned[["venue", "symbol", "timestamp", "price"]]
    copies = copies.assign(timestamp=copies["timestamp"].dt.round("s"))
    copies = copies.sort_values(_COPY_KEY, ignore_index=True).drop_duplicates(_COPY_KEY)
    zero = copies["price"] <= 0
    runs = run_lengths(copies, "price", ("venue", "symbol"))
    frozen = ~zero & copies["price"].notna() & (runs >= FROZEN_PRICES)
    reason = np.select([zero, frozen], ["price is not above zero", "price stands still"], "")
    out = zero | frozen
    report = copies[out].rename(columns={"timestamp": "paid_at"})
    bad = _report(report, pd.Series("raw_pinned_funding", index=report.index), reason[out])
    copies = copies.assign(price=copies["price"].where(~out))
    price = rows["mark_price"]
    for table, column in ((closes, "close"), (copies, "price")):
        keyed = rows[_KEY].merge(
            table.rename(columns={"timestamp": "paid_at"})[[*_KEY, column]],
            on=_KEY,
            how="left",
            validate="many_to_one",
        )
        price = price.fillna(keyed[column].set_axis(rows.index))
    return price, bad


def _report(rows: pd.DataFrame, table: pd.Series, reason: np.ndarray) -> pd.DataFrame:
    """Rows kept out, in the form of :class:`~perp_pipeline.steps.Built`."""
    key = rows["venue"] + " " + rows["symbol"] + " " + rows["paid_at"].dt.strftime("%Y-%m-%d %H:%M:%S")
    return pd.DataFrame({"table": table.to_numpy(), "key": key.to_numpy(), "reason": reason})
