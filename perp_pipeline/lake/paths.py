"""Where things lie in a lake: ``{lake}/{layer}/{table}/venue=.../month=YYYY-MM/part-0.parquet``."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from urllib.parse import quote, unquote

from upath import UPath

from perp_pipeline.contracts.model import Contract
from perp_pipeline.months import Month

PART = "part-0.parquet"
MONTH = "month"
NO_VALUE = "__HIVE_DEFAULT_PARTITION__"
"""Hive's directory name for a missing value; only rejected rows can have one."""


@dataclass(frozen=True, order=True)
class PartitionKey:
    """The hive values of one file, in directory order; empty for a table written whole."""

    values: tuple[tuple[str, str], ...] = ()

    @property
    def month(self) -> Month | None:
        """The month, where the table is partitioned by time."""
        text = dict(self.values).get(MONTH, NO_VALUE)
        return None if text == NO_VALUE else Month.parse(text)

    def matches(self, scope: Mapping[str, Collection[str]]) -> bool:
        """True where each value of the partition is among those that ``scope`` allows for its name."""
        return all(value in scope[name] for name, value in self.values if name in scope)

    def __str__(self) -> str:
        return "/".join(f"{name}={quote(value, safe='')}" for name, value in self.values)


def table_directory(root: UPath, contract: Contract) -> UPath:
    """Directory of one table."""
    return root / contract.layer / contract.name


def partition_file(root: UPath, contract: Contract, key: PartitionKey) -> UPath:
    """The Parquet file of one partition."""
    directory = table_directory(root, contract)
    for name, value in key.values:
        directory = directory / f"{name}={quote(value, safe='')}"
    return directory / PART


def parse_partition(directory: UPath, file: UPath) -> PartitionKey:
    """The partition that a file below a table's directory belongs to."""
    names = file.parts[len(directory.parts) : -1]
    pairs = (name.partition("=") for name in names)
    return PartitionKey(tuple((name, unquote(value)) for name, _, value in pairs))


def partition_names(contract: Contract) -> tuple[str, ...]:
    """Directory levels of a table, outermost first."""
    return (*contract.partition_by, *((MONTH,) if contract.time else ()))
