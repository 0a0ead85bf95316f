"""The report: one self-contained HTML page, and its figures as files."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from perp_pipeline.report import cells
from perp_pipeline.report.context import ReportContext
from perp_pipeline.report.exhibits import ESSAYS, FIGURES, TABLES, Essay, FigureExhibit, TableExhibit
from perp_pipeline.report.style import COLOURS, inline_svg, render

if TYPE_CHECKING:
    from matplotlib.figure import Figure

BADGES = {
    "holds": ("good", "✓"),
    "fails": ("bad", "✗"),
    "weak": ("mild", "≈"),
    "arithmetic": ("exact", "="),
    "wrong as stated": ("bad", "≠"),
    "no data": ("none", "·"),
}
"""Verdict -> (style, mark): the mark says without colour what the colour says."""

_MOST_ROWS = 300


@dataclass(frozen=True)
class ReportFiles:
    """Where a report was written: the page, and each figure's files by name (``averages.png``)."""

    page: Path
    figures: Mapping[str, Path]


@dataclass(frozen=True)
class Page:
    """A report in memory: the page and its figures' bytes by file name (``averages.png``)."""

    html: str
    figures: Mapping[str, bytes]


def write_report(tables: Mapping[str, pd.DataFrame], out_dir: Path, *, context: ReportContext) -> ReportFiles:
    """Write ``report.html`` and ``figures/*.png`` and ``*.svg`` below ``out_dir``.

    Args:
        tables: result tables by name; what needs an absent or empty one is left out, and the page says so.
        context: what was run. Nothing else enters: the same tables and context give the same bytes.
    """
    from upath import UPath

    from perp_pipeline.lake.files import put, sweep_scratch

    page = build_page(tables, context=context)
    contents = {out_dir / "figures" / name: content for name, content in page.figures.items()}
    contents[out_dir / "report.html"] = page.html.encode()
    for path, content in contents.items():
        put(UPath(out_dir), UPath(path), content)
    sweep_scratch(UPath(out_dir))
    return ReportFiles(out_dir / "report.html", {name: out_dir / "figures" / name for name in page.figures})


def essay_figures(tables: Mapping[str, pd.DataFrame]) -> dict[str, Figure]:
    """The report's figures by name, those whose tables are there."""
    held = {name: frame for name, frame in tables.items() if len(frame)}
    return {
        exhibit.slug: exhibit.draw(held, ", ".join(exhibit.needs))
        for exhibit in FIGURES
        if _ready(exhibit.needs, held)
    }


def build_page(tables: Mapping[str, pd.DataFrame], *, context: ReportContext) -> Page:
    """The report of a set of result tables, in memory; see :func:`write_report`."""
    import jinja2

    held = {name: frame for name, frame in tables.items() if len(frame)}
    files: dict[str, bytes] = {}
    figures = [exhibit for exhibit in FIGURES if _ready(exhibit.needs, held)]
    drawn = {exhibit.slug: _drawn(exhibit, held, context, files) for exhibit in figures}
    needed = {name for needs in _all_needs() for name in needs}
    claims = _claims(held.get("out_claims"), context)
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("perp_pipeline.report", "templates"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    html = environment.get_template("report.html").render(
        context=context,
        colours=COLOURS,
        claims=claims,
        tally=_tally(claims),
        essays=[_essay(essay, claims, drawn) for essay in ESSAYS],
        tables=[_printed(exhibit, held) for exhibit in TABLES if _ready(exhibit.needs, held)],
        others=_others(held),
        absent=sorted(needed - set(held)),
        cells=cells,
    )
    return Page(html, files)


def _ready(needs: Iterable[str], held: Mapping[str, pd.DataFrame]) -> bool:
    return all(name in held for name in needs)


def _all_needs() -> list[tuple[str, ...]]:
    return [figure.needs for figure in FIGURES] + [table.needs for table in TABLES]


def _drawn(
    exhibit: FigureExhibit, held: Mapping[str, pd.DataFrame], context: ReportContext, files: dict[str, bytes]
) -> dict[str, Any]:
    import markupsafe

    source = ", ".join(exhibit.needs) + (", SIMULATED MARKET" if context.simulated else "")
    images = render(exhibit.draw(held, source))
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
        unit = str(row.get("unit", ""))
        number = int(re.findall(r"\d+", str(row["claim_id"]))[0])
        style, mark = BADGES.get(row["verdict"], ("none", "?"))
        rows.append(
            {
                "id": row["claim_id"],
                "number": number,
                "source": row["source"],
                "essays": [essay.code for essay in ESSAYS if essay.code in row["source"]],
                "statement": row["statement"],
                "published": cells.cell(row["published"]),
                "estimate": cells.amount(row["estimate"], unit, digits=_claim_digits(row, unit)),
                "per": cells.PERIODS.get(unit, "") if pd.notna(row["estimate"]) else "",
                "interval": cells.interval(row["ci_low"], row["ci_high"], unit),
                "exact": row["se"] == 0,
                "n": cells.cell(row["n"]) if row["n"] else cells.MISSING,
                "window": cells.window(row["window_start"], row["window_end"]),
                "verdict": row["verdict"],
                "style": style,
                "mark": mark,
                "table": row["table"],
                "reason": row["reason"],
                "definition": context.definitions.get(number, ""),
            }
        )
    return rows


def _claim_digits(row: Mapping[Any, Any], unit: str) -> int | None:
    """An exact yearly rate with two decimals (10.95 %), one with an error with one."""
    return 2 if row["se"] == 0 and unit == "fraction a year" else None


def _tally(claims: Iterable[Mapping[str, Any]]) -> list[tuple[str, str, str, int]]:
    verdicts = [claim["verdict"] for claim in claims]
    return [
        (verdict, style, mark, verdicts.count(verdict))
        for verdict, (style, mark) in BADGES.items()
        if verdict in verdicts
    ]


def _essay(essay: Essay, claims: list[dict[str, Any]], drawn: Mapping[str, dict[str, Any]]) -> dict[str, Any]:
    """An essay's walk: figures with the claims they answer, other claims, claims without data.

    A claim is told in full beside the first figure that answers it.
    """
    own = [claim for claim in claims if essay.code in claim["essays"]]
    told: set[int] = set()
    steps = []
    for figure in drawn.values():
        exhibit: FigureExhibit = figure["exhibit"]
        if exhibit.essay != essay.code:
            continue
        beside = [claim for claim in own if claim["number"] in exhibit.claims and claim["number"] not in told]
        told |= {claim["number"] for claim in beside}
        also = [claim for claim in claims if claim["number"] in exhibit.claims and claim not in beside]
        steps.append({"figure": figure, "claims": beside, "also": also})
    rest = [claim for claim in own if claim["number"] not in told]
    return {
        "essay": essay,
        "steps": steps,
        "rest": [claim for claim in rest if claim["verdict"] != "no data"],
        "silent": [claim for claim in rest if claim["verdict"] == "no data"],
        "count": len(own),
    }


def _printed(exhibit: TableExhibit, held: Mapping[str, pd.DataFrame]) -> dict[str, Any]:
    import markupsafe

    body = exhibit.build(held)
    trusted = markupsafe.Markup(body) if isinstance(body, str) else None
    return {"exhibit": exhibit, "view": None if trusted else body, "html": trusted}


def _others(held: Mapping[str, pd.DataFrame]) -> list[dict[str, Any]]:
    """Result tables without an entry of their own, as they are."""
    known = {"out_claims"} | {name for exhibit in TABLES for name in exhibit.needs}
    return [
        {"name": name, "doc": doc, "view": cells.view(frame, units=units, limit=_MOST_ROWS)}
        for name, frame in sorted(held.items())
        if name.startswith("out_") and name not in known
        for doc, units in [_contract_words(name)]
    ]


def _contract_words(name: str) -> tuple[str, dict[str, str]]:
    from perp_pipeline import contracts

    try:
        contract = contracts.get(name)
    except KeyError:
        return "", {}
    return contract.doc, {column.name: column.unit for column in contract.columns}
