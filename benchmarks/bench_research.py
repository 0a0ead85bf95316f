"""Time every result table on a filled lake, against the bare statsmodels calls for the same numbers.

    python benchmarks/bench_research.py LAKE

The bare calls are, by statsmodels alone and on arrays that are ready: for each regression, OLS with HAC
covariance at the same length and bandwidth (raw and standardised rows share a fit; each bandwidth is a fit
of its own); for every other row with a Newey-West error, OLS on a constant with HAC covariance at the row's
n and lags, which is statsmodels' way to a mean and its error. They read no table, sort, align, forecast or
fit nothing else. Of tables with many rows a sample of the calls is timed and scaled up. Seconds are
processor time; the draws of the persistence null, for which statsmodels has no call, are told apart.
"""

from __future__ import annotations

import argparse
import importlib
import time
from collections.abc import Callable, Iterable
from functools import partial

import numpy as np
import pandas as pd

from perp_pipeline import contracts
from perp_pipeline.lake.errors import TableMissing
from perp_pipeline.lake.lake import Lake
from perp_pipeline.lake.tables import to_frame
from perp_pipeline.steps import PROVENANCE, Built, Step
from perp_pipeline.tables import STEPS

SAMPLE = 400
"""Bare calls that are timed of each table."""

FEWEST_DRAWS = 2


def inputs(lake: Lake, step: Step) -> dict[str, pd.DataFrame]:
    """The tables that a step is made of; without rows where the lake lacks them, as in a run."""
    found = {}
    for one in step.inputs:
        contract = contracts.get(one.table)
        columns = [name for name in contract.schema.names if name not in PROVENANCE]
        try:
            found[one.table] = lake.frame(contract, columns=columns)
        except TableMissing:
            found[one.table] = to_frame(contract.schema.empty_table().select(columns))
    return found


def seconds(work: Callable[[], object], times: int = 1) -> float:
    """Least processor time of so many calls."""
    found = []
    for _ in range(times):
        start = time.process_time()
        work()
        found.append(time.process_time() - start)
    return min(found)


def calls(table: pd.DataFrame) -> list[tuple[int, int, int]]:
    """Regressors (constant included), rows and lags of each bare call behind a result table."""
    if "hac_lags" not in table or "claim_id" in table:  # claims quote the errors of other tables
        return []
    if "spec" in table:
        rows = table[~table["standardised"].astype(bool) & (table["term"] == "const")]
        width = 3 + rows["spec"].str.contains("_lagged", regex=False)
    else:
        rows = table[table["se"].notna() & (table["n"] > 8) & table["hac_lags"].notna()]
        width = pd.Series(1, rows.index)
    return list(zip(width, rows["n"].astype(int), rows["hac_lags"].astype(int), strict=True))


def bare_statsmodels(wanted: Iterable[tuple[int, int, int]]) -> None:
    """The calls, on noise."""
    import statsmodels.api as sm

    wanted = list(wanted)
    rng = np.random.default_rng(0)
    design = sm.add_constant(rng.normal(size=(max(n for _, n, _ in wanted), 3)))
    y = rng.normal(size=len(design))
    for width, n, lags in wanted:
        fit = sm.OLS(y[:n], design[:n, :width]).fit(
            cov_type="HAC", cov_kwds={"maxlags": min(lags, n - 1), "use_correction": False}
        )
        _ = fit.params, fit.bse, fit.rsquared


def bare_seconds(table: pd.DataFrame) -> float:
    """Processor time of the bare calls behind a table; NaN where it has no Newey-West error."""
    wanted = calls(table)
    if not wanted:
        return float("nan")
    sample = wanted[:: max(1, len(wanted) // SAMPLE)]
    return seconds(lambda: bare_statsmodels(sample), 2) * len(wanted) / len(sample)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("lake")
    parser.add_argument("--table", help="one result table instead of all")
    asked = parser.parse_args()
    lake = Lake.at(asked.lake)
    for name in ("scipy.stats", "statsmodels.api"):
        importlib.import_module(name)  # not the estimators' time

    print("| table | rows | seconds | bare statsmodels | ratio |\n|---|---|---|---|---|")
    total = [0.0, 0.0]
    for step in STEPS:
        name = step.output.name
        if not name.startswith("out_") or asked.table not in (None, name):
            continue
        tables = inputs(lake, step)
        build = partial(step.build, **tables)
        built = build()
        own = seconds(build, 2)
        frame = built.frame if isinstance(built, Built) else built
        bare = bare_seconds(frame)
        total[0] += own
        total[1] += 0.0 if np.isnan(bare) else bare
        print(_line(f"`{name}`", len(frame), own, bare), flush=True)
        if name == "out_regressions":
            plain = seconds(partial(build, simulations=FEWEST_DRAWS), 3)
            print(_line("the same without draws of the null", len(frame), plain, bare), flush=True)
    print(_line("all", 0, *total))


def _line(name: str, rows: int, own: float, bare: float) -> str:
    ratio = "" if np.isnan(bare) else f"{own / bare:.2f}"
    shown = "" if np.isnan(bare) else f"{bare:.2f}"
    count = f"{rows:,}" if rows else ""
    return f"| {name} | {count} | {own:.2f} | {shown} | {ratio} |"


if __name__ == "__main__":
    main()
