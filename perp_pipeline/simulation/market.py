"""The simulated market: prices, premiums and funding payments, from a seed and nothing else."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from perp_pipeline.months import Month, Span
from perp_pipeline.simulation.parameters import (
    FIRST_MONTH,
    HOURS_A_DAY,
    HOURS_A_YEAR,
    PRIOR_DAYS,
    Perp,
    Planted,
)
from perp_pipeline.simulation.premium import (
    MEMORY,
    WINDOW,
    WindowPremium,
    hourly_premium,
    window_premium,
    window_weights,
)
from perp_pipeline.simulation.processes import ar1, stream, trailing_sum

if TYPE_CHECKING:
    from perp_pipeline.simulation.onchain.chain import SimulatedChain
    from perp_pipeline.simulation.truth import Truth

Array = npt.NDArray[np.float64]
Index = npt.NDArray[np.int64]

_WARM_UP = MEMORY + 2 * HOURS_A_DAY
"""Hours simulated before the first month, so that the first rate already has its stationary law."""
_LARGEST_JITTER_MS = 47


@dataclass(frozen=True)
class Payments:
    """Funding payments of one contract, ascending.

    Attributes:
        paid_at: epoch seconds, on the venue's grid.
        jitter_ms: what the venue's stamp adds to it (0 where it does not).
        premium: window premium that set the rate, fraction.
        rate: as published, fraction per 8 hours.
        price: perpetual's price at the payment, USD.
    """

    paid_at: Index
    jitter_ms: Index
    premium: Array
    rate: Array
    price: Array

    def __len__(self) -> int:
        return len(self.paid_at)


@dataclass(frozen=True)
class Bars:
    """Hourly bars, ascending.

    Attributes:
        opened: epoch hours of the bar's start.
        volume: of the base coin.
    """

    opened: Index
    open: Array
    high: Array
    low: Array
    close: Array
    volume: Array

    def __len__(self) -> int:
        return len(self.opened)

    def rows(self, chosen: slice | npt.NDArray[np.bool_] | Index) -> Bars:
        """The chosen bars."""
        return Bars(
            *(getattr(self, name)[chosen] for name in ("opened", "open", "high", "low", "close", "volume"))
        )


@dataclass(frozen=True)
class SimulatedMarket:
    """A market with known truth over whole months, the same for the same arguments on every machine.

    Everything is made when first asked for and kept; two years take about a tenth of a second.

    Attributes:
        seed: any non-negative integer.
        first_month, last_month: months that the venues answer for, both included.

    Raises:
        ValueError: the months run backwards or start before 2018-01.
    """

    seed: int
    first_month: Month
    last_month: Month
    planted: Planted = field(default=Planted())

    def __post_init__(self) -> None:
        if self.first_month < FIRST_MONTH:
            raise ValueError(
                f"the simulated market starts no earlier than {FIRST_MONTH}, not {self.first_month}"
            )
        Span(self.first_month, self.last_month)

    @property
    def span(self) -> Span:
        """The months that the venues answer for."""
        return Span(self.first_month, self.last_month)

    @property
    def start_hour(self) -> int:
        """Epoch hour at which the first month starts."""
        return int(self.span.start.timestamp()) // 3600

    @property
    def end_hour(self) -> int:
        """Epoch hour at which the last month ends."""
        return int(self.span.end.timestamp()) // 3600

    @cached_property
    def hours(self) -> Index:
        """Epoch hours of the grid: from the warm-up to the end of the last month, both ends included."""
        return np.arange(self.start_hour - _WARM_UP, self.end_hour + 1, dtype=np.int64)

    def rows(self, hours: Index) -> Index:
        """Grid rows of epoch hours."""
        return np.asarray(hours - self.hours[0], dtype=np.int64)

    def draws(self, name: str, *shape: int) -> Array:
        """Standard normal draws of the stream of that name; one row per grid hour by default."""
        return stream(self.seed, name).standard_normal(shape or len(self.hours))

    @cached_property
    def shocks(self) -> Array:
        """Hourly log returns less their drift; columns BTC, ETH."""
        z = self.draws("returns", len(self.hours), 2)
        rho = self.planted.correlation
        eth = rho * z[:, 0] + np.sqrt(1.0 - rho**2) * z[:, 1]
        vols = np.array([asset.daily_vol for asset in self.planted.assets]) / np.sqrt(HOURS_A_DAY)
        return np.asarray(np.column_stack([z[:, 0], eth]) * vols, dtype=np.float64)

    @cached_property
    def index(self) -> Array:
        """World price (USD) at each grid hour; columns BTC, ETH. ``first_price`` is that of the start."""
        drift = [(a.mean_annual - 0.5 * a.daily_vol**2 * 365.0) / HOURS_A_YEAR for a in self.planted.assets]
        path = np.cumsum(self.shocks + np.array(drift), axis=0)
        prices = np.array([asset.first_price for asset in self.planted.assets])
        return np.asarray(prices * np.exp(path - path[_WARM_UP]), dtype=np.float64)

    def column(self, base: str) -> int:
        """Column of a coin in :attr:`shocks` and :attr:`index`."""
        return [asset.base for asset in self.planted.assets].index(base)

    @cached_property
    def _persistent(self) -> dict[str, Array]:
        """AR(1) series by name: ``common BTC``, ``own bitmex XBTUSD``, ``curve``."""
        process, curve = self.planted.premium, self.planted.curve
        kinds = {f"common {a.base}": (process.persistence_1h, process.common_sd) for a in self.planted.assets}
        kinds |= {
            f"own {perp.venue} {perp.symbol}": (process.persistence_1h, process.own_sd)
            for perp in self.planted.perps
        }
        kinds["curve"] = (curve.persistence_8h ** (1 / 8), curve.sd)
        series = ar1(
            np.column_stack([self.draws(name) for name in kinds]),
            np.array([persistence for persistence, _ in kinds.values()]),
            np.array([sd for _, sd in kinds.values()]),
        )
        return dict(zip(kinds, series.T, strict=True))

    @cached_property
    def _premiums(self) -> dict[tuple[str, str], Array]:
        return {}

    def premium(self, perp: Perp) -> Array:
        """Premium index at each grid hour, a fraction of the index price, on the venue's 8 decimals."""
        key = (perp.venue, perp.symbol)
        if key not in self._premiums:
            name = f"own {perp.venue} {perp.symbol}"
            series = hourly_premium(
                self.planted.premium,
                WindowPremium(perp, self.planted).mean,
                self.shocks[:, self.column(perp.base)],
                self._persistent[f"common {perp.base}"],
                self._persistent[name],
                self.draws(f"noise {name}"),
            )
            self._premiums[key] = np.round(series, 8)
        return self._premiums[key]

    def perp_price(self, perp: Perp) -> Array:
        """The perpetual's price at each grid hour, USD, on its tick."""
        exact = self.index[:, self.column(perp.base)] * (1.0 + self.premium(perp))
        return np.asarray(np.round(np.round(exact / perp.tick) * perp.tick, 8), dtype=np.float64)

    @cached_property
    def _payments(self) -> dict[tuple[str, str], Payments]:
        return {}

    def payments(self, perp: Perp) -> Payments:
        """All funding payments of a contract within the simulated months, from its first one on."""
        key = (perp.venue, perp.symbol)
        if key not in self._payments:
            first = max(self.start_hour, int(perp.first_payment.timestamp()) // 3600)
            first += (perp.pays_at - first) % WINDOW
            paid = np.arange(first, self.end_hour, WINDOW, dtype=np.int64)
            rows = self.rows(paid)
            measured = rows - WINDOW if perp.announced_ahead else rows
            premium = window_premium(self.premium(perp), window_weights(perp), measured)
            self._payments[key] = Payments(
                paid * 3600,
                self._jitter(perp, len(paid)),
                premium,
                perp.rate_map(premium),
                self.perp_price(perp)[rows],
            )
        return self._payments[key]

    def _jitter(self, perp: Perp, n: int) -> Index:
        """Milliseconds that Binance's stamps run late: often none, mostly a few, at most 47."""
        if perp.venue != "binance":
            return np.zeros(n, dtype=np.int64)
        random = stream(self.seed, f"jitter {perp.symbol}")
        late = np.minimum(random.geometric(0.12, n), _LARGEST_JITTER_MS)
        return np.asarray(np.where(random.random(n) < 0.4, 0, late), dtype=np.int64)

    def curve_basis(self) -> Array:
        """Annual log basis b of the CME curve at each grid hour."""
        curve = self.planted.curve
        prior = trailing_sum(self.shocks[:, self.column("BTC")], HOURS_A_DAY * PRIOR_DAYS)
        return np.asarray(
            curve.mean + curve.prior_month * prior + self._persistent["curve"], dtype=np.float64
        )

    @cached_property
    def truth(self) -> Truth:
        """What was planted, and what came of it."""
        from perp_pipeline.simulation.truth import truth_of

        return truth_of(self)

    @cached_property
    def chain(self) -> SimulatedChain:
        """The blockchain beside the exchanges, with its AMM pools (the slowest part: some seconds)."""
        from perp_pipeline.simulation.onchain.chain import simulate_chain

        return simulate_chain(self)
