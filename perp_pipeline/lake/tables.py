"""Between frames, Arrow tables and Parquet bytes, by the contract's schema."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from perp_pipeline.contracts.model import Contract
from perp_pipeline.lake.errors import SchemaMismatch
from perp_pipeline.lake.paths import MONTH, NO_VALUE, PartitionKey


def to_arrow(contract: Contract, frame: pd.DataFrame) -> pa.Table:
    """Cast a frame to the contract's Arrow schema and sort it by key.

    Raises:
        SchemaMismatch: a column is missing, unknown or not of its type; the message names it.
    """
    expected = [column.name for column in contract.columns]
    missing = [name for name in expected if name not in frame.columns]
    unknown = [name for name in frame.columns if name not in expected]
    if missing or unknown:
        raise SchemaMismatch(
            f"{contract.name}: "
            + "; ".join(
                part
                for part in (
                    f"missing column(s) {', '.join(missing)}" if missing else "",
                    f"column(s) {', '.join(map(str, unknown))} not in the contract" if unknown else "",
                )
                if part
            )
            + ". Remedy: make the builder return the contract's columns, or declare the column in contracts/."
        )
    arrays = [_array(contract, name, frame[name]) for name in expected]
    table = pa.Table.from_arrays(arrays, schema=_all_nullable(contract.schema))
    return in_order(contract, table)


def in_order(contract: Contract, table: pa.Table) -> pa.Table:
    """The table sorted by key; itself where it is."""
    if _ascends(contract, table):
        return table
    return table.sort_by([(name, "ascending") for name in contract.key])


def to_frame(table: pa.Table) -> pd.DataFrame:
    """Pandas frame of an Arrow table: dates as naive midnights, text as ``str``."""
    frame: pd.DataFrame = table.to_pandas(date_as_object=False)
    for field in table.schema:
        if pa.types.is_date(field.type):
            frame[field.name] = frame[field.name].astype("datetime64[us]")
    return frame


def split(contract: Contract, table: pa.Table) -> Iterator[tuple[PartitionKey, pa.Table]]:
    """The table's partitions in order, each still with all columns, rows in the table's order."""
    if not contract.partition_by and contract.time is None:
        yield PartitionKey(), table
        return
    alone = _only_partition(contract, table)
    if alone is not None:
        yield alone, table.combine_chunks()
        return
    levels = {name: table.column(name).to_pandas() for name in contract.partition_by}
    if contract.time is not None:
        levels[MONTH] = months_of(contract, table)
    groups = pd.DataFrame(levels).fillna(NO_VALUE).groupby(list(levels), sort=True, observed=True).indices
    parts = sorted(groups.items(), key=lambda item: item[0])
    if not parts:
        return
    # One gather for all partitions, then views of it: a gather for each costs more than all else here.
    grouped = table.take(pa.array(np.concatenate([np.sort(rows) for _, rows in parts]))).combine_chunks()
    start = 0
    for values, rows in parts:
        texts = values if isinstance(values, tuple) else (values,)
        key = PartitionKey(tuple(zip(levels, map(str, texts), strict=True)))
        yield key, grouped.slice(start, len(rows))
        start += len(rows)


def _only_partition(contract: Contract, table: pa.Table) -> PartitionKey | None:
    """The partition that all rows lie in; None where there are several, or a row lacks what names it."""
    values = []
    for name in contract.partition_by:
        bounds = _bounds(table.column(name))
        if bounds is None or bounds[0] != bounds[1]:
            return None
        values.append((name, str(bounds[0])))
    if contract.time is not None:
        bounds = _bounds(table.column(contract.time))
        if bounds is None or f"{bounds[0]:%Y-%m}" != f"{bounds[1]:%Y-%m}":
            return None
        values.append((MONTH, f"{bounds[0]:%Y-%m}"))
    return PartitionKey(tuple(values))


def _bounds(column: pa.ChunkedArray) -> tuple[Any, Any] | None:
    """Least and largest value; None where there is none, or a null."""
    if len(column) == 0 or column.null_count:
        return None
    found = pc.min_max(column).as_py()
    return found["min"], found["max"]


def _ascends(contract: Contract, table: pa.Table) -> bool:
    """Whether rows ascend by key, repeated keys allowed; False where a part of a key is missing."""
    if any(table.column(name).null_count for name in contract.key):
        return False
    ties: pa.ChunkedArray | None = None
    for name in contract.key:
        before, after = table.column(name)[:-1], table.column(name)[1:]
        falls = pc.less(after, before)
        if pc.any(falls if ties is None else pc.and_(ties, falls)).as_py():
            return False
        same = pc.equal(after, before)
        ties = same if ties is None else pc.and_(ties, same)
    return True


def months_of(contract: Contract, table: pa.Table) -> pd.Series:
    """``YYYY-MM`` of each row's time column."""
    months = pc.floor_temporal(table.column(contract.time), unit="month")
    coded = months.combine_chunks().dictionary_encode()
    return pc.strftime(coded.dictionary, format="%Y-%m").take(coded.indices).to_pandas()


def to_parquet(contract: Contract, table: pa.Table, *, audited: bool = True) -> bytes:
    """Parquet bytes without the columns that the path carries. The same table gives the same bytes.

    Args:
        audited: write the contract's non-null fields as such; a rejected table may have nulls in them.
    """
    fields = [field for field in contract.schema if field.name not in contract.partition_by]
    schema = pa.schema(fields, metadata=contract.schema.metadata)
    if not audited:
        schema = _all_nullable(schema)
    sink = pa.BufferOutputStream()
    pq.write_table(
        table.select([field.name for field in fields]).cast(schema),
        sink,
        compression="zstd",
        version="2.6",
        data_page_version="1.0",
        write_statistics=True,
    )
    return bytes(sink.getvalue().to_pybytes())


def _array(contract: Contract, name: str, values: pd.Series) -> pa.Array:
    column = contract.column(name)
    target = column.arrow.type
    try:
        array = pa.Array.from_pandas(values)
        if isinstance(array, pa.ChunkedArray):
            array = array.combine_chunks()
        if pa.types.is_dictionary(array.type):
            array = array.dictionary_decode()
        if pa.types.is_floating(target) and pa.types.is_integer(array.type):
            return array.cast(target, safe=False)
        return array.cast(target)
    except (pa.ArrowInvalid, pa.ArrowTypeError, pa.ArrowNotImplementedError) as error:
        raise SchemaMismatch(
            f"{contract.name}.{name}: cannot be stored as {column.kind} ({error}). "
            "Remedy: mend the source row or the builder that made this column."
        ) from error


def _all_nullable(schema: pa.Schema) -> pa.Schema:
    # Nulls are the checks' business: they name the rows, a schema error would not.
    return pa.schema([field.with_nullable(True) for field in schema], metadata=schema.metadata)
