"""The claims register on terminals of every width."""

from __future__ import annotations

import io

import pandas as pd
import pytest
import report_frames
import report_results
from rich.console import Console

from perp_pipeline.claims_terminal import claims_table, parts_table


def _printed(table: object, width: int) -> str:
    console = Console(width=width, file=io.StringIO(), color_system=None)
    console.print(table)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


@pytest.mark.parametrize("width", [80, 100, 119, 120, 160])
def test_what_was_published_stands_beside_ours_at_every_width(width: int) -> None:
    text = _printed(claims_table(report_frames.claims(), width), width)
    assert max(len(line) for line in text.splitlines()) <= width
    for told in ("published", "10 points", "9.1 % a year", "7.0 to 11.2", "10.95 % a year", "-0.48 bp"):
        assert told in text, told
    assert "by: the other number" in text
    assert text.count("by:") == 1


@pytest.mark.parametrize("width", [80, 160])
def test_numbers_of_a_claim_and_their_routes(width: int) -> None:
    parts = report_results.claim_parts()
    parts = parts[parts["claim_id"] == 10]
    later = pd.Timestamp("2021-03-01", tz="UTC")
    parts.loc[parts["variant"] == 1, "window_start"] = later
    text = _printed(parts_table(parts, width), width)
    assert "above 10 %" in text
    assert "  with 30 lags" in text
    assert "14.6 %" in text
    assert "9.6 to 19.6" in text
    assert "2021-03-01" in text


def test_a_lake_of_an_earlier_version_has_no_deciding_number() -> None:
    claims = report_frames.claims().assign(decided_by=None)
    assert "by:" not in _printed(claims_table(claims, 80), 80)
    assert "by:" not in _printed(claims_table(claims.drop(columns="decided_by"), 160), 160)
