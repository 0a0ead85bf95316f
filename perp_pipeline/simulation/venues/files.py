"""Files: CryptoDataDownload candles, FRED graphs, public copies on raw.githubusercontent.com."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import datetime
from functools import cached_property, partial

import numpy as np
import pandas as pd

from perp_pipeline.simulation.bars import aggregate, spot_bars
from perp_pipeline.simulation.curve import curve_rows
from perp_pipeline.simulation.market import Bars, SimulatedMarket
from perp_pipeline.simulation.parameters import HOURS_A_DAY
from perp_pipeline.simulation.reference import SERIES, reference_series
from perp_pipeline.simulation.wire import Answer, Asked, etag, html_answer, moment, plain

CDD, FRED, GITHUB = "www.cryptodatadownload.com", "fred.stlouisfed.org", "raw.githubusercontent.com"
HOSTS = (CDD, FRED, GITHUB)

_COMMIT = re.compile(r"/[^/]+/[^/]+/[0-9a-f]{40}/(?P<path>.+)")
_DAY = re.compile(r"\d{4}-\d\d-\d\d")
_TWO_ROW_DAYS = 30
_SUMMER_START = 4
"""Hour (UTC) at which a day starts in the part of Gemini's daily file that New York's midnight ruled."""


class Files:
    """Answers for one market. Public copies are found by their path inside the repository, at any commit.

    Args:
        now: files end before it, FRED the day before; None: they go to the market's end.
    """

    def __init__(self, market: SimulatedMarket, now: datetime | None = None) -> None:
        self.market = market
        self._now = market.span.end if now is None else now
        self._bodies: dict[str, bytes] = {}

    @cached_property
    def _makers(self) -> dict[str, Callable[[], bytes]]:
        makers: dict[str, Callable[[], bytes]] = {
            "cdd/Gemini_BTCUSD_d.csv": self.gemini_daily,
            "cdd/Gemini_BTCUSD_1h.csv": self.gemini_hourly,
            "cdd/Gemini_ETHUSD_1h.csv": self.gemini_edited,
            "cdd/Bitstamp_BTCUSD_1h.csv": partial(self.bitstamp_hourly, "BTC"),
            "cdd/Bitstamp_ETHUSD_1h.csv": partial(self.bitstamp_hourly, "ETH"),
            "data/cme_btc_futures_daily.csv": self.cme_daily,
        }
        for perp in self.market.planted.perps:
            makers[f"data/{perp.venue}_{perp.symbol}.csv"] = partial(
                self.funding_copy, perp.venue, perp.symbol
            )
        return makers

    def body(self, name: str) -> bytes | None:
        """A file by its path, or None if it is not simulated or has no rows in these months."""
        if name not in self._makers:
            return None
        if name not in self._bodies:
            self._bodies[name] = self._makers[name]()
        body = self._bodies[name]
        return body if body.count(b"\n") > 1 else None

    def answer(self, asked: Asked) -> Answer:
        """The file, or the host's 404."""
        if asked.host == FRED:
            return self.fred(asked)
        if asked.host == CDD:
            body = self.body(asked.path.lstrip("/"))
            if body is None:
                return html_answer(404, "Not Found")
            return Answer(body, content_type="text/csv", headers={"ETag": etag(body)})
        match = _COMMIT.fullmatch(asked.path)
        body = self.body(match["path"]) if match else None
        if body is None:
            return Answer(b"404: Not Found", 404, "text/plain; charset=utf-8")
        headers = {"ETag": etag(body), "Cache-Control": "max-age=300"}
        return Answer(body, content_type="text/plain; charset=utf-8", headers=headers)

    def fred(self, asked: Asked) -> Answer:
        """id, cosd and coed (both inclusive): ``observation_date,ID``, ascending, empty without a value."""
        series = asked.query.get("id", "")
        first, last = asked.query.get("cosd", ""), asked.query.get("coed", "")
        if asked.path != "/graph/fredgraph.csv" or series not in SERIES:
            return html_answer(404, "Not Found")
        if any(day and not _DAY.fullmatch(day) for day in (first, last)):
            return html_answer(400, "Bad Request")
        values = reference_series(self.market, series).loc[first or None : last or None]
        values = values[values.index < pd.Timestamp(self._now.date())]
        days = values.index.strftime("%Y-%m-%d")
        lines = [f"{day},{'' if np.isnan(v) else f'{v:.2f}'}\n" for day, v in zip(days, values, strict=True)]
        body = (f"observation_date,{series}\n" + "".join(lines)).encode()
        return Answer(
            body,
            content_type="text/csv",
            headers={"Content-Disposition": f'attachment; filename="{series}.csv"'},
        )

    def _spot(self, venue: str, base: str) -> Bars:
        """Hourly bars that are over."""
        bars = spot_bars(self.market, venue, base)
        return bars.rows((bars.opened + 1) * 3600 <= self._now.timestamp())

    def gemini_hourly(self) -> bytes:
        """Banner, CRLF, newest first; epoch seconds in the older half, milliseconds in the newer one."""
        bars = self._spot("gemini", "BTC")
        half = len(bars) // 2
        lines = [
            f"{_unix(bars, row, row >= half)},{_text(bars, row)},BTCUSD,{_prices(bars, row)},"
            f"{plain(bars.volume[row])}"
            for row in reversed(range(len(bars)))
        ]
        created = self._now.strftime("%m-%d-%Y")
        top = [
            f"Created on {created},https://www.CryptoDataDownload.com",
            "Unix Timestamp,Date,Symbol,Open,High,Low,Close,Volume",
        ]
        return ("\r\n".join(top + lines) + "\r\n").encode()

    def gemini_daily(self) -> bytes:
        """Banner, newest first; days start at 04:00 in the older half and at 00:00 in the newer one, with a
        stretch in between that has both; seconds and milliseconds mixed."""
        hourly = self._spot("gemini", "BTC")
        old, new = aggregate(hourly, HOURS_A_DAY, _SUMMER_START), aggregate(hourly, HOURS_A_DAY)
        half = int(new.opened[len(new) // 2])
        parts = (
            old.rows(old.opened < half + _TWO_ROW_DAYS * HOURS_A_DAY), new.rows(new.opened >= half)
        )  # fmt: skip
        found = [(int(bars.opened[row]), bars, row) for bars in parts for row in range(len(bars))]
        lines = [
            f"{_unix(bars, row, opened >= half)},{_text(bars, row)},BTC/USD,{_prices(bars, row)},"
            f"{plain(bars.volume[row])},{_quote(bars, row)}"
            for opened, bars, row in sorted(found, key=lambda entry: -entry[0])
        ]
        top = ["https://www.CryptoDataDownload.com", _cdd_heading("BTC")]
        return ("\n".join(top + lines) + "\n").encode()

    def bitstamp_hourly(self, base: str) -> bytes:
        """No banner, newest first, epoch seconds; one day in the middle stands in the file twice."""
        bars = self._spot("bitstamp", base)
        middle = len(bars) // 2 // HOURS_A_DAY * HOURS_A_DAY
        rows = [*range(middle + HOURS_A_DAY), *range(middle, len(bars))]
        lines = [
            f"{_unix(bars, row, False)},{_text(bars, row)},{base}/USD,{_prices(bars, row)},"
            f"{plain(bars.volume[row])},{_quote(bars, row)}"
            for row in reversed(rows)
        ]
        return ("\n".join([_cdd_heading(base), *lines]) + "\n").encode()

    def gemini_edited(self) -> bytes:
        """As its user left it: no banner, no unix column, month first, order close, open, high, low, CRLF."""
        bars = self._spot("gemini", "ETH")
        lines = ["date,close,open,high,low,Volume ETH,Change%"]
        for row in reversed(range(len(bars))):
            at = moment(int(bars.opened[row]) * 3600)
            change = 100.0 * (bars.close[row] / bars.open[row] - 1.0)
            prices = ",".join(plain(s[row]) for s in (bars.close, bars.open, bars.high, bars.low))
            lines.append(
                f"{at.month}/{at.day}/{at.year} {at.hour}:{at.minute:02d},{prices},"
                f"{plain(bars.volume[row])},{change:.9f}"
            )
        return ("\r\n".join(lines) + "\r\n").encode()

    def cme_daily(self) -> bytes:
        """``date,f1_close,f2_close``, whole dollars, with the dates that the copy files sessions under."""
        rows = curve_rows(self.market)
        lines = [
            f"{day:%Y-%m-%d},{front:.0f},{second:.0f}\n"
            for day, front, second in zip(rows.printed_on, rows.f1, rows.f2, strict=True)
            if day < pd.Timestamp(self._now.date())
        ]
        return ("date,f1_close,f2_close\n" + "".join(lines)).encode()

    def funding_copy(self, venue: str, symbol: str) -> bytes:
        """Public copy of a contract's payments: ``datetime,timestamp,open,high,low,close,funding_rate``.

        Rows carry the price at the payment four times, as the copy does for BitMEX.
        """
        paid = self.market.payments(self.market.planted.perp(venue, symbol))
        fraction = ".000" if venue == "binance" else ""
        lines = ["datetime,timestamp,open,high,low,close,funding_rate\n"]
        for row in np.flatnonzero(paid.paid_at < self._now.timestamp()):
            at, price = int(paid.paid_at[row]), plain(paid.price[row])
            lines.append(
                f"{moment(at):%Y-%m-%d %H:%M:%S}{fraction},{at}.0,{price},{price},{price},{price},"
                f"{plain(paid.rate[row])}\n"
            )
        return "".join(lines).encode()


def _cdd_heading(base: str) -> str:
    return f"unix,date,symbol,open,high,low,close,Volume {base},Volume USD"


def _unix(bars: Bars, row: int, milliseconds: bool) -> int:
    return int(bars.opened[row]) * (3_600_000 if milliseconds else 3600)


def _text(bars: Bars, row: int) -> str:
    return f"{moment(int(bars.opened[row]) * 3600):%Y-%m-%d %H:%M:%S}"


def _prices(bars: Bars, row: int) -> str:
    return ",".join(plain(series[row]) for series in (bars.open, bars.high, bars.low, bars.close))


def _quote(bars: Bars, row: int) -> str:
    return plain(round(float(bars.volume[row] * 0.5 * (bars.high[row] + bars.low[row])), 8))
