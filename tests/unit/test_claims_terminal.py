"""The claims register on terminals of every width."""

from __future__ import annotations

import io
from pathlib import Path

import pandas as pd
import pytest
import report_frames
import report_results
from rich.console import Console

from perp_pipeline.claim_explained import print_explanation
from perp_pipeline.claims_terminal import claims_table, parts_table, print_claims
from perp_pipeline.report.claim_numbers import own_numbers
from perp_pipeline.research.claims import explain, register
from perp_pipeline.research.claims.prose import reflowed
from perp_pipeline.settings import Settings


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
    assert "verdict by: the other number" in " ".join(text.split())
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


def _numbers() -> pd.DataFrame:
    """out_claim_parts: claim 1 has two published numbers and a shown one, claim 46 one of two."""
    rows = [
        (1, 1, 0, "Binance less CME", "10 %"),
        (1, 1, 1, "Binance less CME", "10 %"),
        (1, 2, 0, "the other number", "10 %"),
        (3, 1, 0, "a sum", "10.95 %"),
        (3, 2, 0, "only shown", None),
        (46, 1, 0, "profit in 2024", "0.71 bp"),
    ]
    return pd.DataFrame(rows, columns=["claim_id", "part", "variant", "label", "published"])


def test_of_several_published_numbers_ours_is_named() -> None:
    claims = report_frames.claims()
    own = own_numbers(claims, _numbers())
    assert own == {1: "Binance less CME (published: 10 %)"}
    claims.loc[claims["claim_id"] == 46, "published"] = "-0.48 bp; +0.71 bp"
    side = _numbers()
    side.loc[side["claim_id"] == 1, "published"] = "above 0"
    assert own_numbers(claims, side)[1] == "Binance less CME"
    own = own_numbers(claims, _numbers())
    assert own[46] == "profit in 2024 (published: 0.71 bp)"
    for width in (80, 160):
        text = " ".join(_printed(claims_table(claims, width, own), width).split())
        assert text.count("ours: ") == 2
        assert "ours: Binance less" in text


def test_paragraphs_are_reflowed_and_lists_are_not() -> None:
    text = (
        "One sentence that\ngoes on here.\n\nAnother\none:\n\n- an item\n  that goes on\n- another\n"
        "\n    x = 1\n    y = 2"
    )
    assert reflowed(text) == (
        "One sentence that goes on here.\n\nAnother one:\n\n- an item that goes on\n- another\n"
        "\n    x = 1\n    y = 2"
    )
    assert reflowed("") == ""
    assert all("\n" not in text.replace("\n\n", "") for text in (claim.definition for claim in register()))


def test_an_explanation_names_the_window_that_was_computed() -> None:
    assert explain(2)["window"] == "2019-09..2022-06"
    assert explain(2, window="2020")["window"].startswith("2020, as asked for; ")
    assert explain(2, window="2020")["window"].endswith("2019-09..2022-06")


@pytest.mark.parametrize("window", [None, "2020"])
def test_figures_are_said_to_be_of_the_claim_s_own_window(tmp_path: Path, window: str | None) -> None:
    console = Console(width=300, file=io.StringIO(), color_system=None)
    settings = Settings(lake=str(tmp_path))
    if window is None:
        print_explanation(console, settings, 2)
    else:
        print_claims(console, settings, 2, explain=True, window=window)
    assert isinstance(console.file, io.StringIO)
    text = console.file.getvalue()
    assert "figure: " in text
    assert ("own window, 2019-09..2022-06" in text) == (window is not None)
