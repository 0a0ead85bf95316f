"""Nightly refreshes while a month goes on: prices and returns reach the night, not the end of last month."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pandas as pd
import pytest
from lakes import errors

from perp_pipeline import contracts
from perp_pipeline.graph import select
from perp_pipeline.lake import Lake
from perp_pipeline.months import Month, Span
from perp_pipeline.orchestration.partitions import refresh_span
from perp_pipeline.runner import run_many
from perp_pipeline.session import open_session
from perp_pipeline.settings import Settings
from perp_pipeline.simulation import open_market

pytestmark = pytest.mark.slow

MONTHS = Span.parse("2021-01", "2021-04")
NIGHT = datetime(2021, 3, 20, 1, 30, tzinfo=UTC)
TABLES = ("raw_binance_spot_1h", "core_spot_1h", "core_returns_8h", "core_funding_8h")


def refresh(lake: Path, now: datetime) -> dict[str, pd.DataFrame]:
    """Tables of the lake after a nightly refresh at a moment of the simulated market."""
    market = open_market(7, MONTHS, now)
    with open_session(
        Settings(lake=str(lake)),
        transport=market.transport,
        market="simulated seed 7",
        clock=lambda: now,
        archives=market.archives,
        universe=market.universe,
        pools=market.pools,
    ) as context:
        reports = run_many(select(context.nodes, TABLES), refresh_span(Month.of(now)), context)
        assert errors(reports) == ""
        assert context.http.counters.retries == 0
    stored = Lake.at(str(lake))
    return {name: stored.frame(contracts.get(name)) for name in TABLES}


def at(text: str) -> pd.Timestamp:
    return pd.Timestamp(text, tz="UTC")


def test_returns_reach_the_last_complete_window_of_the_night(tmp_path: Path) -> None:
    first = refresh(tmp_path, NIGHT)
    bars, returns = first["raw_binance_spot_1h"], first["core_returns_8h"]
    assert bars["open_time"].max() == at("2021-03-20 00:00")
    by_rest = bars["source_url"].str.startswith("https://api.binance.com/api/v3/klines")
    assert by_rest.eq(bars["open_time"] >= at("2021-03-01")).all()
    for _, rows in returns.groupby("base"):
        ends = pd.date_range(rows["window_end"].min(), at("2021-03-20 00:00"), freq="8h")
        assert rows["window_end"].tolist() == list(ends)
        assert set(rows["source_venue"]) == {"binance"}

    second = refresh(tmp_path, NIGHT + timedelta(days=1, hours=8))
    later = second["core_returns_8h"]
    assert later["window_end"].max() == at("2021-03-21 08:00")
    both = returns.merge(later, on=["base", "window_end"], suffixes=("", "_later"))
    assert len(both) == len(returns)
    assert both["ret_8h"].equals(both["ret_8h_later"])
    funding = second["core_funding_8h"]
    paid = funding[(funding["venue"] == "binance") & (funding["coverage"] == 1.0)]
    assert paid["window_end"].max() == later["window_end"].max(), "prices reach as far as funding"


def test_the_first_days_of_a_month_and_the_day_the_file_is_out(tmp_path: Path) -> None:
    early = refresh(tmp_path, datetime(2021, 4, 1, 1, 30, tzinfo=UTC))
    late = refresh(tmp_path, datetime(2021, 4, 2, 1, 30, tzinfo=UTC))
    assert early["core_returns_8h"]["window_end"].max() == at("2021-04-01")
    assert late["core_returns_8h"]["window_end"].max() == at("2021-04-02")
    march = []
    for tables in (early, late):
        bars = tables["raw_binance_spot_1h"]
        march.append(bars[bars["open_time"].between(at("2021-03-01"), at("2021-03-31 23:00"))])
    assert [len(bars) for bars in march] == [2 * 744, 2 * 744]
    assert march[0]["source_url"].str.contains("/api/v3/klines").all()
    assert march[1]["source_url"].str.endswith("-1h-2021-03.zip").all()
    told = ["symbol", "open_time", "open", "high", "low", "close", "volume_base"]
    assert march[0][told].reset_index(drop=True).equals(march[1][told].reset_index(drop=True))
