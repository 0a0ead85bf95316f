"""The vocabulary of a table declaration: columns, checks, contracts.

A contract is the only place where a table's columns, units, keys and expectations are written down.
The Arrow schema, the Great Expectations suite, Dagster's column schema, docs/tables and `perp tables`
are all derived from it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum

import pandas as pd
import pyarrow as pa

ARROW_TYPES: dict[str, pa.DataType] = {
    "string": pa.string(),
    "float64": pa.float64(),
    "int64": pa.int64(),
    "int32": pa.int32(),
    "bool": pa.bool_(),
    "timestamp": pa.timestamp("us", tz="UTC"),
    "date": pa.date32(),
    "uint256": pa.string(),
}
"""Column kinds a contract may use. ``uint256`` is an exact integer printed in decimal."""


class Severity(StrEnum):
    """What a failing check does: ``error`` blocks the commit, ``warn`` only reports."""

    ERROR = "error"
    WARN = "warn"


@dataclass(frozen=True)
class Column:
    """One column: type, unit, meaning and the bounds each of its values must respect.

    Attributes:
        kind: a key of :data:`ARROW_TYPES`.
        unit: what one of the numbers means ("fraction a year", "USD", "hours"); empty for names and times.
        low, high: inclusive bounds of every value.
        values: the closed vocabulary of a text column.
    """

    name: str
    kind: str
    doc: str
    unit: str = ""
    nullable: bool = False
    low: float | None = None
    high: float | None = None
    values: tuple[str, ...] = ()

    @property
    def arrow(self) -> pa.Field:
        """Arrow field with description and unit in its metadata."""
        metadata = {"description": self.doc} | ({"unit": self.unit} if self.unit else {})
        return pa.field(self.name, ARROW_TYPES[self.kind], nullable=self.nullable, metadata=metadata)


@dataclass(frozen=True)
class RowCheck:
    """An expectation that a domain expert would write, judged row by row.

    Attributes:
        name: stable identifier, unique inside its table.
        passes: pure function from the table (pandas, sorted by key) to a boolean Series on the same
            index, True where the row is good.
        remedy: what a person should do about a row that fails.
    """

    name: str
    doc: str
    passes: Callable[[pd.DataFrame], pd.Series]
    remedy: str
    severity: Severity = Severity.ERROR


@dataclass(frozen=True)
class Contract:
    """A table: what a row is, its key, its columns and what must hold.

    Attributes:
        name: ``{layer}_{subject}``; the layer is raw, core or out.
        grain: what one row is.
        key: columns that identify a row; rows are unique by it and sorted by it.
        time: the column whose UTC month is the partition, or None for a table written whole.
        partition_by: columns that become hive directories above ``month=`` (kept in the path only).
        may_be_empty: an empty table is a legitimate result.
        large: it is read and written one month at a time, so that memory is bounded by a month.
    """

    name: str
    doc: str
    grain: str
    key: tuple[str, ...]
    columns: tuple[Column, ...]
    time: str | None = None
    partition_by: tuple[str, ...] = ()
    checks: tuple[RowCheck, ...] = ()
    may_be_empty: bool = False
    large: bool = False
    _by_name: dict[str, Column] = field(init=False, repr=False, compare=False, hash=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_by_name", {column.name: column for column in self.columns})
        for name in (*self.key, *self.partition_by, *([self.time] if self.time else [])):
            if name not in self._by_name:
                raise ValueError(f"{self.name}: {name!r} is used as a key but is not a column")
        if len(self._by_name) != len(self.columns):
            raise ValueError(f"{self.name}: a column is declared twice")

    @property
    def layer(self) -> str:
        """raw, core or out."""
        return self.name.split("_", 1)[0]

    @property
    def subject(self) -> str:
        """The name without its layer."""
        return self.name.split("_", 1)[1]

    def column(self, name: str) -> Column:
        """The declaration of one column."""
        return self._by_name[name]

    @property
    def schema(self) -> pa.Schema:
        """Arrow schema; table and column descriptions and units are in the metadata."""
        metadata = {
            "table": self.name,
            "description": self.doc,
            "grain": self.grain,
            "key": ",".join(self.key),
        }
        return pa.schema([column.arrow for column in self.columns], metadata=metadata)
