"""Tables to a file or to standard output, for people and for other programs."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import BinaryIO

import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet

from perp_pipeline.lake.tables import to_frame


def write_table(table: pa.Table, form: str, output: Path | None = None) -> None:
    """Write a table as csv, json (one object per line, ISO times) or parquet.

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
        lines = to_frame(table).to_json(orient="records", lines=True, date_format="iso", date_unit="us")
        sink.write(lines.encode())
    else:
        pyarrow.csv.write_csv(table, sink)
