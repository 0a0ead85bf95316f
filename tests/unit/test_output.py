"""What ``perp read`` writes: every digit, every null, in every form."""

from __future__ import annotations

import io
import json
from datetime import UTC, date, datetime
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pytest

from perp_pipeline.output import write_table

TABLE = pa.table(
    {
        "name": pa.array(["a", 'with "quotes"']),
        "at": pa.array([datetime(2020, 1, 1, 0, 0, 0, 47_000, tzinfo=UTC), None], pa.timestamp("us", "UTC")),
        "day": pa.array([date(2020, 1, 31), None], pa.date32()),
        "rate": pa.array([7.640992873514812e-06, None]),
        "n": pa.array([3, None], pa.int64()),
        "headline": pa.array([True, False]),
    }
)


def test_json_keeps_every_digit_of_small_rates(tmp_path: Path) -> None:
    write_table(TABLE, "json", tmp_path / "t.json")
    first, second = (json.loads(line) for line in (tmp_path / "t.json").read_text().splitlines())
    assert first == {
        "name": "a",
        "at": "2020-01-01T00:00:00.047000Z",
        "day": "2020-01-31",
        "rate": 7.640992873514812e-06,
        "n": 3,
        "headline": True,
    }
    assert second == {
        "name": 'with "quotes"', "at": None, "day": None, "rate": None, "n": None, "headline": False,
    }  # fmt: skip


@pytest.mark.parametrize("form", ["csv", "parquet"])
def test_the_other_forms_keep_them_too(form: str, tmp_path: Path) -> None:
    write_table(TABLE, form, tmp_path / "t")
    content = io.BytesIO((tmp_path / "t").read_bytes())
    frame = pd.read_csv(content) if form == "csv" else pd.read_parquet(content)
    assert frame["rate"].iloc[0] == 7.640992873514812e-06 and frame["rate"].isna().iloc[1]
    assert frame["n"].iloc[0] == 3 and frame["name"].iloc[1] == 'with "quotes"'
