"""Every table of the pipeline, declared once."""

from __future__ import annotations

from functools import cache
from importlib import import_module

from perp_pipeline.contracts.model import Column, Contract, RowCheck, Severity

MODULES = (
    "raw_funding",
    "raw_venues",
    "raw_prices",
    "raw_lending",
    "raw_open_interest",
    "raw_declared",
    "funding",
    "premium",
    "prices",
    "rates",
    "delivery",
    "amm",
    "amm_subgraph",
    "results",
    "claim_parts",
    "research",
    "positions",
    "fair_funding",
)
"""Modules of this package that declare tables, each in a tuple ``TABLES``."""


@cache
def tables() -> dict[str, Contract]:
    """Contracts by name, in the order of :data:`MODULES`."""
    declared = [table for module in MODULES for table in import_module(f"{__name__}.{module}").TABLES]
    by_name = {table.name: table for table in declared}
    if len(by_name) != len(declared):
        raise ValueError("a table is declared twice")
    return by_name


def funding_of_venues() -> tuple[str, ...]:
    """Raw tables named raw_{venue}_funding: all of them flow into core_funding_payments."""
    return tuple(name for name in tables() if name.startswith("raw_") and name.endswith("_funding"))


def get(name: str) -> Contract:
    """The contract of a table.

    Raises:
        KeyError: no such table; the message lists those that there are.
    """
    try:
        return tables()[name]
    except KeyError:
        raise KeyError(f"no table {name!r}; there are {', '.join(tables())}") from None


__all__ = ["Column", "Contract", "RowCheck", "Severity", "funding_of_venues", "get", "tables"]
