"""How often each venue may be asked, and the clock that keeps to it."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Pace:
    """At most ``count`` requests in any ``seconds``; a fifth of them may come at once."""

    count: int
    seconds: float

    @property
    def burst(self) -> int:
        """Requests that may be sent without a pause."""
        return max(1, self.count // 5)

    @property
    def spacing(self) -> float:
        """Seconds per request after the burst, such that burst and flow together stay within ``count``."""
        return self.seconds / (self.count - self.burst + 1)


POLITE = Pace(2, 1)
"""For hosts that are not listed."""

# The venue's documented limit where there is one, mostly with a margin: an address may be shared. Keys are a
# host, or host and the beginning of a path where a path has a limit of its own.
PACES: Mapping[str, Pace] = {
    "www.bitmex.com": Pace(30, 60),
    "fapi.binance.com/fapi/v1/funding": Pace(
        450, 300
    ),  # 500 per 5 minutes, fundingRate and fundingInfo together
    "fapi.binance.com": Pace(200, 60),  # 2400 weight a minute; a full page of bars weighs 10
    "api.binance.com": Pace(600, 60),
    "data-api.binance.vision": Pace(600, 60),
    "data.binance.vision": Pace(20, 1),  # static files
    "indexer.dydx.trade": Pace(90, 10),
    "api.hyperliquid.xyz": Pace(24, 60),  # 1200 weight a minute; a full page of funding weighs about 45
    "api.bybit.com": Pace(100, 5),  # 600 per 5 s; going over costs 10 minutes
    "www.okx.com": Pace(8, 2),
    "www.deribit.com": Pace(5, 1),
    "futures.kraken.com": Pace(2, 1),
    "api-pub.bitfinex.com": Pace(80, 60),
    "api.gemini.com": Pace(100, 60),
    "www.bitstamp.net": Pace(10, 1),
    "api.exchange.coinbase.com": Pace(5, 1),
    "fred.stlouisfed.org": Pace(60, 60),
    "www.cryptodatadownload.com": Pace(30, 60),
    "raw.githubusercontent.com": Pace(5, 1),
    "yields.llama.fi": Pace(60, 60),
}


class Pacer:
    """Hands out the next free moment of each host. Safe for several threads; each process has its own.

    Args:
        paces: limits by host or host and path prefix (the longest prefix counts); None sets no pace at all.
        clock: a monotonic clock in seconds.
    """

    def __init__(self, paces: Mapping[str, Pace] | None, clock: Callable[[], float] = time.monotonic) -> None:
        self._paces = paces
        self._clock = clock
        self._lock = threading.Lock()
        self._due: dict[str, float] = {}
        self._held: dict[str, float] = {}

    def reserve(self, host: str, path: str) -> float:
        """Take the next free moment of the host; returns the seconds to wait for it."""
        with self._lock:
            now = self._clock()
            wait = self._held.get(host, now) - now
            if self._paces is not None:
                name, pace = self._pace(host, path)
                due = max(self._due.get(name, now), now)
                wait = max(wait, due - (pace.burst - 1) * pace.spacing - now)
                self._due[name] = due + pace.spacing
            return max(0.0, wait)

    def hold(self, host: str, seconds: float) -> None:
        """Send nothing to the host for so long: it said that it had enough."""
        with self._lock:
            self._held[host] = max(self._held.get(host, 0.0), self._clock() + seconds)

    def _pace(self, host: str, path: str) -> tuple[str, Pace]:
        assert self._paces is not None
        address = host + path
        names = [name for name in self._paces if name == host or ("/" in name and address.startswith(name))]
        name = max(names, key=len, default=host)
        return name, self._paces.get(name, POLITE)
