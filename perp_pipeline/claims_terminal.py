"""The claims register on a terminal: the list, one claim's numbers, its figures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import pandas as pd
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from perp_pipeline import contracts
from perp_pipeline.claim_explained import print_explanation
from perp_pipeline.lake import Lake
from perp_pipeline.recompute import claim_tables, claim_tables_over
from perp_pipeline.report import cells
from perp_pipeline.report.claim_numbers import decider, number_texts, own_numbers, routes
from perp_pipeline.research.claims.agreement import unmatched
from perp_pipeline.settings import Settings

VERDICT_STYLES = {
    "holds": "green",
    "arithmetic": "green",
    "weak": "yellow",
    "fails": "red",
    "wrong as stated": "red",
    "no data": "dim",
}

_LEGEND = (
    "Ours is one number of a claim: where several were published, the one named below the claim. The verdict "
    "is that of the worst, named too where it is another. perp claims N shows them all."
)

_WIDE = 120
_STACKED = "published\nours\n(95 %)"
_STACK = 22
"""Columns of stacked numbers: the widest interval fits."""


def print_claims(
    console: Console,
    settings: Settings,
    claim: int | None = None,
    *,
    explain: bool = False,
    window: str | None = None,
) -> None:
    """Print the register, or one claim with its numbers and its reason.

    Args:
        explain: definition, window, data, code and figures of the claim as well.
        window: compute over this period from the lake's tables, instead of reading out_claims.

    Raises:
        TableMissing: the lake has no claims yet.
        KeyError: there is no such claim.
        ValueError: ``window`` is not a period.
    """
    register, parts = _held(settings) if window is None else _computed(console, settings, claim, window)
    if claim is not None:
        register = register[register["claim_id"] == claim]
        if register.empty:
            raise KeyError(f"there is no claim {claim}; perp claims lists them")
    apart = unmatched(register, parts) if window is None else _empty(settings, register, parts, window)
    own = own_numbers(register, parts[~parts["claim_id"].isin(list(apart))])
    console.print(claims_table(register, console.width, own))
    if claim is None:
        counts = register["verdict"].value_counts()
        told = ", ".join(f"{count} {verdict}" for verdict, count in counts.items())
        console.print(f"{told}.", highlight=False)
        console.print(_LEGEND, highlight=False)
        for told in dict.fromkeys(apart.values()):
            claims = [number for number, text in apart.items() if text == told]
            _warn(console, claims, told)
        return
    numbers = parts[parts["claim_id"] == claim]
    if claim in apart:
        console.print()
        _warn(console, [claim], apart[claim])
    elif len(numbers):
        console.print()
        console.print(parts_table(numbers, console.width))
    row = register.iloc[0]
    console.print(f"\nReason: {row['reason']}", highlight=False, markup=False)
    if row["n"]:
        dates = cells.window(row["window_start"], row["window_end"])
        console.print(f"Window: {dates}, n = {row['n']:,}", highlight=False)
    if explain:
        print_explanation(console, settings, claim, window, [*numbers["label"].unique()])


def _warn(console: Console, claims: Sequence[int], told: str) -> None:
    """Say why claims stand without their numbers, and what to do."""
    numbers = ", ".join(str(number) for number in claims)
    console.print(f"Claim{'s' if len(claims) > 1 else ''} {numbers}: {told}", style="yellow", highlight=False)


def _held(settings: Settings) -> tuple[pd.DataFrame, pd.DataFrame]:
    """out_claims and out_claim_parts of the lake."""
    lake = Lake.at(settings.lake)
    register = lake.frame(contracts.get("out_claims"))
    return register, claim_tables(lake, ("out_claim_parts",))["out_claim_parts"]


def _empty(settings: Settings, register: pd.DataFrame, parts: pd.DataFrame, window: str) -> dict[int, str]:
    """Claims without a number over a window, with the cause and what to ask for."""
    from perp_pipeline.claim_reach import without_numbers
    from perp_pipeline.research.claims import find_claim

    lake, now = Lake.at(settings.lake), datetime.now(UTC)
    empty = sorted(set(map(int, register["claim_id"])) - set(map(int, parts["claim_id"])))
    return {claim: without_numbers(lake, find_claim(claim), window, now) for claim in empty}


def _computed(
    console: Console, settings: Settings, claim: int | None, window: str
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The same, over another window."""
    from perp_pipeline.research import claims
    from perp_pipeline.research.periods import parse_period

    parse_period(window)
    chosen = claims.register() if claim is None else (claims.find_claim(claim),)
    names = sorted({table for one in chosen for table in one.tables})

    def tell(table: str) -> None:
        console.print(f"[dim]computing {table} over {window}[/]", highlight=False)

    simulated = {table for one in chosen for table in one.simulated}
    frames = claim_tables_over(Lake.at(settings.lake), names, window, settings, tell, simulated=simulated)
    windows = {one.id: window for one in chosen}
    return (
        claims.build_claims(frames, windows, only=windows),
        claims.build_claim_parts(frames, windows, only=windows),
    )


def claims_table(claims: pd.DataFrame, width: int, own: Mapping[int, str] | None = None) -> Table:
    """The register: statement, what was published, what the data say, verdict, and the number behind it.

    Below 120 columns what was published, the estimate and the interval stand below each other.

    Args:
        claims: rows of out_claims.
        width: columns of the terminal.
        own: claim number -> which of its numbers the estimate is, from :func:`own_numbers`.
    """
    wide = width >= _WIDE
    table = Table(box=None, pad_edge=False, padding=(0, 1))
    table.add_column("#", justify="right", no_wrap=True)
    table.add_column("claim", ratio=1, overflow="fold")
    if wide:
        table.add_column("published", max_width=26, overflow="fold")
        table.add_column("ours", justify="right", no_wrap=True)
        table.add_column("95 % interval", justify="right", no_wrap=True)
    else:
        table.add_column(_STACKED, width=_STACK, overflow="fold")
    table.add_column("verdict", no_wrap=wide, max_width=None if wide else 10)
    for row in claims.to_dict("records"):
        estimate, interval = _numbers(row)
        published = escape(str(row["published"]))
        numbers = [published, estimate, interval] if wide else [_stacked(published, estimate, interval)]
        statement = escape(f"{row['source']}: {row['statement']}")
        notes = {"ours": (own or {}).get(row["claim_id"]), "verdict by": decider(row)}
        for name, told in notes.items():
            statement += f"\n[dim]{name}: {escape(told)}[/]" if told else ""
        table.add_row(str(row["claim_id"]), statement, *numbers, _verdict(row["verdict"]))
    return table


def parts_table(parts: pd.DataFrame, width: int) -> Table:
    """A claim's numbers, and each judged one by other routes below it.

    Args:
        parts: rows of out_claim_parts of one claim.
        width: columns of the terminal; below 120 what was published, the estimate and the interval stand
            below each other, without n and dates.
    """
    wide = width >= _WIDE
    table = Table(box=None, pad_edge=False, padding=(0, 1))
    table.add_column("number", ratio=1, overflow="fold")
    if wide:
        table.add_column("published", max_width=18, overflow="fold")
        table.add_column("ours", justify="right", no_wrap=True)
        table.add_column("95 % interval", justify="right", no_wrap=True)
        table.add_column("n", justify="right", no_wrap=True)
        table.add_column("dates", no_wrap=True)
    else:
        table.add_column(_STACKED, width=_STACK, overflow="fold")
    table.add_column("verdict", no_wrap=wide, max_width=None if wide else 10)
    for row in routes(parts):
        estimate, interval = _numbers(row)
        published = escape(row["published"])
        count = f"{row['n']:,}" if row["n"] else ""
        if wide:
            numbers = [published, estimate, interval, count, row["dates"]]
            label = row["label"]
        else:
            numbers = [_stacked(published, estimate, interval)]
            label = f"{row['label']}, {row['dates']}" if row["variant"] and row["dates"] else row["label"]
        verdict = "" if pd.isna(row["verdict"]) else _verdict(row["verdict"])
        indent = "  " if row["variant"] else ""
        table.add_row(escape(indent + label), *numbers, verdict, style="dim" if row["variant"] else "")
    return table


def _numbers(row: Mapping[Any, Any]) -> tuple[str, str]:
    """Estimate and interval as texts; empty where there are none."""
    if pd.isna(row["estimate"]):
        return "", ""
    return number_texts(row)


def _stacked(published: str, estimate: str, interval: str) -> str:
    """What was published, ours in bold, the interval in brackets: one below the other."""
    lines = [
        published,
        f"[bold]{estimate}[/]" if estimate else "",
        f"({interval})" if interval.strip(cells.MISSING) else "",
    ]
    return "\n".join(line for line in lines if line)


def _verdict(verdict: str) -> str:
    style = VERDICT_STYLES.get(verdict, "")
    return f"[{style}]{verdict}[/]" if style else verdict
