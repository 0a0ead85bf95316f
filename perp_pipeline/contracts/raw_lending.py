"""Raw tables of what lending in pools on chain pays: a pinned history, and DefiLlama for later dates."""

from __future__ import annotations

import pandas as pd

from perp_pipeline.contracts.checks import increasing
from perp_pipeline.contracts.model import Column, Contract, RowCheck, Severity
from perp_pipeline.contracts.raw_prices import DOWNLOAD_SHA256, SOURCE_URL

LENDING_SERIES = (
    "compound_usdc_supply",
    "compound_usdc_borrow",
    "aave_v1_usdc_supply",
    "aave_v1_usdc_borrow",
    "aave_v2_usdc_supply",
    "aave_v2_usdc_borrow",
    "aave_v3_usdc_supply",
    "aave_v3_weth_supply",
    "aave_v3_wbtc_supply",
)
"""Series of lending rates: protocol, asset, and whether depositors earn it or borrowers (variable) pay it."""


def _borrowing_costs_more(frame: pd.DataFrame) -> pd.Series:
    """At every moment a protocol's borrowers pay at least what its depositors earn.

    Aave v1 and v2 are left out: their depositors also earn what loans at stable, higher rates pay.
    """
    split = frame["series"].str.rsplit("_", n=1)
    sided = pd.DataFrame(
        {"pool": split.str[0], "time": frame["time"], "side": split.str[1], "rate": frame["rate"]}
    )
    wide = sided.pivot_table(index=["pool", "time"], columns="side", values="rate")
    if not {"borrow", "supply"} <= set(wide.columns):
        return pd.Series(True, index=frame.index)
    stable_loans = wide.index.get_level_values("pool").str.startswith(("aave_v1", "aave_v2"))
    bad = (wide["supply"] > wide["borrow"]) & ~stable_loans
    at = pd.MultiIndex.from_frame(sided[["pool", "time"]])
    return pd.Series(~bad.reindex(at).to_numpy(dtype=bool), index=frame.index)


RAW_LENDING_RATES = Contract(
    name="raw_lending_rates",
    doc=(
        "Lending rates of Compound and Aave read from the chain every 300 blocks (67 minutes), out of a "
        "pinned public copy. The copy prints annual fractions and does not say whether they compound (APY) "
        "or not (APR): at 6 % a year the two differ by 0.18 points."
    ),
    grain="one series at one block",
    key=("series", "time"),
    time="time",
    columns=(
        Column("series", "string", "Protocol, asset and side."),
        Column("time", "timestamp", "Time of the block."),
        Column("rate", "float64", "The rate in force.", unit="fraction a year", low=0.0, high=2.0),
        SOURCE_URL,
        DOWNLOAD_SHA256,
    ),
    may_be_empty=True,
    checks=(
        increasing("time", by=("series",)),
        RowCheck(
            "borrowing_costs_more",
            "Borrowers pay at least what depositors earn (but for Aave v1 and v2, which have stable rates).",
            _borrowing_costs_more,
            "The columns of the copy are mapped wrongly, or the protocol has loans at other rates as well.",
            Severity.WARN,
        ),
    ),
)

RAW_DEFILLAMA_YIELDS = Contract(
    name="raw_defillama_yields",
    doc=(
        "Yields of lending pools as DefiLlama charts them, about once a day at irregular times. Percent, "
        "and compounded (APY) by DefiLlama's own account."
    ),
    grain="one observation of one pool",
    key=("pool", "time"),
    time="time",
    columns=(
        Column("pool", "string", "DefiLlama's identifier of the pool."),
        Column("series", "string", "Name of the series in core_reference_rates."),
        Column("time", "timestamp", "When DefiLlama looked."),
        Column("apy", "float64", "Yield with rewards.", unit="percent a year", nullable=True),
        Column("apy_base", "float64", "Yield without rewards.", unit="percent a year", nullable=True),
        Column("apy_reward", "float64", "Part that rewards pay.", unit="percent a year", nullable=True),
        Column("tvl_usd", "float64", "Value locked.", unit="USD", nullable=True, low=0.0),
        SOURCE_URL,
        Column(
            "download_sha256",
            "string",
            "SHA-256, in hex, of the chart's rows of the month: a later chart says the same of it.",
        ),
    ),
    may_be_empty=True,
    checks=(
        increasing("time", by=("pool",)),
        RowCheck(
            "yield_in_range",
            "The yield lies between -5 % and 200 % a year.",
            lambda frame: frame["apy"].isna() | frame["apy"].between(-5.0, 200.0),
            "A broken reading at DefiLlama: compare with the protocol's own page.",
            Severity.WARN,
        ),
    ),
)

TABLES: tuple[Contract, ...] = (RAW_LENDING_RATES, RAW_DEFILLAMA_YIELDS)
