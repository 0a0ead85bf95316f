"""docs/tables from the contracts: ``python -m perp_pipeline.contracts.docs docs/tables``."""

from __future__ import annotations

import sys
from pathlib import Path

from perp_pipeline.contracts import Contract, tables
from perp_pipeline.contracts.model import Column

LAYERS = {
    "raw": "What a venue said, typed but untouched, with the address and digest of the body it came from.",
    "core": "Cleaned tables on common keys and units.",
    "out": "Results: estimates with standard errors, 95 % intervals, sample sizes and windows.",
}


def render() -> dict[str, str]:
    """File name to Markdown: one page per table, and an index."""
    pages = {f"{contract.name}.md": table_page(contract) for contract in tables().values()}
    return {"README.md": index_page(), **pages}


def index_page() -> str:
    """The list of tables by layer."""
    lines = ["# Tables", "", "Generated from perp_pipeline/contracts; do not edit by hand.", ""]
    for layer, meaning in LAYERS.items():
        lines += [f"## {layer}", "", meaning, "", "| table | a row is | key |", "| --- | --- | --- |"]
        lines += [
            f"| [{contract.name}]({contract.name}.md) | {contract.grain} | {', '.join(contract.key)} |"
            for contract in tables().values()
            if contract.layer == layer
        ]
        lines.append("")
    return "\n".join(lines)


def table_page(contract: Contract) -> str:
    """One table: columns with units and bounds, expectations with remedies."""
    folders = "/".join(
        [f"{name}=..." for name in contract.partition_by] + (["month=YYYY-MM"] if contract.time else [])
    )
    path = "/".join(part for part in (contract.layer, contract.name, folders, "part-0.parquet") if part)
    lines = [
        f"# {contract.name}",
        "",
        contract.doc,
        "",
        f"- A row is {contract.grain}.",
        f"- Key: {', '.join(contract.key)}.",
        f"- File: `{path}`" + (f"; the month is that of `{contract.time}` (UTC)." if contract.time else "."),
        "",
        "| column | type | unit | bounds | meaning |",
        "| --- | --- | --- | --- | --- |",
    ]
    lines += [
        f"| {column.name} | {column.kind}{', may be missing' if column.nullable else ''} | {column.unit} | "
        f"{_bounds(column)} | {_cell(column.doc)} |"
        for column in contract.columns
    ]
    if contract.checks:
        lines += ["", "| expectation | severity | what holds | if not |", "| --- | --- | --- | --- |"]
        lines += [
            f"| {check.name} | {check.severity} | {_cell(check.doc)} | {_cell(check.remedy)} |"
            for check in contract.checks
        ]
    return "\n".join([*lines, ""])


def _bounds(column: Column) -> str:
    if column.values:
        return ", ".join(column.values)
    if column.low is None and column.high is None:
        return ""
    low = "" if column.low is None else f"{column.low:g}"
    high = "" if column.high is None else f"{column.high:g}"
    return f"{low} .. {high}".strip()


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")


def main() -> None:
    """Write the pages into the folder named on the command line, and remove pages of tables that are gone."""
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    pages = render()
    for stale in {file.name for file in folder.glob("*.md")} - set(pages):
        (folder / stale).unlink()
    for name, text in pages.items():
        (folder / name).write_text(text)


if __name__ == "__main__":
    main()
