"""The page has what it was given, loads nothing, and is the same bytes each time."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from pathlib import Path

import pandas as pd
import pytest
import report_frames as frames

from perp_pipeline.report.cells import amount, byte_size, cell, interval, view, window
from perp_pipeline.report.context import ReportContext, SourceCount, TableCount
from perp_pipeline.report.html import build_page, write_report

CONTEXT = ReportContext(
    span="2019-09..2022-06",
    command="perp run --from 2019-09 --to 2022-06",
    tables=[TableCount("core_funding_8h", 12345, 34, "2019-09-10", "2022-06-30", "Funding on the grid.")],
    sources=[SourceCount("data.binance.vision", 40, 30, 1_500_000)],
    software={"pandas": "3.1.1"},
    dropped=[("raw_cdd_candles", "repeated bar", 7)],
    definitions={1: "Mean of daily differences."},
)


def _tables() -> dict[str, pd.DataFrame]:
    return {
        "out_funding_averages": frames.averages(),
        "out_funding_monthly": frames.monthly(),
        "out_venue_spreads": frames.spreads(),
        "out_claims": frames.claims(),
    }


@pytest.fixture(scope="module")
def html() -> str:
    return build_page(_tables(), context=CONTEXT).html


class _Outline(HTMLParser):
    """Tags with their attributes, and whether every element that opens also closes."""

    VOID = frozenset({"meta", "link", "br", "img", "hr", "input"})

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag, f"</{tag}> closes nothing"


@pytest.fixture(scope="module")
def outline(html: str) -> _Outline:
    parser = _Outline()
    parser.feed(html)
    parser.close()
    return parser


def test_every_claim_has_a_row_and_a_place_in_its_essay(html: str) -> None:
    assert all(f'href="#{place}"' in html for place in ("B-1", "B-3", "A-46"))
    assert all(f'id="{place}"' in html for place in ("B-1", "B-3", "A-46"))
    assert "9.1 %" in html
    assert "10.95 %</b> a year" in html
    assert "7.0 to 11.2" in html
    assert "Missing: swaps." in html
    assert "Mean of daily differences." in html


def test_text_from_tables_is_escaped(html: str) -> None:
    assert "<script" not in html
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in html
    assert "0.0001 * 3 * 365 &amp; no more" in html


def test_the_page_loads_nothing(html: str, outline: _Outline) -> None:
    for tag, attributes in outline.tags:
        for name in ("src", "href", "xlink:href", "data", "action", "poster"):
            target = attributes.get(name)
            assert target is None or target.startswith("#") or target == "data:,", (tag, target)
    assert not re.search(r"url\((?!#)", html)
    assert "@import" not in html


def test_ids_are_unique_and_links_lead_somewhere(outline: _Outline) -> None:
    ids = [attributes["id"] for _, attributes in outline.tags if "id" in attributes]
    assert len(ids) == len(set(ids))
    targets = {
        target[1:]
        for _, attributes in outline.tags
        for target in (attributes.get("href"), attributes.get("xlink:href"))
        if target and target.startswith("#")
    }
    assert targets <= set(ids)


def test_it_is_well_formed_and_accessible(outline: _Outline) -> None:
    assert not outline.open
    tags = outline.tags
    assert next(attributes for tag, attributes in tags if tag == "html")["lang"] == "en"
    drawings = [attributes for tag, attributes in tags if tag == "svg"]
    assert len(drawings) == 5
    assert all(one["role"] == "img" and one["aria-labelledby"] for one in drawings)
    assert all(attributes.get("scope") in ("col", "row") for tag, attributes in tags if tag == "th")


def test_the_run_is_told(html: str) -> None:
    for said in ("12,345", "perp run --from 2019-09 --to 2022-06", "repeated bar", "data.binance.vision"):
        assert said in html
    assert "1.5 MB" in html
    assert "pandas 3.1.1" in html


def test_a_simulated_lake_says_so_on_page_and_figures() -> None:
    page = build_page(_tables(), context=ReportContext(span="2019-09..2022-06", simulated=True))
    assert "<strong>Simulated market.</strong>" in page.html
    assert page.html.count("SIMULATED MARKET") == 5
    assert b"SIMULATED MARKET" in page.figures["averages.svg"]


def test_a_real_lake_does_not(html: str) -> None:
    assert "simulat" not in html.lower()


def test_missing_tables_are_named() -> None:
    page = build_page({"out_claims": frames.claims()}, context=ReportContext(span="2019-09..2019-10"))
    assert "out_funding_averages, out_funding_monthly, out_venue_spreads" in page.html
    assert not page.figures
    empty = build_page({}, context=ReportContext(span="2019-09..2019-10"))
    assert "no claims table yet" in empty.html


def test_a_table_without_an_entry_is_printed_as_it_is() -> None:
    page = build_page({"out_novel": pd.DataFrame({"x": ["deep"]})}, context=ReportContext(span="all"))
    assert "out_novel" in page.html
    assert ">deep</th>" in page.html


def test_files_are_written_and_the_same_each_time(tmp_path: Path) -> None:
    first = write_report(_tables(), tmp_path / "a", context=CONTEXT)
    write_report(_tables(), tmp_path / "b", context=CONTEXT)
    names = sorted(str(path.relative_to(tmp_path / "a")) for path in (tmp_path / "a").rglob("*"))
    assert names == sorted(str(path.relative_to(tmp_path / "b")) for path in (tmp_path / "b").rglob("*"))
    assert "report.html" in names
    assert len(first.figures) == 10
    for name in names:
        one, other = tmp_path / "a" / name, tmp_path / "b" / name
        assert one.is_dir() or one.read_bytes() == other.read_bytes()


def test_cells() -> None:
    assert amount(0.1234, "fraction a year") == "12.3 %"
    assert amount(-0.48, "bp of volume") == "−0.48 bp"
    assert amount(float("nan"), "share") == "–"
    assert amount(1234.0) == "1,234"
    assert interval(0.1, -0.0, "share") == "10.0 to 0.0"
    assert window(pd.NaT, pd.NaT) == "–"
    assert byte_size(999) == "999 B"
    assert byte_size(2_500_000_000) == "2.5 GB"
    assert cell(pd.Timestamp("2021-02-03 04:05", tz="UTC")) == "2021-02-03 04:05"
    assert cell(True) == "yes"
    assert view(pd.DataFrame({"a": [1, 2, 3]}), limit=2).total == 3
