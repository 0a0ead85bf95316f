"""What the command line shows: progress, run summaries, tables."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    SpinnerColumn,
    TextColumn,
    TimeElapsedColumn,
)
from rich.table import Table

from perp_pipeline.contracts.model import Contract
from perp_pipeline.runner import StepReport
from perp_pipeline.sources.progress import Counters, Event


class RunDisplay:
    """A progress bar over the tables of a run, and one line per finished table.

    Without a terminal only the lines are printed.
    """

    def __init__(self, console: Console) -> None:
        self._console = console
        self._progress = Progress(
            SpinnerColumn(),
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            console=console,
            disable=not console.is_terminal,
            transient=True,
        )
        self._task = self._progress.add_task("", total=None)
        self._table = ""
        self._requests = 0

    def __enter__(self) -> RunDisplay:
        self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._progress.stop()

    def expect(self, tables: int) -> None:
        """Say how many tables the run has."""
        self._progress.update(self._task, total=tables)

    def step(self, table: str, report: StepReport | None) -> None:
        """A :data:`~perp_pipeline.runner.Listener`."""
        if report is None:
            self._table = table
            self._progress.update(self._task, description=table)
            return
        self._progress.advance(self._task)
        self._console.print(_line(report), highlight=False, soft_wrap=True)

    def downloaded(self, event: Event) -> None:
        """Count a download, of whatever table; say so where one is being tried again."""
        self._requests += 1
        text = f"{self._table} ({self._requests:,} downloads)"
        if event.kind == "retry":
            text += f", {event.label} again in {event.wait:.0f} s: {event.reason}"
        self._progress.update(self._task, description=_plain(text[:100]))


def _line(report: StepReport) -> str:
    mark = "[red]failed[/]" if report.error else "[dim]empty [/]" if report.note else "[green]done  [/]"
    what = report.error.splitlines()[0] if report.error else report.note or _did(report)
    return f"{mark} {report.table:<24} {report.seconds:6.1f} s  {_plain(what)}"


def _did(report: StepReport) -> str:
    parts = [f"{report.rows:,} rows"]
    if report.written or report.unchanged:
        parts.append(f"{len(report.written)} partition(s) written, {len(report.unchanged)} unchanged")
    if len(report.dropped):
        parts.append(f"{len(report.dropped)} row(s) kept out (_kept_out/{report.table}.csv)")
    if report.warnings:
        parts.append(f"{len(report.warnings)} warning(s)")
    return ", ".join(parts)


def print_summary(console: Console, reports: Sequence[StepReport], counters: Counters) -> None:
    """Warnings and errors in full, then one line on the whole run."""
    for report in reports:
        for check in report.warnings:
            rows = check.failing.head(2).itertuples(index=False)
            named = "; ".join(", ".join(map(str, row)) for row in rows)
            console.print(
                f"[yellow]warning[/] {report.table}: {_plain(check.doc)} - {check.n_failing} row(s)"
                + (f", first {_plain(named)}" if named else ""),
                highlight=False,
                soft_wrap=True,
            )
    failed = [report for report in reports if report.error]
    for report in failed:
        console.print(f"[red]failed[/]  {report.table}: {_plain(report.error or '')}", highlight=False)
    written = sum(len(report.written) for report in reports)
    unchanged = sum(len(report.unchanged) for report in reports)
    console.print(
        f"{len(reports) - len(failed)} of {len(reports)} tables, {written} partitions written, "
        f"{unchanged} unchanged. {counters.requests:,} requests to venues ({counters.retries:,} retries, "
        f"{counters.bytes / 1e6:,.1f} MB), {counters.from_store:,} answers from the store.",
        highlight=False,
    )


def tables_table(contracts: Sequence[Contract], rows: dict[str, str]) -> Table:
    """One line per table: grain, key, and what the lake holds of it."""
    table = Table(box=None, pad_edge=False)
    for heading in ("table", "a row is", "key", "in the lake"):
        table.add_column(heading, overflow="fold")
    for contract in contracts:
        table.add_row(contract.name, contract.grain, ", ".join(contract.key), rows.get(contract.name, "-"))
    return table


def columns_table(contract: Contract) -> Table:
    """The columns of one table: type, unit, meaning."""
    table = Table(box=None, pad_edge=False)
    for heading in ("column", "type", "unit", "meaning"):
        table.add_column(heading, overflow="fold")
    for column in contract.columns:
        kind = column.kind + ("?" if column.nullable else "")
        table.add_row(column.name, kind, column.unit, column.doc)
    return table


def _plain(text: str) -> str:
    return text.replace("[", r"\[")
