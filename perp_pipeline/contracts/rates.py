"""The CME curve, the rates it implies, and reference rates."""

from __future__ import annotations

import pandas as pd

from perp_pipeline.contracts.checks import increasing, positive, run_lengths, within
from perp_pipeline.contracts.model import Column, Contract, RowCheck, Severity
from perp_pipeline.contracts.raw_lending import LENDING_SERIES

METHODS = ("calendar_x12", "calendar", "front_basis", "second_basis", "cm30")

_CURVE_KEY = ("product", "trade_date", "rank")


def _expiries_in_order(frame: pd.DataFrame) -> pd.Series:
    before = frame.shift()
    same_day = (frame["product"] == before["product"]) & (frame["trade_date"] == before["trade_date"])
    return ~same_day | ((frame["rank"] == before["rank"] + 1) & (frame["expiry"] > before["expiry"]))


def _near_spot(frame: pd.DataFrame) -> pd.Series:
    basis = frame["settle"] / frame["spot_at_settle"] - 1
    return basis.isna() | (basis.abs() < 0.03 + 0.5 * frame["days_to_expiry"] / 365)


def _bill_not_frozen(frame: pd.DataFrame) -> pd.Series:
    moved: pd.Series = (run_lengths(frame, "rate_annual", ("series",)) < 20) | (frame["series"] != "DTB3")
    return moved


CORE_CME_CURVE = Contract(
    name="core_cme_curve",
    doc=(
        "First and second month of CME bitcoin futures by trade date, with the contract, its last trading "
        "day and the spot price of the hour of the settlement in Chicago. Rows that carry another "
        "session's price are left out."
    ),
    grain="one contract on one trade date",
    key=_CURVE_KEY,
    time="trade_date",
    columns=(
        Column("product", "string", "Product code."),
        Column("trade_date", "date", "Chicago trade date."),
        Column(
            "rank",
            "int32",
            "1 for the nearest contract that the source quotes, 2 for the next.",
            low=1,
            high=2,
        ),
        Column("contract", "string", "Product, month letter and two digits of the year: BTCZ24."),
        Column("expiry", "date", "Last trading day; trading ends at 16:00 London."),
        Column("settle", "float64", "Settlement price.", unit="USD per bitcoin", low=500, high=10_000_000),
        Column(
            "spot_at_settle",
            "float64",
            "Last spot price before the settlement (15:00 Chicago; 12:00 on days that close early).",
            unit="USD per bitcoin (USDT where spot_venue is binance)",
            nullable=True,
            low=500,
            high=10_000_000,
        ),
        Column("spot_venue", "string", "Venue of spot_at_settle.", nullable=True),
        Column(
            "days_to_expiry",
            "float64",
            "From the settlement to 16:00 London on the last trading day.",
            unit="days",
            low=0,
            high=70,
        ),
    ),
    checks=(
        positive("settle", "days_to_expiry"),
        RowCheck(
            "ranks_by_expiry",
            "Ranks of a trade date count up with the expiry, without a hole.",
            _expiries_in_order,
            "A contract is missing or named twice: look at the source file's row of that date.",
        ),
        RowCheck(
            "settle_near_spot",
            "The basis is inside 3 % plus 50 % a year.",
            _near_spot,
            "Another session's price, a wrong contract, or a day like 9 November 2022: ask a second source.",
            Severity.WARN,
        ),
        RowCheck(
            "spot_present",
            "There is a spot price for the settlement.",
            lambda frame: frame["spot_at_settle"].notna(),
            "No venue has the hour's candle: rates that need spot are missing on that date.",
            Severity.WARN,
        ),
        RowCheck(
            "weekday",
            "Trade dates are Monday to Friday.",
            lambda frame: frame["trade_date"].dt.day_of_week < 5,
            "The file's dates are not trade dates: check its time zone.",
        ),
    ),
)

CORE_CME_IMPLIED = Contract(
    name="core_cme_implied",
    doc=(
        "Interest rates implied by the CME curve. calendar_x12 = (F2/F1 - 1) * 12; "
        "calendar = (F2/F1 - 1) * 365 / (T2 - T1); front_basis and second_basis = (F/S - 1) * 365 / T; "
        "cm30 = log basis interpolated to 30 days, annualised."
    ),
    grain="one method on one trade date",
    key=("product", "trade_date", "method"),
    time="trade_date",
    columns=(
        Column("product", "string", "Product code."),
        Column("trade_date", "date", "Chicago trade date."),
        Column("method", "string", "How the rate is taken from the curve.", values=METHODS),
        Column(
            "rate_annual",
            "float64",
            "Implied rate, positive when the future is above spot (or the second above the first).",
            unit="fraction a year",
            low=-10,
            high=10,
        ),
    ),
    checks=(
        within(
            "rate_annual",
            {
                "calendar_x12": (-1.0, 1.0),
                "calendar": (-1.0, 1.0),
                "second_basis": (-1.0, 1.0),
                "cm30": (-1.0, 1.0),
                "front_basis": (-2.0, 2.0),
            },
            by="method",
            severity=Severity.WARN,
        ),
    ),
)

CORE_REFERENCE_RATES = Contract(
    name="core_reference_rates",
    doc=(
        "Rates by day. DTB3 is turned from a bank discount d on 91 days into a bond-equivalent yield, "
        "365 d / (360 - 91 d); DFF is as published (simple, on a 360-day year). Lending rates on chain "
        "(protocol, asset, supply or variable borrow) are means of the day's observations, as the source "
        "states them: Compound and Aave v1, v2 do not say whether they compound, Aave v3 does. Days without "
        "an observation, or with less than half of a series' usual number, are left out."
    ),
    grain="one day of one series",
    key=("series", "day"),
    time="day",
    columns=(
        Column(
            "series",
            "string",
            "FRED's name of the series, or protocol, asset and side of a lending rate.",
            values=("DTB3", "DFF", *LENDING_SERIES),
        ),
        Column("day", "date", "Day of the observation."),
        Column("rate_annual", "float64", "The rate.", unit="fraction a year", low=-0.02, high=2.0),
    ),
    checks=(
        increasing("day", by=("series",)),
        within("rate_annual", {"DFF": (0.0, 0.25), "DTB3": (-0.005, 0.2)}, by="series"),
        RowCheck(
            "bill_not_frozen",
            "DTB3 does not repeat one value 20 observations in a row (federal funds may, between meetings).",
            _bill_not_frozen,
            "Forward filling at the source: leave the run out.",
            Severity.WARN,
        ),
        RowCheck(
            "steps_below_one_point",
            "A rate of FRED moves by less than one point from one observation to the next.",
            lambda frame: (
                ~frame["series"].isin(["DTB3", "DFF"])
                | (frame["series"] != frame["series"].shift())
                | (frame["rate_annual"].diff().abs() < 0.01)
            ),
            "A unit slip, or an emergency decision such as 16 March 2020.",
            Severity.WARN,
        ),
    ),
)

TABLES = (CORE_CME_CURVE, CORE_CME_IMPLIED, CORE_REFERENCE_RATES)
