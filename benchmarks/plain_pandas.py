"""The averages of out_funding_averages over all of history, as a plain script would compute them.

    python benchmarks/plain_pandas.py GATEWAY OUT.csv

Each series is asked for in the largest pages that its venue gives. Nothing is checked, stored or typed: each
payment is taken for what it says. The mean of each series comes with a Newey-West error of statsmodels.
"""

from __future__ import annotations

import calendar
import io
import math
import sys
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise

import httpx
import numpy as np
import pandas as pd
import statsmodels.api as sm

START, END = pd.Timestamp("2016-05-01", tz="UTC"), pd.Timestamp("2026-07-01", tz="UTC")
BITMEX = [f"{coin}{quote}" for quote in ("USD", "USDT") for coin in ("XBT", "ETH", "XRP", "SOL", "BNB")]
CME = (
    "raw.githubusercontent.com/nanopowered/Bitcoin-COT-Reports/7df8d5ad782764a5c61a22bfd2f015e1324ba816"
    "/data/cme_btc_futures_daily.csv"
)


def main(gateway: str, output: str) -> None:
    """Download, average, write one row per series."""
    with httpx.Client(base_url=gateway, timeout=60) as client:
        payments = {
            **{("binance", symbol): binance(client, symbol) for symbol in ("BTCUSDT", "ETHUSDT")},
            **{("bitmex", symbol): bitmex(client, symbol) for symbol in BITMEX},
            **{("bybit", symbol): bybit(client, symbol) for symbol in ("BTCUSDT", "ETHUSDT")},
            **{("hyperliquid", coin): hyperliquid(client, coin) for coin in ("BTC", "ETH")},
            ("deribit", "BTC-PERPETUAL"): deribit(client),
        }
        spot = bitcoin(client)
        curve = pd.read_csv(io.BytesIO(client.get(CME).content), parse_dates=["date"], index_col="date")
    rows = [(*name, "funding", *mean(daily(frame))) for name, frame in payments.items()]
    rows += [("cme", "BTC", method, *mean(rates)) for method, rates in futures(curve, spot).items()]
    frame = pd.DataFrame(rows, columns=["venue", "symbol", "method", "estimate", "se", "n"])
    frame.to_csv(output, index=False)


def binance(client: httpx.Client, symbol: str) -> pd.DataFrame:
    """Payments by REST, a thousand at a time."""
    start, pages = int(START.timestamp() * 1000), []
    while True:
        params = {"symbol": symbol, "startTime": start, "endTime": ms(END) - 1, "limit": 1000}
        page = client.get("fapi.binance.com/fapi/v1/fundingRate", params=params).json()
        pages += page
        if len(page) < 1000:
            break
        start = page[-1]["fundingTime"] + 1
    times = pd.to_datetime([row["fundingTime"] for row in pages], unit="ms", utc=True).round("s")
    return table(times, [float(row["fundingRate"]) for row in pages], 8)


def bitmex(client: httpx.Client, symbol: str) -> pd.DataFrame:
    """Payments, five hundred at a time."""
    start, pages = START.isoformat(), []
    while True:
        params = {"symbol": symbol, "startTime": start, "endTime": END.isoformat(), "count": 500}
        page = client.get("www.bitmex.com/api/v1/funding", params=params).json()
        pages += page
        if len(page) < 500:
            break
        start = (pd.Timestamp(page[-1]["timestamp"]) + pd.Timedelta("1s")).isoformat()
    hours = [pd.Timestamp(row["fundingInterval"]) - pd.Timestamp("2000-01-01", tz="UTC") for row in pages]
    return table(
        pd.to_datetime([row["timestamp"] for row in pages], utc=True),
        [row["fundingRate"] for row in pages],
        [span / pd.Timedelta("1h") for span in hours],
    )


def bybit(client: httpx.Client, symbol: str) -> pd.DataFrame:
    """Payments, two hundred at a time, the newest first."""
    end, pages = ms(END) - 1, []
    while True:
        params = {
            "category": "linear",
            "symbol": symbol,
            "startTime": ms(START),
            "endTime": end,
            "limit": 200,
        }
        page = client.get("api.bybit.com/v5/market/funding/history", params=params).json()["result"]["list"]
        pages += page
        if len(page) < 200:
            break
        end = int(page[-1]["fundingRateTimestamp"]) - 1
    times = pd.to_datetime([int(row["fundingRateTimestamp"]) for row in pages], unit="ms", utc=True)
    return table(times, [float(row["fundingRate"]) for row in pages], 8)


def hyperliquid(client: httpx.Client, coin: str) -> pd.DataFrame:
    """Payments, five hundred at a time: every 8 hours until 2023-06-08, every hour since."""
    start, pages = ms(START), []
    while True:
        payload = {"type": "fundingHistory", "coin": coin, "startTime": start, "endTime": ms(END) - 1}
        page = client.post("api.hyperliquid.xyz/info", json=payload).json()
        pages += page
        if len(page) < 500:
            break
        start = page[-1]["time"] + 1
    times = pd.to_datetime([row["time"] for row in pages], unit="ms", utc=True).round("s")
    hours = np.where(times < pd.Timestamp("2023-06-08 16:30", tz="UTC"), 8, 1)
    return table(times, [float(row["fundingRate"]) for row in pages], hours)


def deribit(client: httpx.Client) -> pd.DataFrame:
    """Hourly interest, a month at a time."""
    rows = []
    for month, after in pairwise(pd.date_range("2019-04-01", "2021-03-01", freq="MS", tz="UTC")):
        params = {
            "instrument_name": "BTC-PERPETUAL",
            "start_timestamp": ms(month) - 1,
            "end_timestamp": ms(after) - 1,
        }
        answer = client.get("www.deribit.com/api/v2/public/get_funding_rate_history", params=params)
        rows += answer.json()["result"]
    times = pd.to_datetime([row["timestamp"] for row in rows], unit="ms", utc=True)
    return table(times, [row["interest_1h"] for row in rows], 1)


def bitcoin(client: httpx.Client) -> pd.Series:
    """Hourly BTC closes by the end of the hour: Gemini's until 2018, Binance's since."""
    file = client.get("www.cryptodatadownload.com/cdd/Gemini_BTCUSD_1h.csv").content
    gemini = pd.read_csv(io.BytesIO(file), skiprows=1)
    unix = gemini.iloc[:, 0].astype("float64")
    unix = unix.where(unix < 1e11, unix / 1000)
    old = pd.Series(gemini["Close"].to_numpy(), index=pd.to_datetime(unix, unit="s", utc=True))
    old = old.sort_index()[: pd.Timestamp("2018-12-31 23:00", tz="UTC")]
    months = pd.period_range("2019-01", "2026-06", freq="M")
    folder = "data.binance.vision/data/spot/monthly/klines/BTCUSDT/1h/BTCUSDT-1h"
    with ThreadPoolExecutor(2) as pool:
        zips = list(pool.map(lambda month: client.get(f"{folder}-{month}.zip").content, months))
    bars = pd.concat(pd.read_csv(io.BytesIO(z), header=None, compression="zip") for z in zips)
    opened = bars[0].where(bars[0] > 1e14, bars[0] * 1000)
    new = pd.Series(bars[4].to_numpy(), index=pd.to_datetime(opened.to_numpy(), unit="us", utc=True))
    closes = pd.concat([old, new])
    closes.index = closes.index + pd.Timedelta("1h")
    return closes[~closes.index.duplicated()]


def ms(moment: pd.Timestamp) -> int:
    """Milliseconds since 1970."""
    return int(moment.timestamp() * 1000)


def table(times: pd.DatetimeIndex, rates: list[float], hours: int | list[float] | np.ndarray) -> pd.DataFrame:
    """Payments by the hour they were paid."""
    return pd.DataFrame({"paid": times.floor("h"), "rate": rates, "hours": hours}).astype({"hours": "int64"})


def daily(payments: pd.DataFrame) -> pd.Series:
    """Annual rate of each UTC day whose 24 hours are paid."""
    counts = payments["hours"].to_numpy()
    hourly = payments.loc[payments.index.repeat(counts)]
    back = np.concatenate([np.arange(count, 0, -1) for count in counts])
    days = (hourly["paid"] - pd.to_timedelta(back, unit="h")).dt.floor("D")
    grouped = (hourly["rate"] / hourly["hours"] * 8760).groupby(days.to_numpy())
    return grouped.mean()[grouped.size() == 24]


def futures(curve: pd.DataFrame, spot: pd.Series) -> dict[str, pd.Series]:
    """Rates of the CME curve; last Fridays are taken for the expiries, and the file for two contracts."""
    days = curve.index
    settles = (days + pd.Timedelta("15h")).tz_localize("America/Chicago").tz_convert("UTC")
    fridays = [last_friday(year, month) for year in range(2017, 2027) for month in range(1, 13)]
    expiries = pd.DatetimeIndex(fridays) + pd.Timedelta("16h")
    place = expiries.searchsorted(days + pd.Timedelta("3D"))
    t1, t2 = (
        (expiries[place + step].tz_localize("Europe/London") - settles) / pd.Timedelta("1D")
        for step in (0, 1)
    )
    f1, f2, s = curve["f1_close"], curve["f2_close"], pd.Series(spot.reindex(settles).to_numpy(), index=days)
    rates = {
        "calendar_x12": (f2 / f1 - 1) * 12,
        "calendar": (f2 / f1 - 1) * 365 / (t2 - t1),
        "front_basis": (f1 / s - 1) * 365 / t1,
        "second_basis": (f2 / s - 1) * 365 / t2,
        "cm30": 365 * (np.log(f1 / s) + (np.log(f2 / f1)) * (30 - t1) / (t2 - t1)) / 30,
    }
    return {method: rate.dropna() for method, rate in rates.items()}


def last_friday(year: int, month: int) -> pd.Timestamp:
    """Midnight of the last Friday of a month."""
    last = pd.Timestamp(year, month, calendar.monthrange(year, month)[1])
    return last - pd.Timedelta(days=(last.weekday() - 4) % 7)


def mean(rates: pd.Series) -> tuple[float, float, int]:
    """Mean, its Newey-West error with 1.3 sqrt(n) lags, and n."""
    lags = min(max(30, math.ceil(1.3 * math.sqrt(len(rates)))), len(rates) // 3)
    fit = sm.OLS(rates.to_numpy(), np.ones(len(rates))).fit(
        cov_type="HAC", cov_kwds={"maxlags": lags, "use_correction": True}
    )
    return float(fit.params[0]), float(fit.bse[0]), len(rates)


if __name__ == "__main__":
    main(*sys.argv[1:])
