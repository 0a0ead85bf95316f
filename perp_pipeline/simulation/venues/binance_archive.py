"""data.binance.vision: monthly zips of funding rates, spot and premium index klines, with checksums."""

from __future__ import annotations

import calendar
import re
from datetime import datetime, timedelta

import numpy as np

from perp_pipeline.months import Month
from perp_pipeline.simulation.bars import aggregate, premium_bars, spot_bars
from perp_pipeline.simulation.market import Bars, SimulatedMarket
from perp_pipeline.simulation.wire import Answer, Asked, checksum_line, etag, zipped

HOST = "data.binance.vision"

FUNDING_SINCE = Month(2020, 1)
"""First month of the funding archive; earlier payments are known to the REST interface only."""
MICROSECONDS_SINCE = Month(2025, 1)
"""First month of spot klines with times in microseconds; milliseconds before."""

_FILE = r"(?P<file>(?P=symbol)-%s-(?P<month>20\d\d-(?:0[1-9]|1[0-2])))\.zip(?P<checksum>\.CHECKSUM)?"
_FUNDING = re.compile(
    r"/data/futures/um/monthly/fundingRate/(?P<symbol>\w+)/" + _FILE.replace("%s", "fundingRate")
)
_SPOT = re.compile(r"/data/spot/monthly/klines/(?P<symbol>\w+)/1h/" + _FILE.replace("%s", "1h"))
_PREMIUM = re.compile(
    r"/data/futures/um/monthly/premiumIndexKlines/(?P<symbol>\w+)/(?P<interval>1h|8h|1d)/"
    + _FILE.replace("%s", "(?P=interval)")
)
_KLINE_HEADER = (
    "open_time,open,high,low,close,volume,close_time,quote_volume,count,taker_buy_volume,"
    "taker_buy_quote_volume,ignore\n"
)
SPOT_SYMBOLS = ("BTCUSDT", "ETHUSDT")
INTERVAL_HOURS = {"1h": 1, "8h": 8, "1d": 24}


class BinanceArchive:
    """Answers for one market. Months outside it, and symbols it lacks, are keys that do not exist.

    Args:
        now: files come out at noon after their month, and those of later ones do not exist; None: all do.
    """

    def __init__(self, market: SimulatedMarket, now: datetime | None = None) -> None:
        self.market = market
        self._now = now
        self._spot: dict[str, Bars] = {}
        self._premium: dict[tuple[str, str], Bars] = {}
        self._perps = {perp.symbol: perp for perp in market.planted.perps if perp.venue == "binance"}

    def answer(self, asked: Asked) -> Answer:
        """The file, its checksum file, or S3's document for a missing key."""
        for form, text in ((_FUNDING, self.funding), (_SPOT, self.spot), (_PREMIUM, self.premium)):
            if (match := form.fullmatch(asked.path)) is None:
                continue
            parts = match.groupdict()
            month = Month.parse(parts["month"])
            if self._now is not None and self._now < _published(month):
                break
            content = text(parts["symbol"], month, parts.get("interval") or "1h")
            if content is not None:
                return _file(parts["file"], month, content.encode(), parts["checksum"] is not None)
        return _no_such_key(asked.path)

    def funding(self, symbol: str, month: Month, interval: str = "") -> str | None:
        """``calc_time,funding_interval_hours,last_funding_rate``, times in ms with the venue's jitter."""
        if symbol not in self._perps or month < FUNDING_SINCE:
            return None
        paid = self.market.payments(self._perps[symbol])
        chosen = _within(paid.paid_at, month, 3600)
        lines = [
            f"{paid.paid_at[row] * 1000 + paid.jitter_ms[row]},8,{paid.rate[row]:.8f}\n" for row in chosen
        ]
        return "calc_time,funding_interval_hours,last_funding_rate\n" + "".join(lines) if lines else None

    def spot(self, symbol: str, month: Month, interval: str = "1h") -> str | None:
        """Twelve columns without a header; quote volume and taker columns follow from price and volume."""
        if symbol not in SPOT_SYMBOLS:
            return None
        bars = self.spot_klines(symbol)
        unit = 10**6 if month >= MICROSECONDS_SINCE else 10**3
        lines = [",".join(map(str, spot_row(bars, row, unit))) + "\n" for row in _within(bars.opened, month)]
        return "".join(lines) or None

    def spot_klines(self, symbol: str) -> Bars:
        """Hourly spot bars of one of :data:`SPOT_SYMBOLS`."""
        if symbol not in self._spot:
            self._spot[symbol] = spot_bars(self.market, "binance", symbol.removesuffix("USDT"))
        return self._spot[symbol]

    def premium(self, symbol: str, month: Month, interval: str) -> str | None:
        """Premium index klines with a header, times in milliseconds, no volumes."""
        if symbol not in self._perps:
            return None
        bars = self.premium_klines(symbol, interval)
        lines = [
            ",".join(map(str, premium_row(bars, row, interval))) + "\n" for row in _within(bars.opened, month)
        ]
        return _KLINE_HEADER + "".join(lines) if lines else None

    def premium_klines(self, symbol: str, interval: str) -> Bars:
        """Bars of the premium index of a symbol at 1h, 8h or 1d, from its first funding window on."""
        if (symbol, interval) not in self._premium:
            perp = self._perps[symbol]
            hourly = premium_bars(self.market, perp)
            listed = int((perp.first_payment - timedelta(hours=8)).timestamp()) // 3600
            hourly = hourly.rows(hourly.opened >= listed)
            hours = INTERVAL_HOURS[interval]
            self._premium[symbol, interval] = (
                hourly if hours == 1 or not len(hourly) else aggregate(hourly, hours)
            )
        return self._premium[symbol, interval]


def premium_row(bars: Bars, row: int, interval: str) -> list[int | str]:
    """The twelve elements of a premium index kline; prices and volumes are strings."""
    opened = int(bars.opened[row]) * 3_600_000
    prices = (f"{series[row]:.8f}" for series in (bars.open, bars.high, bars.low, bars.close))
    closed = opened + INTERVAL_HOURS[interval] * 3_600_000 - 1
    return [opened, *prices, "0", closed, "0", 0, "0", "0", "0"]


def spot_row(bars: Bars, row: int, unit: int = 1000) -> list[int | str]:
    """The twelve elements of a spot kline; times in ``unit`` parts of a second."""
    opened = int(bars.opened[row]) * 3600 * unit
    prices = (f"{series[row]:.8f}" for series in (bars.open, bars.high, bars.low, bars.close))
    volume = bars.volume[row]
    quote = volume * 0.5 * (bars.high[row] + bars.low[row])
    traded = (f"{volume:.8f}", opened + 3600 * unit - 1, f"{quote:.8f}", int(volume * 20) + 1)
    return [opened, *prices, *traded, f"{0.5 * volume:.8f}", f"{0.5 * quote:.8f}", "0"]


def _within(times: np.ndarray, month: Month, per_hour: int = 1) -> range:
    """Rows of a month; ``per_hour`` is the unit of ``times`` (1: hours, 3600: seconds)."""
    first, last = (int(at.timestamp()) // 3600 * per_hour for at in (month.start, month.end))
    return range(int(np.searchsorted(times, first)), int(np.searchsorted(times, last)))


def _file(stem: str, month: Month, text: bytes, checksum: bool) -> Answer:
    packed = zipped(f"{stem}.csv", text)
    body = checksum_line(packed, f"{stem}.zip") if checksum else packed
    return Answer(
        body, content_type="binary/octet-stream" if checksum else "application/zip",
        headers={"ETag": etag(body), "Last-Modified": _http_date(_published(month))},
    )  # fmt: skip


def _published(month: Month) -> datetime:
    """Noon of the day after the month."""
    return month.end + timedelta(hours=12)


def _http_date(at: datetime) -> str:
    days, months = calendar.day_abbr[at.weekday()], calendar.month_abbr[at.month]
    return f"{days}, {at.day:02d} {months} {at.year} {at:%H:%M:%S} GMT"


def _no_such_key(path: str) -> Answer:
    body = (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        "<Error><Code>NoSuchKey</Code><Message>The specified key does not exist.</Message>"
        f"<Key>{path.lstrip('/')}</Key><RequestId>0000000000000000</RequestId><HostId>simulation</HostId></Error>"
    )
    return Answer(body.encode(), 404, "application/xml")
