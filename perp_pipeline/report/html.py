"""The report: an index page, a page per essay, figures and LaTeX tables as files."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from perp_pipeline.report import cells
from perp_pipeline.report.caveats import caveats_of
from perp_pipeline.report.claim_numbers import BADGES, claim_numbers, decider, number_texts, own_numbers
from perp_pipeline.report.context import ReportContext
from perp_pipeline.report.exhibit import (
    ESSAYS,
    FigureExhibit,
    TableExhibit,
    Tables,
    ready,
    source_line,
)
from perp_pipeline.report.exhibits import FIGURES, TABLES
from perp_pipeline.report.style import COLOURS, inline_svg, render
from perp_pipeline.report.walk import split_reason, walk
from perp_pipeline.research.claims.agreement import APART, unmatched
from perp_pipeline.research.words import key_words

if TYPE_CHECKING:
    import jinja2
    from matplotlib.figure import Figure

INDEX = "report.html"

FILES = {essay.code: essay.file for essay in ESSAYS}

_MOST_ROWS = 300


@dataclass(frozen=True)
class ReportFiles:
    """Where a report was written.

    Attributes:
        page: the index.
        pages: every page by name (``essay-b.html``), the index among them.
        figures: each figure's files by name (``averages.png``).
        tables: LaTeX tables by name (``table-regressions.tex``).
    """

    page: Path
    pages: Mapping[str, Path]
    figures: Mapping[str, Path]
    tables: Mapping[str, Path]


@dataclass(frozen=True)
class Report:
    """A report in memory: pages (text), figures and LaTeX tables (bytes), each by file name."""

    pages: Mapping[str, str]
    figures: Mapping[str, bytes]
    tables: Mapping[str, bytes]


def write_report(tables: Tables, out_dir: Path, *, context: ReportContext) -> ReportFiles:
    """Write the pages, ``figures/*.png``, ``figures/*.svg`` and ``tables/*.tex`` below ``out_dir``.

    Each page is one file that loads nothing; links between them are relative.

    Args:
        tables: result tables by name; what needs an absent or empty one is left out, and the page says so.
        context: what was run. Nothing else enters: the same tables and context give the same bytes.
    """
    from upath import UPath

    from perp_pipeline.lake.files import put, sweep_scratch

    report = build_report(tables, context=context)
    pages = {name: out_dir / name for name in report.pages}
    figures = {name: out_dir / "figures" / name for name in report.figures}
    latex = {name: out_dir / "tables" / name for name in report.tables}
    contents = {figures[name]: content for name, content in report.figures.items()}
    contents |= {latex[name]: content for name, content in report.tables.items()}
    contents |= {pages[name]: text.encode() for name, text in report.pages.items()}
    for path, content in contents.items():
        put(UPath(out_dir), UPath(path), content)
    sweep_scratch(UPath(out_dir))
    return ReportFiles(pages[INDEX], pages, figures, latex)


def essay_figures(tables: Tables, *, simulated: bool = False) -> dict[str, Figure]:
    """The report's figures by name, those whose tables are there.

    Args:
        simulated: the tables come from the simulated market; every figure says so.
    """
    held = {name: frame for name, frame in tables.items() if len(frame)}
    return {
        exhibit.slug: exhibit.draw(held, source_line(exhibit.needs, simulated))
        for exhibit in FIGURES
        if ready(exhibit.needs, held)
    }


def build_report(tables: Tables, *, context: ReportContext) -> Report:
    """The report of a set of result tables, in memory; see :func:`write_report`."""
    held = {name: frame for name, frame in tables.items() if len(frame)}
    apart = unmatched(held["out_claims"], held.get("out_claim_parts")) if "out_claims" in held else {}
    if APART in apart.values():
        # Numbers of another computation would contradict the claims, in cards and in figures.
        del held["out_claim_parts"]
    files: dict[str, bytes] = {}
    figures = [exhibit for exhibit in FIGURES if ready(exhibit.needs, held)]
    drawn = {exhibit.slug: _drawn(exhibit, held, context, files) for exhibit in figures}
    shown = [exhibit for exhibit in TABLES if ready(exhibit.needs, held)]
    printed = [item for exhibit in shown if (item := _printed(exhibit, held)) is not None]
    needed = {name for needs in _all_needs() for name in needs}
    claims = _claims(held.get("out_claims"), context)
    numbers = claim_numbers(held.get("out_claim_parts"))
    both = {"out_claims", "out_claim_parts"} <= set(held)
    own = own_numbers(held["out_claims"], held["out_claim_parts"]) if both else {}
    for claim in claims:
        claim["figures"] = [exhibit for exhibit in figures if claim["number"] in exhibit.claims]
        claim["numbers"] = numbers.get(claim["number"], [])
        labels = [number["label"] for number in claim["numbers"]]
        claim["caveats"] = caveats_of(claim, labels, context.caveats)
        claim["which"] = own.get(claim["number"], "")
        claim["without"] = apart.get(claim["number"], "")
    walks = [
        found for essay in ESSAYS if (found := walk(essay, claims, drawn, printed)).claims or found.stops
    ]
    environment = _environment()
    common = {
        "context": context,
        "colours": COLOURS,
        "walks": [(found, _tally(found.claims)) for found in walks],
        "cells": cells,
        "index": INDEX,
        "files": FILES,
    }
    pages = {
        INDEX: environment.get_template("report.html").render(
            claims=claims,
            tally=_tally(claims),
            headlines=[figure for figure in drawn.values() if figure["exhibit"].headline],
            tables=printed,
            others=_others(held),
            absent=sorted(needed - set(held)),
            **common,
        )
    }
    template = environment.get_template("essay.html")
    pages |= {found.essay.file: template.render(walk=found, **common) for found in walks}
    latex = {
        f"{exhibit.slug}.tex": (exhibit.latex(held) + "\n").encode()
        for exhibit in (item["exhibit"] for item in printed)
        if exhibit.latex is not None
    }
    return Report(pages, files, latex)


def _environment() -> jinja2.Environment:
    import jinja2

    return jinja2.Environment(
        loader=jinja2.PackageLoader("perp_pipeline.report", "templates"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def _all_needs() -> list[tuple[str, ...]]:
    return [figure.needs for figure in FIGURES] + [table.needs for table in TABLES]


def _drawn(
    exhibit: FigureExhibit, held: Tables, context: ReportContext, files: dict[str, bytes]
) -> dict[str, Any]:
    import markupsafe

    images = render(exhibit.draw(held, source_line(exhibit.needs, context.simulated)))
    for kind, content in images.items():
        files[f"{exhibit.slug}.{kind}"] = content
    words = exhibit.describe(held)
    svg = inline_svg(images["svg"], exhibit.slug, exhibit.title, words)
    return {"exhibit": exhibit, "svg": markupsafe.Markup(svg), "words": words}


def _claims(frame: pd.DataFrame | None, context: ReportContext) -> list[dict[str, Any]]:
    if frame is None:
        return []
    rows = []
    for row in frame.sort_values("claim_id", kind="stable").to_dict("records"):
        number = int(re.findall(r"\d+", str(row["claim_id"]))[0])
        style, mark = BADGES.get(row["verdict"], ("none", "?"))
        homes = [essay.code for essay in ESSAYS if essay.code in row["source"]]
        estimate, interval = number_texts(row)
        lead, rest = split_reason(row["reason"])
        rows.append(
            {
                "id": row["claim_id"],
                "number": number,
                "source": row["source"],
                "essays": homes,
                "place": f"{FILES[homes[0]]}#{homes[0]}-{row['claim_id']}" if homes else "",
                "statement": row["statement"],
                "published": cells.cell(row["published"]),
                "estimate": estimate,
                "interval": interval,
                "exact": row["se"] == 0,
                "decided_by": decider(row),
                "n": cells.cell(row["n"]) if row["n"] else cells.MISSING,
                "window": cells.window(row["window_start"], row["window_end"]),
                "verdict": row["verdict"],
                "style": style,
                "mark": mark,
                "table": row["table"],
                "reason": row["reason"],
                "lead": lead,
                "rest": rest,
                "definition": context.definitions.get(number, ""),
            }
        )
    return rows


def _tally(claims: Iterable[Mapping[str, Any]]) -> list[tuple[str, str, str, int]]:
    verdicts = [claim["verdict"] for claim in claims]
    return [
        (verdict, style, mark, verdicts.count(verdict))
        for verdict, (style, mark) in BADGES.items()
        if verdict in verdicts
    ]


def _printed(exhibit: TableExhibit, held: Tables) -> dict[str, Any] | None:
    """The table as text, its first rows if there are many; None where it has no rows."""
    import markupsafe

    body = exhibit.build(held)
    if not body:
        return None
    if isinstance(body, str):
        return {"exhibit": exhibit, "view": None, "html": markupsafe.Markup(body)}
    if not body.rows:
        return None
    return {"exhibit": exhibit, "view": replace(body, rows=body.rows[:_MOST_ROWS]), "html": None}


def _others(held: Tables) -> list[dict[str, Any]]:
    """Result tables without an entry of their own, as they are."""
    known = {"out_claims", "out_claim_parts"} | {name for exhibit in TABLES for name in exhibit.needs}
    return [
        {"name": name, "doc": doc, "view": cells.view(_worded(frame), headings, units, _MOST_ROWS)}
        for name, frame in sorted(held.items())
        if name.startswith("out_") and name not in known
        for doc, units in [_contract_words(name)]
        for headings in [{column: column.replace("_", " ") for column in frame.columns}]
    ]


def _worded(frame: pd.DataFrame) -> pd.DataFrame:
    """The frame with the keys of its quantities in words."""
    keys = [name for name in ("venue", "quantity", "statistic", "method") if name in frame.columns]
    return frame.assign(**{name: frame[name].map(key_words) for name in keys})


def _contract_words(name: str) -> tuple[str, dict[str, str]]:
    from perp_pipeline import contracts

    try:
        contract = contracts.get(name)
    except KeyError:
        return "", {}
    return contract.doc, {column.name: column.unit for column in contract.columns}
