"""The command line: ``perp demo | run | read | tables | claims | report | doctor``."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer
from rich.console import Console

from perp_pipeline.months import FIRST_MONTH, Month, Span
from perp_pipeline.settings import DEFAULT_LAKE, Settings

if TYPE_CHECKING:
    from perp_pipeline.runner import StepReport

DEMO_LAKE = "data_lake/demo"

EXIT_FAILED = 1
EXIT_USAGE = 2

app = typer.Typer(
    name="perp",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode="markdown",
    pretty_exceptions_enable=False,
    help="Perpetual-swap funding, CME-implied rates and AMM LP profit: from primary sources to claims.\n\n"
    "Start with **perp demo** (offline, simulated market), then **perp run**.\n\n"
    "Exit codes: 0 all done, 1 a table failed (the rest was done), 2 the command could not be understood.",
)

LakeOption = Annotated[
    str | None, typer.Option("--lake", help=f"Lake folder or address (s3://...). Default {DEFAULT_LAKE}.")
]


class Format(StrEnum):
    """Output forms of ``perp read``."""

    csv = "csv"
    json = "json"
    parquet = "parquet"


@app.command()
def demo(
    lake: Annotated[str, typer.Option(help="Where the demo's lake goes.")] = DEMO_LAKE,
    seed: Annotated[int, typer.Option(help="Seed of the simulated market.")] = 7,
    first: Annotated[str, typer.Option("--from", metavar="YYYY-MM", help="First month.")] = "2019-09",
    last: Annotated[str, typer.Option("--to", metavar="YYYY-MM", help="Last month.")] = "2022-06",
) -> None:
    """Run the whole pipeline on a simulated market: offline, about a minute, ends with the claims."""
    from perp_pipeline.lake import LakeError
    from perp_pipeline.publish import publish_report
    from perp_pipeline.simulation import open_market

    console = _console()
    span = _span(first, last)
    try:
        market = open_market(seed, span)
    except ValueError as error:
        _usage(str(error))
    settings = Settings(lake=lake, rpc_urls=market.rpc_urls)
    console.print(f"Simulated market, seed {seed}, {span}. Nothing is downloaded.", highlight=False)
    try:
        reports = _run(
            console,
            settings,
            (),
            span,
            transport=market.transport,
            market=f"simulated seed {seed}",
            clock=lambda: span.end,
            archives=market.archives,
            universe=market.universe,
            pools=market.pools,
        )
        page = publish_report(settings)
    except LakeError as error:
        _usage(str(error))
    _print_claims(_console(err=False), settings)
    console.print(f"\nReport: {page}", highlight=False, soft_wrap=True)
    console.print(
        "This market is SIMULATED: every number above comes from a random generator with known truth, "
        "none from an exchange. For real data: perp run --from 2019-09",
        highlight=False,
    )
    _exit(reports)


@app.command()
def run(
    first: Annotated[
        str, typer.Option("--from", metavar="YYYY-MM", help="First month; the first payment ever by default.")
    ] = str(FIRST_MONTH),
    last: Annotated[
        str | None, typer.Option("--to", metavar="YYYY-MM", help="Last month; the open one by default.")
    ] = None,
    refresh: Annotated[
        bool,
        typer.Option("--refresh", help="The open month and the one before it only, as the nightly does."),
    ] = False,
    lake: LakeOption = None,
    gateway: Annotated[
        str | None,
        typer.Option(help="Send https://host/path to GATEWAY/host/path: a caching mirror. Or PERP_GATEWAY."),
    ] = None,
    select: Annotated[
        list[str] | None,
        typer.Option(
            metavar="TABLE",
            help="Table, layer or chapter, with all that it needs. May be given several times.",
        ),
    ] = None,
    offline: Annotated[
        bool, typer.Option("--offline", help="Rebuild from the stored downloads; ask nobody.")
    ] = False,
    period: Annotated[
        list[str] | None,
        typer.Option(metavar="PERIOD", help="A further period for results: 2021, 2021-02, 2019-09..2022-06."),
    ] = None,
    archives: Annotated[
        Path | None, typer.Option(help="TOML file with pinned archives of your own. Or PERP_ARCHIVES.")
    ] = None,
    universe: Annotated[
        Path | None, typer.Option(help="TOML file with instruments of your own. Or PERP_UNIVERSE.")
    ] = None,
    pool: Annotated[
        list[str] | None,
        typer.Option(metavar="CHAIN:ADDRESS", help="An AMM pool to follow. May be given several times."),
    ] = None,
    allow_lost_rows: Annotated[
        bool, typer.Option("--allow-lost-rows", help="Let a refresh remove rows of closed months.")
    ] = False,
) -> None:
    """Bring the lake up to date: download, clean, compute, check.

    Closed months that are stored are never asked for again, so the same command resumes a run that was
    stopped. Example: perp run --from 2019-09 --to 2022-06 --select out_funding_averages
    """
    from perp_pipeline.graph import UnknownTable
    from perp_pipeline.lake import LakeError
    from perp_pipeline.publish import publish_report
    from perp_pipeline.research.periods import parse_period
    from perp_pipeline.session import utc_now

    console = _console()
    this_month = Month.of(utc_now())
    span = _span(str(this_month - 1) if refresh else first, last or str(this_month))
    for text in period or ():
        try:
            parse_period(text)
        except ValueError as error:
            _usage(str(error))
    settings = Settings.from_environment(
        lake=lake,
        gateway=gateway,
        offline=offline or None,
        archives=archives,
        universe=universe,
        periods=tuple(period) if period else None,
        pools=tuple(pool) if pool else None,
    )
    for path in (settings.archives, settings.universe, settings.pool_registry):
        if path is not None and not path.is_file():
            _usage(f"{path}: no such file")
    try:
        reports = _run(console, settings, select or (), span, allow_lost_rows=allow_lost_rows)
    except (UnknownTable, LakeError, ValueError) as error:
        _usage(str(error))
    done = {report.table for report in reports if not report.error}
    there = f" --lake {settings.lake}" if lake else ""
    if "out_claims" in done:
        console.print(f"Report: {publish_report(settings)}", highlight=False, soft_wrap=True)
        console.print(f"Next: perp claims{there}", highlight=False, soft_wrap=True)
    elif any(table.startswith("out_") for table in done):
        console.print(f"Next: perp report{there}", highlight=False, soft_wrap=True)
    _exit(reports)


@app.command()
def read(
    table: Annotated[str, typer.Argument(help="A table; perp tables lists them.")],
    lake: LakeOption = None,
    where: Annotated[
        list[str] | None,
        typer.Option(metavar="COLUMN=VALUE", help="Rows to keep. Several values of one column: any of them."),
    ] = None,
    columns: Annotated[str | None, typer.Option(help="Columns to keep, separated by commas.")] = None,
    first: Annotated[str | None, typer.Option("--from", metavar="YYYY-MM", help="First month.")] = None,
    last: Annotated[str | None, typer.Option("--to", metavar="YYYY-MM", help="Last month.")] = None,
    form: Annotated[Format, typer.Option("--format", help="csv, json (lines) or parquet.")] = Format.csv,
    output: Annotated[Path | None, typer.Option(help="File to write; standard output by default.")] = None,
) -> None:
    """Print a table. Example: perp read core_funding_8h --where venue=binance --from 2021-01 --to 2021-03"""
    from perp_pipeline import contracts
    from perp_pipeline.lake import Lake, LakeError
    from perp_pipeline.output import write_table

    settings = Settings.from_environment(lake=lake)
    conditions: dict[str, list[str]] = {}
    for text in where or ():
        name, equals, value = text.partition("=")
        if not equals:
            _usage(f"--where {text!r}: write COLUMN=VALUE, for example venue=binance")
        conditions.setdefault(name, []).append(value)
    span = None
    if first or last:
        span = _span(first or "2009-01", last or "2100-01")
    try:
        contract = contracts.get(table)
        rows = Lake.at(settings.lake).read(
            contract, span, conditions, columns.split(",") if columns else None
        )
    except (KeyError, LakeError, ValueError) as error:
        _usage(str(error.args[0]) if error.args else str(error))
    if form is Format.parquet and output is None and sys.stdout.isatty():
        _usage("parquet is not for a terminal: add --output FILE or redirect")
    write_table(rows, form.value, output)


@app.command()
def tables(
    table: Annotated[str | None, typer.Argument(help="Show the columns of this table.")] = None,
    lake: LakeOption = None,
) -> None:
    """List the tables, or the columns, units and checks of one."""
    from perp_pipeline import contracts
    from perp_pipeline.lake import Lake
    from perp_pipeline.terminal import columns_table, tables_table

    console = _console(err=False)
    if table is None:
        store = Lake.at(Settings.from_environment(lake=lake).lake)
        held = {}
        for contract in contracts.tables().values():
            months = sorted({str(key.month) for key in store.partitions(contract) if key.month})
            if months:
                held[contract.name] = f"{months[0]}..{months[-1]}"
            elif store.partitions(contract):
                held[contract.name] = "yes"
        console.print(tables_table(list(contracts.tables().values()), held))
        return
    try:
        contract = contracts.get(table)
    except KeyError as error:
        _usage(str(error.args[0]))
    console.print(f"{contract.name}: {contract.doc}\nA row is {contract.grain}.\n", highlight=False)
    console.print(columns_table(contract))
    for check in contract.checks:
        console.print(f"check {check.name} ({check.severity}): {check.doc}", highlight=False)


@app.command()
def claims(
    claim: Annotated[int | None, typer.Argument(help="One claim's number.")] = None,
    explain: Annotated[
        bool, typer.Option("--explain", help="Definition, window, data, code and figures of the claim.")
    ] = False,
    window: Annotated[
        str | None,
        typer.Option(
            metavar="PERIOD",
            help="Compute the claim over this period instead of its own: all, 2021, 2021-02, "
            "2019-09..2022-06. The lake is not changed.",
        ),
    ] = None,
    lake: LakeOption = None,
) -> None:
    """Print the essays' claims with our estimates and verdicts. Example: perp claims 12 --window 2021"""
    console = _console(err=False)
    _print_claims(console, Settings.from_environment(lake=lake), claim, explain, window)


@app.command()
def report(
    lake: LakeOption = None,
    output: Annotated[Path | None, typer.Option(help="Folder to write; LAKE/report by default.")] = None,
) -> None:
    """Write the report: an index, a page per essay, figures as PNG and SVG, the regression table as LaTeX."""
    from perp_pipeline.lake import LakeError
    from perp_pipeline.publish import publish_report

    settings = Settings.from_environment(lake=lake)
    try:
        page = publish_report(settings, output)
    except LakeError as error:
        _usage(str(error))
    _console(err=False).print(f"Report: {page}", highlight=False, soft_wrap=True)


@app.command()
def doctor(lake: LakeOption = None, gateway: Annotated[str | None, typer.Option()] = None) -> None:
    """Check installation, settings and lake; say what is wrong and what to do."""
    from perp_pipeline.diagnosis import diagnose

    console = _console(err=False)
    findings = diagnose(Settings.from_environment(lake=lake, gateway=gateway))
    for finding in findings:
        mark = "[green]ok  [/]" if finding.good else "[red]bad [/]"
        console.print(f"{mark} {finding.text}", highlight=False, soft_wrap=True)
    if not all(finding.good for finding in findings):
        raise typer.Exit(EXIT_FAILED)


def main() -> None:
    """Entry point of the ``perp`` script."""
    app()


def _console(err: bool = True) -> Console:
    return Console(stderr=err)


def _span(first: str, last: str) -> Span:
    try:
        return Span.parse(first, last)
    except ValueError as error:
        _usage(str(error))


def _usage(message: str) -> NoReturn:
    Console(stderr=True).print(
        f"error: {message}", style="red", highlight=False, markup=False, soft_wrap=True
    )
    raise typer.Exit(EXIT_USAGE)


def _run(
    console: Console, settings: Settings, select: Sequence[str], span: Span, **session: Any
) -> list[StepReport]:
    from perp_pipeline.graph import select as choose
    from perp_pipeline.runner import run_many
    from perp_pipeline.session import open_session
    from perp_pipeline.terminal import RunDisplay, print_summary

    with (
        RunDisplay(console) as display,
        open_session(settings, progress=display.downloaded, **session) as context,
    ):
        names = choose(context.nodes, select)
        display.expect(len(names))
        reports = run_many(names, span, context, display.step)
        counters = context.http.counters
    print_summary(console, reports, counters)
    return reports


def _exit(reports: Sequence[StepReport]) -> None:
    if any(report.error for report in reports):
        raise typer.Exit(EXIT_FAILED)


def _print_claims(
    console: Console,
    settings: Settings,
    claim: int | None = None,
    explain: bool = False,
    window: str | None = None,
) -> None:
    from perp_pipeline.claims_terminal import print_claims
    from perp_pipeline.lake import TableMissing

    try:
        print_claims(console, settings, claim, explain=explain, window=window)
    except TableMissing as error:
        _usage(f"{error} (perp demo fills a lake offline: --lake {DEMO_LAKE})")
    except (KeyError, ValueError) as error:
        _usage(str(error.args[0]))
