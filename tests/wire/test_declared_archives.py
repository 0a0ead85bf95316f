"""A user's own archive entries fill tables that no source does; the claims that wait for them get numbers."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pandas as pd
import pytest
from funding_wire import NOW, download

from perp_pipeline import contracts
from perp_pipeline.funding.grid import core_funding_daily
from perp_pipeline.funding.payments import core_funding_payments
from perp_pipeline.lake.tables import to_arrow, to_frame
from perp_pipeline.research.averages import out_funding_averages
from perp_pipeline.research.claims import Finding, evaluate
from perp_pipeline.research.claims.model import Verdict
from perp_pipeline.research.claims.register import find_claim
from perp_pipeline.research.premium_precision import out_premium_precision
from perp_pipeline.research.sides import out_sides
from perp_pipeline.sources.base import Dataset
from perp_pipeline.sources.declared import (
    PerpPrices,
    Trades,
    VenueDays,
    parse_perp_prices,
    parse_trades,
    parse_venue_days,
)
from perp_pipeline.sources.errors import FormatChanged
from perp_pipeline.sources.http import Http
from perp_pipeline.sources.pinned import PinnedArchive, read_list
from perp_pipeline.sources.pinned_funding import PinnedFunding
from perp_pipeline.sources.store import BodyStore

ENTRY = """
[[archive]]
name = "mine"
url = "https://files.example.org/mine.csv"
sha256 = "{sha256}"
time_column = "at"
time_unit = "text"
time_zone = "UTC"
{rest}
"""


def declared(content: str, rest: str) -> PinnedArchive:
    """The entry of a user's list for a file with the given content."""
    text = ENTRY.format(sha256=hashlib.sha256(content.encode()).hexdigest(), rest=rest)
    (archive,) = read_list(text, origin="mine.toml")
    return archive


def served(dataset: Dataset, content: str, folder: Path, first: str, last: str) -> pd.DataFrame:
    """The raw table, as the lake would give it, from a server that has the file."""
    transport = httpx.MockTransport(lambda request: httpx.Response(200, content=content.encode()))
    with Http(BodyStore(folder), transport=transport, sleep=lambda _: None, now=lambda: NOW) as http:
        frame = download(dataset, http, first, last)
    contract = contracts.get(dataset.contract.name)
    arrow = to_arrow(contract, frame)
    for check in contract.checks:
        assert check.passes(to_frame(arrow)).all(), check.name
    return to_frame(arrow)


def empty(table: str) -> pd.DataFrame:
    return to_frame(contracts.get(table).schema.empty_table())


def claim(number: int, **tables: pd.DataFrame) -> Finding:
    return evaluate(find_claim(number), tables)


DAYS = """
table = "raw_venue_days"
venue = "dydx"
symbol = "all"
time_means = "session"
columns = { volume_usd = "volume", locked_value_usd = "tvl" }
"""


def test_volume_and_locked_value_before_and_after_rewards(tmp_path: Path) -> None:
    """Claim 54: a fall of 90 % and of 80 %, planted at the end of the last epoch with rewards."""
    rng = np.random.default_rng(3)
    days = pd.date_range("2023-01-17", "2024-12-31")
    after = days > pd.Timestamp("2024-01-16")
    noise = 1 + 0.1 * rng.normal(size=len(days))
    volume, held = np.where(after, 1e8, 1e9) * noise, np.where(after, 8e7, 4e8) * noise
    lines = [f"{day:%Y-%m-%d},{v:.2f},{h:.2f}" for day, v, h in zip(days, volume, held, strict=True)]
    content = "\n".join(["at,volume,tvl", *lines]) + "\n"
    table = VenueDays((declared(content, DAYS),))
    raw = served(table, content, tmp_path, "2023-01", "2024-12")
    assert raw.groupby("quantity").size().to_dict() == {
        "locked_value_usd": len(days),
        "volume_usd": len(days),
    }
    sides = out_sides(core_funding_payments=empty("core_funding_payments"), raw_venue_days=raw)
    to_arrow(contracts.get("out_sides"), sides)
    found = claim(54, out_sides=sides)
    assert found.estimate == pytest.approx(volume[after].mean() / volume[~after].mean() - 1)
    assert [part.estimate for part in found.parts] == pytest.approx([-0.9, -0.8], abs=0.01)
    assert found.parts[0].se < 0.01
    assert found.verdict is Verdict.FAILS  # the locked value fell by less


def test_days_around_rewards_must_be_on_both_sides(tmp_path: Path) -> None:
    days = pd.date_range("2024-01-20", "2024-12-31")
    content = "\n".join(["at,volume,tvl", *(f"{day:%Y-%m-%d},1.0,2.0" for day in days)])
    raw = served(VenueDays((declared(content, DAYS),)), content, tmp_path, "2024-01", "2024-12")
    sides = out_sides(core_funding_payments=empty("core_funding_payments"), raw_venue_days=raw)
    found = claim(54, out_sides=sides)
    assert found.verdict is Verdict.NO_DATA
    assert "volume and locked value of dYdX" in found.reason


def test_funding_of_a_closed_venue(tmp_path: Path) -> None:
    """Claim 55: perp.fi funding of -0.001 % an hour, with its contract in a universe of the user's own."""
    rng = np.random.default_rng(4)
    hours = pd.date_range("2021-01-01 01:00", "2021-06-30", freq="h")
    rates = -1e-5 + 1e-6 * rng.normal(size=len(hours))
    lines = [f"{hour:%Y-%m-%d %H:%M:%S},{rate:.12f}" for hour, rate in zip(hours, rates, strict=True)]
    content = "\n".join(["at,rate", *lines]) + "\n"
    entry = """
table = "raw_pinned_funding"
venue = "perp_fi"
symbol = "ETH-USDC"
time_means = "instant"
columns = { rate = "rate" }
constants = { interval_hours = 1.0 }
"""
    universe = tmp_path / "universe.toml"
    universe.write_text(
        '[[instrument]]\nvenue = "perp_fi"\nsymbol = "ETH-USDC"\nbase = "ETH"\ncontract_type = "linear"\n'
        'margin_asset = "USDC"\nlisted_from = 2021-01-01T01:00:00Z\n',
        encoding="utf-8",
    )
    raw = served(PinnedFunding((declared(content, entry),)), content, tmp_path, "2021-01", "2021-06")
    payments = core_funding_payments(
        raw_binance_funding=empty("raw_binance_funding"),
        raw_bitmex_bucketed=empty("raw_bitmex_bucketed"),
        raw_pinned_funding=raw,
        universe=universe,
    ).frame
    averages = out_funding_averages(
        core_funding_daily=core_funding_daily(core_funding_payments=payments),
        core_funding_payments=payments,
        core_cme_implied=empty("core_cme_implied"),
    )
    found = claim(55, out_funding_averages=averages)
    assert found.verdict is Verdict.WEAK  # the archive has ETH alone
    assert "as claimed" in found.reason
    assert "Judged on 1 of 2 published numbers" in found.reason
    assert found.estimate == pytest.approx(8760 * rates.mean(), rel=0.01)
    assert "BTC" not in found.reason.partition("Missing")[0]


PRICES = """
table = "raw_perp_prices"
venue = "synthetix"
symbol = "sETH-PERP"
time_means = "instant"
columns = { perp_price = "perp", spot_price = "index" }
constants = { base = "ETH" }
"""


def test_prices_beside_spot(tmp_path: Path) -> None:
    """Claim 56: prices 0.2 % around spot on Synthetix, 0.1 % on Binance."""
    rng = np.random.default_rng(5)
    hours = pd.date_range("2023-01-01", periods=2000, freq="30min")
    spot = 1500 * np.exp(np.cumsum(0.002 * rng.normal(size=len(hours))))
    gaps = 0.002 * rng.normal(size=len(hours))
    lines = [
        f"{hour:%Y-%m-%d %H:%M:%S},{s * (1 + gap):.6f},{s:.6f}"
        for hour, s, gap in zip(hours, spot, gaps, strict=True)
    ]
    content = "\n".join(["at,perp,index", *lines]) + "\n"
    raw = served(PerpPrices((declared(content, PRICES),)), content, tmp_path, "2023-01", "2023-03")
    paid = pd.date_range("2023-01-01", periods=300, freq="8h", tz="UTC", unit="us")
    payments = pd.DataFrame(
        {
            "venue": "binance",
            "symbol": "ETHUSDT",
            "base": "ETH",
            "margin_asset": "USDT",
            "paid_at": paid,
            "accrual_start": paid - pd.Timedelta("8h"),
            "interval_hours": 8.0,
            "rate": 1e-4,
            "perp_price": 1500 * (1 + 0.001 * rng.normal(size=300)),
        }
    )
    bars = {"venue": "binance", "base": "ETH", "quote": "USDT", "close": 1500.0}
    prices = pd.DataFrame({**bars, "bar_start": paid - pd.Timedelta("1h")})
    sides = out_sides(core_funding_payments=payments, core_spot_1h=prices, raw_perp_prices=raw)
    to_arrow(contracts.get("out_sides"), sides)
    spreads = sides[(sides["quantity"] == "price_gap_sd") & (sides["period"] == "all")].set_index("venue")
    # The last of each hour: every second.
    assert spreads.loc["synthetix", "estimate"] == pytest.approx(gaps[1::2].std(), rel=1e-4)
    assert spreads.loc["synthetix", "n"] == 1000
    expected = (payments["perp_price"].iloc[1:] / 1500 - 1).std(ddof=0)
    assert spreads.loc["binance", "estimate"] == pytest.approx(expected)
    found = claim(56, out_sides=sides)
    assert found.verdict is Verdict.FAILS
    assert found.estimate == pytest.approx(0.001, abs=1e-4)
    assert found.parts[0].se == pytest.approx(np.hypot(*spreads["se"]))


TRADES = """
table = "raw_trades"
venue = "gemini"
symbol = "BTCUSD"
time_means = "instant"
columns = { price = "price" }
constants = { base = "BTC" }
"""


@pytest.mark.parametrize("newest_first", [False, True])
def test_trade_after_trade(tmp_path: Path, newest_first: bool) -> None:
    """Claim 29: jumps of 0.15 % from trade to trade, several trades in one second."""
    rng = np.random.default_rng(6)
    jumps = 0.0015 * rng.normal(size=4000)
    prices = 30_000 * np.exp(np.cumsum(jumps))
    times = pd.Timestamp("2021-05-01") + pd.to_timedelta(np.sort(rng.integers(0, 3000, 4000)), "s")
    lines = [f"{time:%Y-%m-%d %H:%M:%S},{price:.8f}" for time, price in zip(times, prices, strict=True)]
    content = "\n".join(["at,price", *(lines[::-1] if newest_first else lines)]) + "\n"
    raw = served(Trades((declared(content, TRADES),)), content, tmp_path, "2021-05", "2021-05")
    precision = out_premium_precision(
        core_premium=empty("core_premium"),
        core_funding_payments=empty("core_funding_payments"),
        raw_binance_premium=empty("raw_binance_premium"),
        raw_trades=raw,
    )
    to_arrow(contracts.get("out_premium_precision"), precision)
    found = claim(29, out_premium_precision=precision)
    assert found.estimate == pytest.approx(jumps[1:].std(), rel=1e-6)
    assert (found.n, found.verdict) == (3999, Verdict.HOLDS)


@pytest.mark.parametrize(
    ("parse", "rest", "content"),
    [
        (parse_venue_days, DAYS, "at,volume,tvl\n2021-01-01,1,2\n2021-01-01,1,2\n"),
        (parse_venue_days, DAYS, "at,volume,tvl\n2021-01-01,-1,2\n"),
        (parse_venue_days, DAYS.replace("volume_usd", "trades"), "at,volume,tvl\n2021-01-01,1,2\n"),
        (parse_perp_prices, PRICES, "at,perp,index\n2021-01-01 00:00:00,0,2\n"),
        (parse_perp_prices, PRICES, "at,perp,index\n2021-01-01 00:00:00,1,\n"),
        (parse_perp_prices, PRICES, "at,perp,index\n2021-01-01,1,2\n2021-01-01,1,2\n"),
        (parse_trades, TRADES, "at,price\n2021-01-01 00:00:00,-3\n"),
        (parse_trades, TRADES.replace("price =", "paid ="), "at,price\n2021-01-01 00:00:00,3\n"),
    ],
)
def test_files_that_do_not_read(parse: Any, rest: str, content: str) -> None:
    with pytest.raises(FormatChanged, match="archive mine"):
        parse(declared(content, rest), content.encode())


def test_an_entry_without_its_base_is_refused() -> None:
    archive = replace(declared("at,price\n2021-01-01,3\n", TRADES), constants={})
    with pytest.raises(FormatChanged, match="maps no base"):
        parse_trades(archive, b"at,price\n2021-01-01,3\n")
