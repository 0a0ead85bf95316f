"""A claim explained on a terminal: definition, window, data and what they rest on, code, figures."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from perp_pipeline import contracts
from perp_pipeline.lake import Lake
from perp_pipeline.settings import Settings


def print_explanation(
    console: Console, settings: Settings, claim_id: int, window: str | None = None, labels: Sequence[str] = ()
) -> None:
    """Print definition, window, data, code and figures of a claim.

    Args:
        window: another period than the claim's own that its numbers were computed over.
        labels: of the claim's numbers: venues that they name are told more of.
    """
    from perp_pipeline.claim_provenance import copies_behind
    from perp_pipeline.publish import report_folder, result_names
    from perp_pipeline.research.claims import explain, find_claim

    claim, lake = find_claim(claim_id), Lake.at(settings.lake)
    for name, text in explain(claim_id, window=window).items():
        console.print(f"{name}: {text}", highlight=False, markup=False)
    text = " ".join((claim.statement, claim.definition, *labels))
    copies = copies_behind(
        claim.tables, text, settings, lambda table: bool(lake.partitions(contracts.get(table)))
    )
    if copies:
        console.print(
            "data: these tables are made from public files too, which are not the venues' own:",
            highlight=False,
        )
    for line in copies:
        console.print(f"data: {line}", highlight=False, markup=False)
    lines = figure_lines(claim_id, report_folder(lake), result_names(lake))
    if lines and window is not None:
        console.print(
            f"figures are not drawn again: they are of the claim's own window, {claim.window}",
            highlight=False,
        )
    for line in lines or ["none"]:
        console.print(f"figure: {line}", highlight=False, markup=False, soft_wrap=True)


def figure_lines(claim_id: int, report: Path, names: Sequence[str]) -> list[str]:
    """The report's figures of a claim: title, and the file where it has been written.

    Args:
        report: the folder of the report.
        names: tables that the lake has: figures of others are left out.
    """
    from perp_pipeline.report.exhibits import figures_of

    lines = []
    for exhibit in figures_of(claim_id):
        file = report / "figures" / f"{exhibit.slug}.png"
        if not set(exhibit.needs) <= set(names):
            lines.append(f"{exhibit.title} ({exhibit.slug}; the lake lacks its tables)")
        elif file.is_file():
            lines.append(f"{exhibit.title}: {file}")
        else:
            lines.append(f"{exhibit.title} ({exhibit.slug}; perp report draws it)")
    return lines
