"""Time the estimators on a filled lake, and the regressions against bare statsmodels calls.

    python benchmarks/bench_research.py LAKE

The comparison fits, by statsmodels alone and on arrays that are ready, as many regressions of the same
lengths and bandwidths as out_regressions reports (raw and standardised rows share a fit; each bandwidth is
a fit of its own), and does nothing else. Ratios are of processor time, the best of three.
"""

from __future__ import annotations

import argparse
import inspect
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd

from perp_pipeline import contracts
from perp_pipeline.lake.errors import TableMissing
from perp_pipeline.lake.lake import Lake
from perp_pipeline.research.house_money import out_house_money
from perp_pipeline.research.lead_lag import out_lead_lag
from perp_pipeline.research.predictor_race import out_predictor_race
from perp_pipeline.research.quanto import out_quanto
from perp_pipeline.research.regressions import out_regressions
from perp_pipeline.research.sides import out_sides
from perp_pipeline.steps import Built

ESTIMATORS: tuple[Callable[..., Any], ...] = (
    out_regressions,
    out_lead_lag,
    out_predictor_race,
    out_quanto,
    out_house_money,
    out_sides,
)


def inputs(lake: Lake, build: Callable[..., Any]) -> dict[str, pd.DataFrame]:
    """The tables that an estimator is named after, as far as the lake has them."""
    found = {}
    for name in inspect.signature(build).parameters:
        if name in contracts.tables():
            try:
                found[name] = lake.frame(contracts.get(name))
            except TableMissing:
                continue
    return found


def processor_seconds(work: Callable[[], object]) -> float:
    """Processor time of a call."""
    start = time.process_time()
    work()
    return time.process_time() - start


def bare_statsmodels(table: pd.DataFrame) -> None:
    """The fits behind out_regressions, by statsmodels."""
    import statsmodels.api as sm

    rows = table[~table["standardised"] & (table["term"] == "const")]
    rng = np.random.default_rng(0)
    design = sm.add_constant(rng.normal(size=(int(rows["n"].max()), 3)))
    y = rng.normal(size=len(design))
    for spec, n, lags in rows[["spec", "n", "hac_lags"]].itertuples(index=False):
        columns = 4 if "_lagged" in spec else 3
        fit = sm.OLS(y[:n], design[:n, :columns]).fit(
            cov_type="HAC", cov_kwds={"maxlags": lags, "use_correction": False}
        )
        _ = fit.params, fit.bse, fit.rsquared


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("lake")
    lake = Lake.at(parser.parse_args().lake)
    import statsmodels.api  # noqa: F401  # its import is not the estimators' time

    total = 0.0
    for build in ESTIMATORS:
        tables = inputs(lake, build)
        start = time.perf_counter()
        built = build(**tables)
        seconds = time.perf_counter() - start
        frame = built.frame if isinstance(built, Built) else built
        total += seconds
        print(f"{build.__name__:22s} {seconds:6.2f} s  {len(frame):6,} rows")
        if build is out_regressions:
            own = min(processor_seconds(lambda: build(**tables, simulations=2)) for _ in range(3))  # noqa: B023
            bare = min(processor_seconds(lambda: bare_statsmodels(frame)) for _ in range(3))  # noqa: B023
            print(f"  without draws {own:.2f} s, bare statsmodels {bare:.2f} s: {own / bare:.2f}x")
    print(f"{'all':22s} {total:6.2f} s")


if __name__ == "__main__":
    main()
