"""Tables to a file or to standard output, for people and for other programs."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import BinaryIO

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
import pyarrow.parquet

_ROWS_AT_ONCE = 10_000


def write_table(table: pa.Table, form: str, output: Path | None = None) -> None:
    """Write a table as csv, json (one object per line, ISO times) or parquet; numbers in full.

    Args:
        output: a file; standard output by default.
    """
    if output is None:
        _write(table, form, sys.stdout.buffer)
        sys.stdout.buffer.flush()
        return
    with output.open("wb") as file:
        _write(table, form, file)


def _write(table: pa.Table, form: str, sink: BinaryIO) -> None:
    if form == "parquet":
        pyarrow.parquet.write_table(table, sink, compression="zstd")
    elif form == "json":
        for batch in _readable(table).to_batches(max_chunksize=_ROWS_AT_ONCE):
            lines = (json.dumps(row, ensure_ascii=False) for row in batch.to_pylist())
            sink.writelines(f"{line}\n".encode() for line in lines)
    else:
        pyarrow.csv.write_csv(table, sink)


def _readable(table: pa.Table) -> pa.Table:
    """The table with its times and dates as ISO 8601 text."""
    for place, field in enumerate(table.schema):
        if pa.types.is_temporal(field.type):
            form = "%Y-%m-%d" if pa.types.is_date(field.type) else "%Y-%m-%dT%H:%M:%SZ"
            table = table.set_column(place, field.name, pc.strftime(table.column(place), format=form))
    return table
