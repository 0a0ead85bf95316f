"""An essay's page goes through its claims in order, each figure once and at its first claim."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import pandas as pd
import pytest
import report_frames
import report_results
from matplotlib.figure import Figure

from perp_pipeline.report.caveats import Caveat, caveats_of, derived_sources
from perp_pipeline.report.context import ReportContext
from perp_pipeline.report.exhibit import ESSAYS, FigureExhibit, TableExhibit
from perp_pipeline.report.html import build_report
from perp_pipeline.report.walk import Walk, split_reason, walk
from perp_pipeline.sources.pinned import load_archives
from perp_pipeline.tables import STEPS

A, B, _ = ESSAYS


def _claim(number: int, *essays: str, verdict: str = "holds", exact: bool = False) -> dict[str, Any]:
    told = {"statement": f"Claim {number}", "lead": "Short.", "place": ""}
    return told | {"number": number, "essays": essays, "verdict": verdict, "exact": exact}


def _figure(slug: str, essay: str, *claims: int, across: bool = False, tall: int = 400) -> dict[str, Any]:
    exhibit = FigureExhibit(
        slug, essay, slug, "Short.", claims, (), lambda *_: Figure(), lambda _: "", across=across
    )
    return {"exhibit": exhibit, "svg": f'<svg viewBox="0 0 800 {tall}">', "words": "few words"}


def _walk(claims: list[dict[str, Any]], *figures: dict[str, Any], tables: Any = ()) -> Walk:
    return walk(B, claims, {figure["exhibit"].slug: figure for figure in figures}, tables)


def _stops(found: Walk) -> list[tuple[str, list[int]]]:
    told = []
    for stop in found.stops:
        item = stop.figure or stop.table
        told.append((item["exhibit"].slug if item else "", [claim["number"] for claim in stop.claims]))
    return told


def test_claims_come_in_ascending_order_whatever_the_order_of_the_figures() -> None:
    claims = [_claim(number, "B") for number in (6, 1, 5, 7, 2)]
    found = _walk(claims, _figure("late", "B", 6), _figure("early", "B", 1, 2, 7), _figure("mid", "B", 5))
    assert _stops(found) == [("early", [1, 2]), ("mid", [5]), ("late", [6]), ("", [7])]
    assert [claim["number"] for claim in found.claims] == [1, 2, 5, 6, 7]


def test_a_claim_s_other_figures_follow_those_that_share_its_first() -> None:
    claims = [_claim(number, "B") for number in (1, 2, 3)]
    found = _walk(claims, _figure("first", "B", 1, 2), _figure("second", "B", 1, 3))
    assert _stops(found) == [("first", [1, 2]), ("second", [3])]
    assert [claim["number"] for claim in found.stops[1].also] == [1]


def test_another_essay_s_figure_is_repeated_once_where_a_claim_has_no_other() -> None:
    foreign = _figure("map", "A", 3, 4, 9)
    claims = [_claim(3, "B"), _claim(4, "B"), _claim(9, "A")]
    found = _walk(claims, foreign, _figure("own", "B", 5))
    assert _stops(found) == [("map", [3, 4]), ("own", [])], "a figure that no claim needs comes last"
    assert [claim["number"] for claim in found.stops[0].also] == [9]
    assert found.shown == {"map", "own"}


def test_no_figure_is_repeated_for_a_claim_without_data() -> None:
    found = _walk([_claim(3, "B", verdict="no data")], _figure("map", "A", 3))
    assert not found.stops
    assert [claim["number"] for claim in found.silent] == [3]


def test_calculations_have_a_section_only_if_they_have_no_figure() -> None:
    claims = [_claim(1, "B", exact=True), _claim(2, "B", exact=True), _claim(3, "B")]
    found = _walk(claims, _figure("map", "B", 1))
    assert _stops(found) == [("map", [1]), ("", [3])]
    assert [claim["number"] for claim in found.sums] == [2]


def test_a_figure_of_many_claims_stands_after_the_walk() -> None:
    found = _walk([_claim(1, "B"), _claim(2, "B")], _figure("lags", "B", 1, 2, across=True))
    assert _stops(found) == [("", [1, 2])]
    assert [figure["exhibit"].slug for figure in found.across] == ["lags"]
    assert found.shown == {"lags"}


def test_an_open_table_stands_at_its_claim_and_a_folded_one_at_the_end() -> None:
    tables = [
        {"exhibit": TableExhibit(slug, slug, "", (), lambda _: "", folded=folded, essay="B", claims=(1,))}
        for slug, folded in (("open", False), ("folded", True))
    ]
    found = _walk([_claim(1, "B"), _claim(2, "B")], _figure("own", "B", 1), tables=tables)
    assert _stops(found) == [("own", [1]), ("open", []), ("", [2])]
    assert [item["exhibit"].slug for item in found.tables] == ["folded"]


def test_words_fill_the_room_beside_a_tall_figure_alone() -> None:
    claims = [_claim(1, "B"), _claim(2, "B")]
    found = _walk(claims, _figure("tall", "B", 1, tall=900), _figure("flat", "B", 2, tall=200))
    assert [stop.roomy for stop in found.stops] == [True, False]


def test_long_reasons_are_cut_between_sentences_and_nothing_is_lost() -> None:
    sentence = "Binance minus CME (times 12): 11.1 % a year (95 %: 3.7 to 18.6; 35 lags of a day) [holds]."
    reason = " ".join([sentence] * 20)
    lead, rest = split_reason(reason)
    assert f"{lead} {rest}" == reason
    assert lead.endswith("[holds].") and rest.startswith("Binance")
    assert len(lead) < 600
    assert split_reason(sentence) == (sentence, "")


def test_a_card_says_which_of_several_numbers_it_shows() -> None:
    claims = report_frames.claims()
    claims = claims[claims["claim_id"] == 1]
    told = ("estimate", "se", "ci_low", "ci_high", "n", "unit", "window_start", "window_end")
    row = {name: claims.iloc[0][name] for name in told}
    own = report_results.claim_parts().query("claim_id == 1 and variant == 0").assign(**row)
    parts = pd.concat([own, own.assign(part=2, label="the second")], ignore_index=True)
    for numbers, shown in ((parts, True), (own, False)):
        held = {"out_claims": claims, "out_claim_parts": numbers}
        page = build_report(held, context=ReportContext(span="2021")).pages["essay-b.html"]
        assert ('<span class="small">Binance minus BitMEX</span></dd>' in page) == shown


def test_the_pages_list_their_claims_and_show_each_figure_once() -> None:
    held = report_frames.every() | report_results.every()
    pages = build_report(held, context=ReportContext(span="2019-09..2022-06")).pages
    page = pages["essay-b.html"]
    contents = page[page.index('class="contents"') : page.index("</nav>", page.index('class="contents"'))]
    assert re.findall(r'href="#B-(\d+)"', contents) == ["1", "3"]
    assert page.index('id="figure-averages"') < page.index('id="B-1"') < page.index('id="B-3"')
    assert "Claims without a figure" not in page
    for text in pages.values():
        ids = re.findall(r'id="(figure-[^"]+)"', text)
        assert len(ids) == len(set(ids))


def test_a_derived_archive_is_a_caveat_of_the_claims_that_rest_on_it() -> None:
    archives = load_archives()
    (source,) = (archive for archive in archives if archive.name == "gmx_open_interest")
    (caveat,) = derived_sources(archives, {source.sha256}, STEPS)
    assert caveat.text.startswith("The data of GMX are derived, not downloaded from the venue: read off")
    assert {"raw_gmx_open_interest", "out_sides"} <= caveat.tables
    assert "out_quanto" not in caveat.tables
    assert derived_sources(archives, {"of another file"}, STEPS) == ()
    assert derived_sources([replace(source, notes="As the venue has it.")], {source.sha256}, STEPS) == ()


@pytest.mark.parametrize(
    ("table", "reason", "verdict", "told"),
    [
        ("out_sides, theory.map", "Long on GMX Arbitrum: 72 %", "holds", True),
        ("out_sides", "Long on dYdX: 72 %", "holds", False),
        ("out_quanto", "Long on GMX Arbitrum: 72 %", "holds", False),
        ("out_sides", "Missing: GMX Arbitrum", "no data", False),
    ],
)
def test_caveats_are_of_the_venue_and_the_table(table: str, reason: str, verdict: str, told: bool) -> None:
    caveat = Caveat("GMX", frozenset({"out_sides"}), "Derived.")
    claim = {"table": table, "reason": reason, "verdict": verdict}
    assert caveats_of(claim, (), [caveat]) == (["Derived."] if told else [])
    assert caveats_of(claim | {"reason": ""}, [reason], [caveat]) == (["Derived."] if told else [])
