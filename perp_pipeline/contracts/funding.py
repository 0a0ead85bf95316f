"""Cleaned funding: payments, the common 8-hour grid, days."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd

from perp_pipeline.contracts.checks import (
    agrees_across,
    finite,
    gap_free,
    no_flat_tail,
    no_jump,
    no_overlap,
    not_frozen,
    on_grid,
    one_of,
    ordered,
    positive,
    same,
    within,
)
from perp_pipeline.contracts.model import Column, Contract, RowCheck, Severity
from perp_pipeline.contracts.raw_funding import INTERVALS, LARGEST_ANYWHERE, LARGEST_RATE

HOURS_A_YEAR = 8760.0

_SERIES = ("venue", "symbol")
_VENUE = Column("venue", "string", "Lower-case venue name.")
_SYMBOL = Column("symbol", "string", "The venue's symbol.")
_BASE = Column("base", "string", "Asset whose price the contract follows, for example BTC.")

GRID_OFFSET = {"binance": 0, "bitmex": 4, "bybit": 0, "hyperliquid": 0}
"""Hour of the day (UTC) that a venue counts its 8-hour intervals from."""

_DEFAULT_RATES = (0.0001, 0.00005, 0.0000125)
"""The clamped rate of 0.01 % per 8 hours, and what it is for intervals of 4 and 1 hours."""

_FLAT_PAYMENTS = 84
"""Payments of exactly the default rate that end a series: 28 days. Binance BTC had 83 in June 2020."""


def _on_schedule(frame: pd.DataFrame) -> pd.Series:
    """A daily payment comes at noon at BitMEX; else payments fall on multiples of the interval from the
    offset."""
    offset = frame["venue"].map(GRID_OFFSET).astype("float64")
    hour = frame["paid_at"].dt.hour + frame["paid_at"].dt.minute / 60 + frame["paid_at"].dt.second / 3600
    step = frame["interval_hours"].clip(upper=8.0)
    late = (hour - offset) % step
    near: pd.Series = np.minimum(late, step - late) < 1 / 60
    return offset.isna() | near


def _annual_is_simple(frame: pd.DataFrame) -> pd.Series:
    expected = frame["rate"] * HOURS_A_YEAR / frame["interval_hours"]
    return (frame["rate_annual"] - expected).abs() <= 1e-12 + 1e-9 * expected.abs()


def _interval_is_accrual(frame: pd.DataFrame) -> pd.Series:
    hours = (frame["accrual_end"] - frame["accrual_start"]).dt.total_seconds() / 3600
    return (hours - frame["interval_hours"]).abs() < 1e-6


def _price_near_others(frame: pd.DataFrame) -> pd.Series:
    """Perpetuals of one base are within a fifth of each other within the day."""
    day = frame["paid_at"].dt.floor("D")
    median = frame.groupby([frame["base"], day])["perp_price"].transform("median")
    return frame["perp_price"].isna() | ((frame["perp_price"] / median - 1).abs() < 0.35)


def _rate_is_own(frame: pd.DataFrame) -> pd.Series:
    """Two contracts of one base have premiums of their own: month after month of equal rates is a copied
    series.

    Months in which at least 30 payments can be compared and 95 % of them are equal are flagged; the default
    rate, which a clamp gives to many contracts at once, does not count.
    """
    moving = ~frame["rate"].isin(_DEFAULT_RATES)
    rates = frame[["venue", "base", "paid_at", "rate"]]
    at = rates.groupby(["venue", "base", "paid_at"], sort=False, observed=True)["rate"]
    compared = moving & (at.transform("size") > 1)
    equal = compared & rates.duplicated(keep=False)
    month = frame["paid_at"].dt.strftime("%Y-%m")
    series = [frame["venue"], frame["symbol"], month]
    n = compared.groupby(series, sort=False).transform("sum")
    return ~(equal & (n >= 30) & (equal.groupby(series, sort=False).transform("sum") >= 0.95 * n))


CORE_FUNDING_PAYMENTS = Contract(
    name="core_funding_payments",
    doc=(
        "Every funding payment of every followed perpetual, one form for all venues. paid_at is rounded to "
        "the second; the interval is the one observed; a hole in the source is a hole here. Where a source "
        "has one contract's rates under two names of a venue (ten changes and more, each the same in both), "
        "the contract that was listed later is left out, there and for a year where the other has no payment "
        "to compare: those rates are not its own."
    ),
    grain="one payment of one symbol",
    key=("venue", "symbol", "paid_at"),
    time="paid_at",
    partition_by=("venue",),
    # Months before the first contract was listed.
    may_be_empty=True,
    columns=(
        _VENUE,
        _SYMBOL,
        Column("paid_at", "timestamp", "When longs and shorts paid, rounded to the second."),
        _BASE,
        Column(
            "contract_type",
            "string",
            "linear: margined in dollars; inverse: in the base asset; quanto: in a third asset.",
            values=("linear", "inverse", "quanto"),
        ),
        Column("margin_asset", "string", "What profit, loss and funding are paid in."),
        Column("accrual_start", "timestamp", "Begin of the hours that the payment is for."),
        Column("accrual_end", "timestamp", "End of the hours that the payment is for: the payment itself."),
        Column(
            "announced_at",
            "timestamp",
            "When the rate became known: one interval ahead at BitMEX, at the payment elsewhere. Join on "
            "this.",
        ),
        Column("interval_hours", "float64", "Hours since the payment before, as observed.", unit="hours"),
        Column(
            "rate",
            "float64",
            "Rate paid, positive when longs pay shorts.",
            unit="fraction of notional per payment",
            low=-LARGEST_ANYWHERE,
            high=LARGEST_ANYWHERE,
        ),
        Column("rate_annual", "float64", "rate * 8760 / interval_hours.", unit="fraction a year"),
        Column(
            "perp_price",
            "float64",
            "Price of the perpetual at the payment: mark price, or close of the trade bar that ends then, "
            "or the pinned copy's price; null where none is known or the source stood still.",
            unit="quote currency per unit of base",
            nullable=True,
        ),
        Column("source", "string", "Where the row came from.", values=("archive", "rest", "pinned")),
    ),
    checks=(
        on_grid("paid_at", 1.0, tolerance_seconds=60.0),
        RowCheck(
            "on_schedule",
            "Payments fall on their venue's schedule: 00/08/16 UTC at Binance, 04/12/20 at BitMEX, and "
            "fractions.",
            _on_schedule,
            "The venue moved its schedule, or the row is of another zone: compare with its announcements.",
            Severity.WARN,
        ),
        one_of("interval_hours", INTERVALS),
        ordered("accrual_start", "accrual_end", strictly=True),
        same("accrual_end", "paid_at"),
        ordered("announced_at", "paid_at"),
        RowCheck(
            "interval_is_accrual",
            "interval_hours is the length of the accrual.",
            _interval_is_accrual,
            "The builder of payments is wrong.",
        ),
        RowCheck(
            "annual_is_simple",
            "rate_annual is rate * 8760 / interval_hours.",
            _annual_is_simple,
            "The builder of payments is wrong.",
        ),
        no_overlap("accrual_start", "accrual_end", by=_SERIES),
        gap_free("paid_at", by=_SERIES, hours="interval_hours"),
        within("rate", dict.fromkeys(("binance", "bitmex", "bybit"), (-LARGEST_RATE, LARGEST_RATE))),
        no_flat_tail("rate", by=_SERIES, value=0.0001, rows=_FLAT_PAYMENTS),
        not_frozen("rate", by=_SERIES, rows=12, allowed=_DEFAULT_RATES),
        replace(
            not_frozen("rate", by=_SERIES, rows=180),
            name="rate_not_dead",
            doc="No rate stands still for 180 payments, not even the default.",
            remedy="A market without trades: leave the stretch out of averages.",
        ),
        RowCheck(
            "rate_is_own",
            "A contract's rates are not, payment by payment, those of another contract of the same venue "
            "and base.",
            _rate_is_own,
            "The source served one contract's rates under another's name, or the venue ties them: compare "
            "with a second source before reading anything into their difference.",
            Severity.WARN,
        ),
        positive("perp_price"),
        not_frozen("perp_price", by=_SERIES, rows=5),
        no_jump("perp_price", by=_SERIES, factor=1.6),
        RowCheck(
            "price_near_others",
            "perp_price lies within 35 % of the day's median over all contracts of the base.",
            _price_near_others,
            "A price of another contract or in another unit: compare with spot.",
            Severity.WARN,
        ),
    ),
)


def _payments_fit(frame: pd.DataFrame, hours: float) -> pd.Series:
    """With hourly payments a window holds one an hour, and two more may reach into it from outside."""
    return (frame["n_payments"] >= 1) & (frame["n_payments"] <= hours + 1)


def _full_coverage(frame: pd.DataFrame) -> pd.Series:
    return frame["coverage"] >= 1.0 - 1e-9


def _grid_columns(period: str, unit: str) -> tuple[Column, ...]:
    return (
        Column(
            "rate_annual",
            "float64",
            f"Rate over the hours of the {period} that payments cover, times 8760 over those hours.",
            unit="fraction a year",
            low=-40.0,
            high=40.0,
        ),
        Column(
            "n_payments",
            "int32",
            f"Payments that accrued wholly or partly in the {period}.",
            unit="count",
            low=1,
        ),
        Column(
            "coverage",
            "float64",
            f"Share of the hours of the {period} that payments cover; nothing is filled.",
            unit=unit,
            low=0.0,
            high=1.0 + 1e-9,
        ),
    )


def _grid_checks(hours: float) -> tuple[RowCheck, ...]:
    return (
        finite("rate_annual"),
        positive("coverage"),
        RowCheck(
            "payments_fit",
            f"No more payments than {hours:g} hours can hold.",
            lambda frame: _payments_fit(frame, hours),
            "Payments were counted twice: look for overlapping accruals in core_funding_payments.",
        ),
        RowCheck(
            "fully_covered",
            "Payments cover all hours.",
            _full_coverage,
            "The first or last payment of a series, or a hole in it: leave the row out of averages.",
            Severity.WARN,
        ),
    )


CORE_FUNDING_8H = Contract(
    name="core_funding_8h",
    doc=(
        "Funding on the common grid of 00/08/16 UTC: each payment is spread evenly over the hours it "
        "accrued in, so that venues with other hours and intervals can be compared. Sums of rate_8h equal "
        "sums of payments."
    ),
    grain="one window of 8 hours of one symbol",
    key=("venue", "symbol", "window_end"),
    time="window_end",
    partition_by=("venue",),
    columns=(
        _VENUE,
        _SYMBOL,
        Column("window_end", "timestamp", "End of the window: 00:00, 08:00 or 16:00 UTC."),
        _BASE,
        Column(
            "rate_8h",
            "float64",
            "Funding that accrued in the window, positive when longs pay.",
            unit="fraction of notional per window",
            low=-0.1,
            high=0.1,
        ),
        *_grid_columns("window", "share of 8 hours"),
    ),
    checks=(
        on_grid("window_end", 8.0),
        *_grid_checks(8.0),
        gap_free("window_end", by=_SERIES, hours=8.0),
        agrees_across("rate_8h", "venue", at=("base", "window_end"), limit=0.003),
    ),
)

CORE_FUNDING_DAILY = Contract(
    name="core_funding_daily",
    doc=(
        "Funding by UTC day of accrual: a payment at 00:00 belongs to the day before, one at 04:00 for half "
        "of its eight hours."
    ),
    grain="one day of one symbol",
    key=("venue", "symbol", "day"),
    time="day",
    partition_by=("venue",),
    columns=(
        _VENUE,
        _SYMBOL,
        Column("day", "date", "UTC day in which the funding accrued."),
        _BASE,
        Column(
            "rate_day",
            "float64",
            "Funding that accrued on the day, positive when longs pay.",
            unit="fraction of notional a day",
            low=-0.3,
            high=0.3,
        ),
        *_grid_columns("day", "share of 24 hours"),
    ),
    checks=(
        *_grid_checks(24.0),
        gap_free("day", by=_SERIES, hours=24.0),
        agrees_across("rate_day", "venue", at=("base", "day"), limit=0.006),
    ),
)

TABLES: tuple[Contract, ...] = (CORE_FUNDING_PAYMENTS, CORE_FUNDING_8H, CORE_FUNDING_DAILY)
