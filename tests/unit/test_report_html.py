"""The pages have what they were given, load nothing, and are the same bytes each time."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from pathlib import Path

import pandas as pd
import pytest
import report_frames as frames

from perp_pipeline.report.cells import amount, byte_size, cell, interval, view, window
from perp_pipeline.report.context import ReportContext, SourceCount, TableCount
from perp_pipeline.report.html import Report, build_report, essay_figures, write_report

CONTEXT = ReportContext(
    span="2019-09..2022-06",
    command="perp run --from 2019-09 --to 2022-06",
    tables=[TableCount("core_funding_8h", 12345, 34, "2019-09-10", "2022-06-30", "Funding on the grid.")],
    sources=[SourceCount("data.binance.vision", 40, 30, 1_500_000)],
    software={"pandas": "3.1.1"},
    dropped=[("raw_cdd_candles", "repeated bar", 7)],
    definitions={1: "Mean of daily differences."},
)


@pytest.fixture(scope="module")
def report() -> Report:
    return build_report(frames.every(), context=CONTEXT)


@pytest.fixture(scope="module")
def html(report: Report) -> str:
    return report.pages["report.html"]


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
def outlines(report: Report) -> dict[str, _Outline]:
    parsed = {}
    for name, text in report.pages.items():
        parsed[name] = _Outline()
        parsed[name].feed(text)
        parsed[name].close()
    return parsed


def test_every_claim_has_a_row_and_a_place_on_its_essay_s_page(report: Report, html: str) -> None:
    assert set(report.pages) == {"report.html", "essay-a.html", "essay-b.html"}
    for file, place in (("essay-b.html", "B-1"), ("essay-b.html", "B-3"), ("essay-a.html", "A-46")):
        assert f'href="{file}#{place}"' in html
        assert f'id="{place}"' in report.pages[file]
    for page in (html, report.pages["essay-b.html"]):
        assert "9.1 % a year" in page
        assert "10.95 % a year</b>" in page
        assert "7.0 to 11.2" in page
    decided = "the other number"
    assert f'<span class="small decided">by: {decided}</span>' in html
    assert f"<dt>Decided by</dt><dd>{decided}</dd>" in report.pages["essay-b.html"]
    assert "Missing: swaps." in report.pages["essay-a.html"]
    assert "Mean of daily differences." in report.pages["essay-b.html"]


def test_text_from_tables_is_escaped(report: Report) -> None:
    for page in (report.pages["report.html"], report.pages["essay-b.html"]):
        assert "<script" not in page
        assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page
        assert "0.0001 * 3 * 365 &amp; no more" in page


def test_the_pages_load_nothing(report: Report, outlines: dict[str, _Outline]) -> None:
    for name, outline in outlines.items():
        for tag, attributes in outline.tags:
            loaded = [attributes.get(key) for key in ("src", "data", "action", "poster")]
            assert not any(loaded), (name, tag, loaded)
            if tag == "link":
                assert attributes["href"] == "data:,"
        assert not re.search(r"url\((?!#)", report.pages[name])
        assert "@import" not in report.pages[name]


def test_ids_are_unique_and_links_lead_somewhere(report: Report, outlines: dict[str, _Outline]) -> None:
    ids = {
        name: [attributes["id"] for _, attributes in outline.tags if "id" in attributes]
        for name, outline in outlines.items()
    }
    for name, outline in outlines.items():
        assert len(ids[name]) == len(set(ids[name]))
        for tag, attributes in outline.tags:
            target = attributes.get("href") or attributes.get("xlink:href")
            if not target or tag == "link":
                continue
            page, _, anchor = target.partition("#")
            if page.startswith("tables/"):
                assert page.removeprefix("tables/") in report.tables
            else:
                assert (page or name) in ids, target
                assert not anchor or anchor in ids[page or name], target


def test_they_are_well_formed_and_accessible(outlines: dict[str, _Outline]) -> None:
    drawn = 0
    for outline in outlines.values():
        assert not outline.open
        tags = outline.tags
        assert next(attributes for tag, attributes in tags if tag == "html")["lang"] == "en"
        drawings = [attributes for tag, attributes in tags if tag == "svg"]
        assert all(one["role"] == "img" and one["aria-labelledby"] for one in drawings)
        assert all(attributes.get("scope") in ("col", "row") for tag, attributes in tags if tag == "th")
        drawn += len(drawings)
    assert drawn == 6, "five figures, and the headline on the first page too"


def test_the_run_is_told(html: str) -> None:
    for said in ("12,345", "perp run --from 2019-09 --to 2022-06", "repeated bar", "data.binance.vision"):
        assert said in html
    assert "1.5 MB" in html
    assert "pandas 3.1.1" in html


def test_a_simulated_lake_says_so_on_page_and_figures() -> None:
    made = build_report(frames.every(), context=ReportContext(span="2019-09..2022-06", simulated=True))
    assert all("<strong>Simulated market.</strong>" in page for page in made.pages.values())
    pictures = [content for name, content in made.figures.items() if name.endswith(".svg")]
    assert len(pictures) == 5
    assert all(b"SIMULATED MARKET" in picture for picture in pictures)
    for figure in essay_figures(frames.every(), simulated=True).values():
        assert any("SIMULATED MARKET" in text.get_text() for text in figure.texts)


def test_a_real_lake_does_not(report: Report) -> None:
    assert not any("simulat" in page.lower() for page in report.pages.values())
    for figure in essay_figures(frames.every()).values():
        assert not any("SIMULATED" in text.get_text() for text in figure.texts)


def test_missing_tables_are_named() -> None:
    made = build_report({"out_claims": frames.claims()}, context=ReportContext(span="2019-09..2019-10"))
    named = re.search(r"no rows of them: ([a-z0-9_, ]+)\.", made.pages["report.html"])
    assert named is not None
    assert {"out_funding_averages", "out_funding_monthly", "out_venue_spreads"} <= set(
        named.group(1).split(", ")
    )
    assert not made.figures
    empty = build_report({}, context=ReportContext(span="2019-09..2019-10"))
    assert set(empty.pages) == {"report.html"}
    assert "no claims table yet" in empty.pages["report.html"]


def test_a_table_without_an_entry_is_printed_as_it_is() -> None:
    made = build_report({"out_novel": pd.DataFrame({"x": ["deep"]})}, context=ReportContext(span="all"))
    assert "out_novel" in made.pages["report.html"]
    assert ">deep</th>" in made.pages["report.html"]


def test_files_are_written_and_the_same_each_time(tmp_path: Path) -> None:
    first = write_report(frames.every(), tmp_path / "a", context=CONTEXT)
    write_report(frames.every(), tmp_path / "b", context=CONTEXT)
    names = sorted(str(path.relative_to(tmp_path / "a")) for path in (tmp_path / "a").rglob("*"))
    assert names == sorted(str(path.relative_to(tmp_path / "b")) for path in (tmp_path / "b").rglob("*"))
    assert set(first.pages) == {"report.html", "essay-a.html", "essay-b.html"} <= set(names)
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
