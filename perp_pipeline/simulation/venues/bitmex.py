"""www.bitmex.com: funding history and trade buckets."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime

import numpy as np
import numpy.typing as npt

from perp_pipeline.simulation.bars import aggregate, perp_bars
from perp_pipeline.simulation.market import Bars, SimulatedMarket
from perp_pipeline.simulation.parameters import Perp
from perp_pipeline.simulation.wire import Answer, Asked, html_answer, iso_millis, json_answer, plain

HOST = "www.bitmex.com"

BIN_HOURS = {"1h": 1, "1d": 24}
"""Bars that are simulated. The venue also has 1m and 5m: here they are empty."""
_BINS = ("1m", "5m", *BIN_HOURS)
_TEXT = ("timestamp", "symbol", "fundingInterval")
_MULTIPLIER_XBT = 1e-6
"""XBT that one ETHUSD contract pays per USD; also the XBT in one XBTUSDT contract."""

Row = dict[str, str]
Series = tuple[npt.NDArray[np.int64], Callable[[int], Row]]


class Bitmex:
    """Answers for one market. As at the venue, an unknown symbol is an empty list.

    Args:
        now: nothing is known after it; None: all is known.
    """

    def __init__(self, market: SimulatedMarket, now: datetime | None = None) -> None:
        self.market = market
        self._until = np.inf if now is None else now.timestamp()
        self._perps = {perp.symbol: perp for perp in market.planted.perps if perp.venue == "bitmex"}
        self._bars: dict[tuple[str, str], Bars] = {}

    def answer(self, asked: Asked) -> Answer:
        """The endpoint's answer, or 404."""
        if asked.path == "/api/v1/funding":
            return self.funding(asked)
        if asked.path == "/api/v1/trade/bucketed":
            return self.bucketed(asked)
        return html_answer(404, "Not Found")

    def funding(self, asked: Asked) -> Answer:
        """symbol, count (100, at most 500), start, reverse, startTime, endTime (inclusive), _format=csv."""
        perp = self._perps.get(asked.query.get("symbol", ""))
        return self._page(asked, 500, self._funding_series(perp))

    def bucketed(self, asked: Asked) -> Answer:
        """As :meth:`funding` with binSize (1h, 1d) and a count up to 1000; the stamp is the bucket's END."""
        size = asked.query.get("binSize", "1m")
        if size not in _BINS:
            return _error(400, "binSize is invalid")
        perp = self._perps.get(asked.query.get("symbol", ""))
        return self._page(asked, 1000, self._bucket_series(perp, size))

    def _page(self, asked: Asked, largest: int, series: Series) -> Answer:
        stamps, render = series
        return _page(asked, largest, (stamps[stamps <= self._until], render))

    def _funding_series(self, perp: Perp | None) -> Series:
        if perp is None:
            return np.array([], dtype=np.int64), lambda row: {}
        paid, symbol = self.market.payments(perp), perp.symbol

        def render(row: int) -> Row:
            rate = float(paid.rate[row])
            return {
                "timestamp": iso_millis(paid.paid_at[row]),
                "symbol": symbol,
                "fundingInterval": "2000-01-01T08:00:00.000Z",
                "fundingRate": plain(rate),
                "fundingRateDaily": plain(rate * 3),
            }

        return paid.paid_at, render

    def _bucket_series(self, perp: Perp | None, size: str) -> Series:
        if perp is None or size not in BIN_HOURS:
            return np.array([], dtype=np.int64), lambda row: {}
        hours = BIN_HOURS[size]
        key = (perp.symbol, size)
        if key not in self._bars:
            hourly = perp_bars(self.market, perp)
            hourly = hourly.rows(hourly.opened >= int(perp.first_trade.timestamp()) // 3600)
            whole = hours == 1 or not len(hourly)
            self._bars[key] = hourly if whole else aggregate(hourly, hours, partial_start=True)
        bars = self._bars[key]
        bitcoin = self.market.index[:, self.market.column("BTC")]

        def render(row: int) -> Row:
            at = int(self.market.rows(bars.opened[row : row + 1])[0])
            return _bucket(perp, bars, row, hours, float(bitcoin[at]))

        return (bars.opened + hours) * 3600, render


def _bucket(perp: Perp, bars: Bars, row: int, hours: int, bitcoin: float) -> Row:
    """One bucket. Contracts: inverse 1 USD, quanto 1e-6 XBT per USD of price, linear 1e-6 XBT."""
    opened, high, low, close = (float(s[row]) for s in (bars.open, bars.high, bars.low, bars.close))
    vwap = round((opened + high + low + close) / 4.0, 4)
    home = float(bars.volume[row])
    usd = home * vwap
    if perp.contract_type == "inverse":
        volume, turnover = round(usd), round(usd / vwap * 1e8)
    elif perp.contract_type == "quanto":
        volume = round(usd / bitcoin / (vwap * _MULTIPLIER_XBT))
        turnover = round(volume * vwap * _MULTIPLIER_XBT * 1e8)
    else:
        volume, turnover = round(home / _MULTIPLIER_XBT), round(usd * 1e6)
    return {
        "timestamp": iso_millis((int(bars.opened[row]) + hours) * 3600),
        "symbol": perp.symbol,
        "open": plain(opened),
        "high": plain(high),
        "low": plain(low),
        "close": plain(close),
        "trades": str(int(home) + 1),
        "volume": str(volume),
        "vwap": plain(vwap),
        "lastSize": str(1 + volume % 1000),
        "turnover": str(turnover),
        "homeNotional": plain(home),
        "foreignNotional": plain(usd),
    }


def _page(asked: Asked, largest: int, series: Series) -> Answer:
    stamps, render = series
    bounds: dict[str, float] = {}
    for name in ("startTime", "endTime"):
        if text := asked.query.get(name):
            try:
                at = datetime.fromisoformat(text.strip())
            except ValueError:
                return _error(400, f"{name} is invalid")
            bounds[name] = (at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp()
    counts = {}
    for name, default, low, high in (("count", 100, 1, largest), ("start", 0, 0, 10**9)):
        text = asked.query.get(name, str(default))
        if not text.isdigit() or not low <= int(text) <= high:
            return _error(400, f"{name} is invalid")
        counts[name] = int(text)
    first = int(np.searchsorted(stamps, bounds.get("startTime", -np.inf)))
    last = int(np.searchsorted(stamps, bounds.get("endTime", np.inf), side="right"))
    chosen = range(first, last)
    if asked.query.get("reverse", "false").lower() == "true":
        chosen = chosen[::-1]
    rows = [render(row) for row in chosen[counts["start"] : counts["start"] + counts["count"]]]
    if asked.query.get("_format") == "csv":
        return Answer(_as_csv(rows), 200, "text/csv; charset=utf-8", _limits())
    return Answer(_as_json(rows), 200, "application/json; charset=utf-8", _limits())


def _as_json(rows: list[Row]) -> bytes:
    """Numbers printed as they are held: no digit is added or lost."""
    objects = (
        "{" + ",".join(f'"{k}":"{v}"' if k in _TEXT else f'"{k}":{v}' for k, v in row.items()) + "}"
        for row in rows
    )
    return ("[" + ",".join(objects) + "]").encode()


def _as_csv(rows: list[Row]) -> bytes:
    """Quoted heading and text, bare numbers."""
    heading = [",".join(f'"{name}"' for name in rows[0])] if rows else []
    lines = [",".join(f'"{v}"' if k in _TEXT else v for k, v in row.items()) for row in rows]
    return "\n".join(heading + lines).encode()


def _error(status: int, message: str) -> Answer:
    return json_answer({"error": {"message": message, "name": "HTTPError"}}, status, _limits())


def _limits() -> Mapping[str, str]:
    """Rate-limit headers of a client that is alone and early in its minute."""
    return {"x-ratelimit-limit": "30", "x-ratelimit-remaining": "29", "x-ratelimit-reset": "1577836800"}
