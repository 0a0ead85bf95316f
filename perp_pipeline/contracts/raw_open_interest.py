"""Raw table of open interest by side."""

from __future__ import annotations

from perp_pipeline.contracts.checks import increasing
from perp_pipeline.contracts.model import Column, Contract, RowCheck, Severity
from perp_pipeline.contracts.raw_prices import DOWNLOAD_SHA256, SOURCE_URL

RAW_GMX_OPEN_INTEREST = Contract(
    name="raw_gmx_open_interest",
    doc=(
        "Open interest of GMX v1 by day and chain, all assets together; the pool of liquidity providers is "
        "the other side of every position. DERIVED, not downloaded from the venue: read off the plots of "
        "public notebooks (coindataschool/GMX). Where the notebooks print a row, longs and shorts are off "
        "by less than 3e-6; 11 days are interpolated, at worst by 0.13 %."
    ),
    grain="one chain on one day",
    key=("chain", "day"),
    time="day",
    columns=(
        Column("chain", "string", "Chain of the deployment: arbitrum or avalanche."),
        Column("day", "date", "Day as the source prints it."),
        Column("long_usd", "float64", "Longs.", unit="USD", low=0.0),
        Column("short_usd", "float64", "Shorts.", unit="USD", low=0.0),
        SOURCE_URL,
        DOWNLOAD_SHA256,
    ),
    may_be_empty=True,
    checks=(
        increasing("day", by=("chain",)),
        RowCheck(
            "some_interest",
            "Longs and shorts together are above zero.",
            lambda frame: frame["long_usd"] + frame["short_usd"] > 0,
            "A day on which the source has nothing: leave it out.",
            Severity.WARN,
        ),
    ),
)

TABLES: tuple[Contract, ...] = (RAW_GMX_OPEN_INTEREST,)
