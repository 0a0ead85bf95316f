import numpy as np
import pandas as pd

from perp_pipeline.contracts.model import Column, Contract, RowCheck, Severity
from perp_pipeline.lake.tables import to_arrow
from perp_pipeline.quality import audit, blocking, suite
from perp_pipeline.quality.suites import expectation_specs

CONTRACT = Contract(
    name="core_prices",
    doc="Prices for tests.",
    grain="one row per symbol and hour",
    key=("symbol", "hour"),
    columns=(
        Column("symbol", "string", "Symbol.", values=("BTC", "ETH")),
        Column("hour", "timestamp", "Hour."),
        Column("price", "float64", "Price.", "USD", low=0.0, high=1e6),
    ),
    time="hour",
    checks=(
        RowCheck(
            "moves",
            "the price moves from row to row",
            lambda frame: frame.groupby("symbol")["price"].diff().ne(0),
            "ask the venue again",
            Severity.WARN,
        ),
    ),
)


def good() -> pd.DataFrame:
    hours = pd.date_range("2020-01-01", periods=48, freq="h", tz="UTC")
    return pd.concat(
        [pd.DataFrame({"symbol": s, "hour": hours, "price": 100 + np.arange(48.0)}) for s in ("BTC", "ETH")],
        ignore_index=True,
    )


def test_a_good_table_passes_every_expectation_of_its_contract() -> None:
    results = audit(CONTRACT, to_arrow(CONTRACT, good()))
    assert all(result.passed and result.n_failing == 0 for result in results)
    names = [meta["name"] for _, _, meta in expectation_specs(CONTRACT)]
    assert [result.name for result in results] == names
    assert {
        "has_rows",
        "unique_key",
        "price_present",
        "price_in_bounds",
        "symbol_in_vocabulary",
        "moves",
    } <= set(names)
    assert len(suite(CONTRACT).expectations) == len(names)


def test_failing_rows_are_named_with_their_key_and_the_remedy() -> None:
    frame = good()
    frame.loc[[3, 60], "price"] = [-1.0, np.nan]
    frame.loc[10, "price"] = frame.loc[9, "price"]
    failed = {r.name: r for r in audit(CONTRACT, to_arrow(CONTRACT, frame)) if not r.passed}
    assert set(failed) == {"price_in_bounds", "price_present", "moves"}
    below = failed["price_in_bounds"]
    assert below.n_failing == 1 and below.failing.iloc[0]["price"] == -1.0
    assert "symbol=BTC, hour=2020-01-01 03:00:00+00:00, price=-1.0" in below.describe(CONTRACT)
    assert failed["moves"].describe(CONTRACT).endswith("Remedy: ask the venue again")
    assert {r.name for r in blocking(list(failed.values()))} == {"price_in_bounds", "price_present"}


def test_repeated_keys_unknown_words_and_empty_tables_block() -> None:
    frame = pd.concat([good(), good().iloc[[5]]], ignore_index=True)
    frame.loc[0, "symbol"] = "DOGE"
    failed = {r.name: r for r in blocking(audit(CONTRACT, to_arrow(CONTRACT, frame)))}
    assert failed["unique_key"].n_failing == 2
    assert failed["symbol_in_vocabulary"].failing.iloc[0]["symbol"] == "DOGE"
    empty = {r.name for r in blocking(audit(CONTRACT, to_arrow(CONTRACT, good().iloc[:0])))}
    assert empty == {"has_rows"}
