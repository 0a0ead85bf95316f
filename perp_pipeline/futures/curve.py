"""The CME curve: which contract each price is of, when it expires, and what spot was at the settlement."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import pandas as pd

from perp_pipeline.contracts.rates import CORE_CME_CURVE
from perp_pipeline.futures.calendar import (
    FIRST_CONTRACTS,
    MONTH_CODES,
    contract_code,
    contract_months,
    expires_at,
    last_trading_day,
    next_sessions,
    sessions_between,
    settles_at,
    us_holiday_dates,
)
from perp_pipeline.steps import DROPPED_COLUMNS, Built

SPOT_PREFERENCE = ("bitstamp", "gemini", "coinbase", "binance")
"""Whose hour gives spot_at_settle. Dollars first, as CME settles in them; tether moves against the dollar."""
BASES = {"BTC": "BTC", "MBT": "BTC", "ETH": "ETH", "MET": "ETH"}
"""CME product to coin."""
DISAGREE = 0.005
"""Two sources of one settlement that differ by more (fraction) are named."""


def core_cme_curve(raw_cme_futures: pd.DataFrame, core_spot_1h: pd.DataFrame) -> Built:
    """First and second quoted month by product and trade date.

    A price by place on the curve (f1, f2) gets its contract from the calendar and the source's roll rule.
    Contract prices win over such ones. Kept out and named: prices printed under a US holiday's date while
    the next session's own date is missing in the source (they are that session's prices), prices of
    contracts that have expired at the settlement, and prices that are not above zero.

    Args:
        raw_cme_futures: whole history (the rule on holidays looks at the next session).
        core_spot_1h: hours around the trade dates; spot_at_settle is null where no venue has the hour.

    Returns:
        The table, and each price kept out with the reason.
    """
    prices = raw_cme_futures.reset_index(drop=True)
    if prices.empty:
        return Built(_empty(), _name_rows(prices, pd.Series(dtype="str")))
    prices = prices.assign(settles_at=settles_at(prices["trade_date"]))
    prices = _with_contract(prices)

    reason = pd.Series("", index=prices.index, dtype="str")
    gone = prices["expires_at"] <= prices["settles_at"]
    reason = reason.mask(gone, "the contract had expired: this is the final settlement or later")
    reason = reason.mask(prices["contract"] == "", "no contract of this name")
    reason = reason.mask(
        _of_next_session(prices), "US holiday: the price is of the next session, whose date is missing"
    )
    reason = reason.mask(~(prices["settle"] > 0), "the price is not above zero")
    dropped = [_name_rows(prices[reason != ""], reason[reason != ""])]

    curve, disagreeing = _one_price_each(prices[reason == ""])
    dropped.append(disagreeing)
    curve = curve.sort_values(["product", "trade_date", "expiry"])
    rank = curve.groupby(["product", "trade_date"]).cumcount() + 1
    curve = curve.assign(rank=rank.astype("int32"))[rank <= 2]
    curve = _with_spot(curve, core_spot_1h)
    days = (curve["expires_at"] - curve["settles_at"]).dt.total_seconds() / 86_400
    curve = curve.assign(days_to_expiry=days)
    return Built(
        curve[[column.name for column in CORE_CME_CURVE.columns]].reset_index(drop=True),
        pd.concat(dropped, ignore_index=True),
    )


def _empty() -> pd.DataFrame:
    return pd.DataFrame({column.name: [] for column in CORE_CME_CURVE.columns})


def _with_contract(prices: pd.DataFrame) -> pd.DataFrame:
    """Adds contract, expiry and expires_at; contract is empty where the instrument names none."""
    place = prices["instrument"].str.extract(r"^f([12])$")[0].astype("float64")
    by_place, by_name = prices[place.notna()], prices[place.isna()]
    named = [
        *([_contracts_by_place(by_place, place[by_place.index])] if len(by_place) else []),
        *([_contracts_by_name(by_name)] if len(by_name) else []),
    ]
    both = prices.join(pd.concat(named))
    return both.assign(expires_at=expires_at(both["expiry"]))


def _contracts_by_place(prices: pd.DataFrame, place: pd.Series) -> pd.DataFrame:
    """The nearest contract whose last trading day has not passed, or the one after where the source "
    "rolled."""
    dates = prices["trade_date"]
    months = contract_months(dates.min(), dates.max())
    front = np.searchsorted(months["expiry"].to_numpy(), dates.to_numpy(), side="left")
    left = sessions_between(dates, pd.Series(months["expiry"].to_numpy()[front], index=dates.index))
    rolled = left <= prices["roll_sessions"].fillna(0).to_numpy(dtype="int64")
    listed = prices["product"].map(_first_listed(prices["product"].unique(), months)).to_numpy(dtype="int64")
    nearest = np.maximum(front + rolled, listed)
    chosen = months.iloc[nearest + place.to_numpy(dtype="int64") - 1].set_axis(prices.index)
    return pd.DataFrame({"contract": prices["product"] + chosen["code"], "expiry": chosen["expiry"]})


def _first_listed(products: Iterable[str], months: pd.DataFrame) -> dict[str, int]:
    """Place in ``months`` of the first contract that CME listed of each product, 0 where that is earlier."""
    days = months["expiry"].to_numpy()
    return {
        product: int(np.searchsorted(days, np.datetime64(last_trading_day(*FIRST_CONTRACTS[product]))))
        if product in FIRST_CONTRACTS
        else 0
        for product in products
    }


def _contracts_by_name(prices: pd.DataFrame) -> pd.DataFrame:
    pattern = rf"^(?P<product>[A-Z]+)(?P<month>[{MONTH_CODES}])(?P<year>\d{{1,2}})$"
    parts = prices["instrument"].str.extract(pattern)
    known = parts["product"].eq(prices["product"])
    # CME prints one digit of the year as a rule: the first such year that is not over on the trade date.
    digits = parts["year"].where(known, "0").astype("int64")
    traded = prices["trade_date"].dt.year
    year = traded + (digits - traded) % np.where(parts["year"].str.len() == 1, 10, 100)
    month = parts["month"].where(known, "F").map({code: i + 1 for i, code in enumerate(MONTH_CODES)})
    named = pd.DataFrame({"product": prices["product"], "year": year, "month": month})
    unique = named.drop_duplicates()
    rows = list(unique.itertuples(index=False, name=None))
    unique = unique.assign(
        contract=[contract_code(*row) for row in rows],
        expiry=pd.DatetimeIndex([last_trading_day(*row[1:]) for row in rows]).as_unit("us"),
    )
    named = named.merge(unique, how="left", on=["product", "year", "month"]).set_axis(prices.index)
    return pd.DataFrame({"contract": named["contract"].where(known, ""), "expiry": named["expiry"]})


def _of_next_session(prices: pd.DataFrame) -> pd.Series:
    dates = prices["trade_date"]
    holiday = dates.isin(us_holiday_dates(dates.min(), dates.max()))
    held = pd.MultiIndex.from_frame(prices[["archive", "product", "trade_date"]])
    later = pd.MultiIndex.from_arrays([prices["archive"], prices["product"], next_sessions(dates)])
    return holiday & ~pd.Series(later.isin(held), index=prices.index)


def _one_price_each(prices: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """One price per product, date and contract: by contract before by place, then the first archive by "
    "name."""
    key = ["product", "trade_date", "contract"]
    by_place = prices["instrument"].isin(["f1", "f2"])
    ordered = prices.assign(by_place=by_place).sort_values([*key, "by_place", "archive"])
    later = ordered.duplicated(key)
    first = ordered.groupby(key)["settle"].transform("first")
    differs = later & ((ordered["settle"] / first - 1).abs() > DISAGREE)
    reason = pd.Series("another source of the same settlement says otherwise", index=ordered.index)
    return ordered[~later], _name_rows(ordered[differs], reason[differs])


def _with_spot(curve: pd.DataFrame, spot: pd.DataFrame) -> pd.DataFrame:
    """Adds spot_at_settle and spot_venue: the close of the hour that ends at the settlement."""
    closes = spot[["venue", "base", "bar_start", "close"]].assign(
        preference=spot["venue"]
        .map({name: i for i, name in enumerate(SPOT_PREFERENCE)})
        .fillna(len(SPOT_PREFERENCE))
    )
    moments = closes["bar_start"] + pd.Timedelta(hours=1)
    closes = closes.assign(settles_at=moments)[moments.isin(curve["settles_at"])]
    closes = closes.sort_values(["base", "settles_at", "preference", "venue"])
    closes = closes.drop_duplicates(["base", "settles_at"])
    wanted = curve.assign(base=curve["product"].map(BASES).astype("str"))
    joined = wanted.merge(closes, how="left", on=["base", "settles_at"], validate="many_to_one")
    return joined.rename(columns={"close": "spot_at_settle", "venue": "spot_venue"})


def _name_rows(rows: pd.DataFrame, reason: pd.Series) -> pd.DataFrame:
    key = (
        "product="
        + rows["product"]
        + " trade_date="
        + rows["trade_date"].dt.strftime("%Y-%m-%d")
        + " archive="
        + rows["archive"]
        + " instrument="
        + rows["instrument"]
    )
    named = pd.DataFrame(
        {"table": "raw_cme_futures", "key": key, "reason": reason}, columns=list(DROPPED_COLUMNS)
    )
    return named.reset_index(drop=True)
