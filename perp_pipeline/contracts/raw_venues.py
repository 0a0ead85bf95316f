"""Raw funding tables of the venues beside Binance and BitMEX: one form, and what each has of its own."""

from __future__ import annotations

from perp_pipeline.contracts.checks import gap_free, on_grid, one_of, positive
from perp_pipeline.contracts.model import Column, Contract, RowCheck, Severity
from perp_pipeline.contracts.raw_funding import INTERVALS

_SOURCE = (
    Column("source_url", "string", "Address that the body came from."),
    Column(
        "download_sha256",
        "string",
        "SHA-256 of the body, in hex; Bybit's and Deribit's as sorted JSON without the time of answer.",
    ),
)


def _funding_table(
    name: str, doc: str, rate: str, limit: float, *own: Column, checks: tuple[RowCheck, ...] = ()
) -> Contract:
    return Contract(
        name=name,
        doc=doc,
        grain="one payment of one symbol",
        key=("symbol", "timestamp"),
        time="timestamp",
        # Months before the first listing, and holes in the history that a mirror has.
        may_be_empty=True,
        columns=(
            Column("symbol", "string", "The venue's symbol."),
            Column("timestamp", "timestamp", "When the rate was paid; may be late by milliseconds."),
            Column(
                "interval_hours",
                "float64",
                "Interval that the venue documents for the time; null where it has none.",
                unit="hours",
                nullable=True,
            ),
            Column("rate", "float64", rate, unit="fraction of notional per payment", low=-limit, high=limit),
            *own,
            *_SOURCE,
        ),
        checks=(
            on_grid("timestamp", 1.0, tolerance_seconds=60.0, severity=Severity.WARN),
            one_of("interval_hours", INTERVALS),
            gap_free("timestamp", by=("symbol",), hours=8.0, slack_seconds=60.0),
            *checks,
        ),
    )


_PAID = "Rate paid at this time, positive when longs pay shorts."

RAW_HYPERLIQUID_FUNDING = _funding_table(
    "raw_hyperliquid_funding",
    "Funding payments of Hyperliquid perpetuals, from POST /info fundingHistory: every 8 hours to "
    "2023-06-08 00:00, every hour since.",
    _PAID,
    0.04,
    Column(
        "premium",
        "float64",
        "Average premium of the interval, as the venue prints it beside the rate; null where it does not.",
        unit="fraction of the index price",
        nullable=True,
        low=-0.5,
        high=0.5,
    ),
)

RAW_BYBIT_FUNDING = _funding_table(
    "raw_bybit_funding",
    "Funding payments of Bybit linear perpetuals, from REST /v5/market/funding/history.",
    _PAID,
    0.04,
)

RAW_DERIBIT_FUNDING = _funding_table(
    "raw_deribit_funding",
    "Funding of Deribit perpetuals by hour, from REST /public/get_funding_rate_history. It accrues "
    "continuously; the hour's sum is its interest_1h.",
    "What accrued in the hour before this time (interest_1h), positive when longs pay shorts.",
    0.04,
    Column(
        "interest_8h",
        "float64",
        "What accrued in the eight hours before: overlapping from row to row, never to be summed.",
        unit="fraction of notional per 8 hours",
    ),
    Column("index_price", "float64", "Index at this time.", unit="USD per unit of base"),
    checks=(positive("index_price"),),
)

TABLES: tuple[Contract, ...] = (RAW_HYPERLIQUID_FUNDING, RAW_BYBIT_FUNDING, RAW_DERIBIT_FUNDING)
