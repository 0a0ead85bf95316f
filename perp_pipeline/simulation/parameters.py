"""What is planted in the simulated market: prices, premiums, contracts, the curve and the policy rate."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from perp_pipeline.months import Month
from perp_pipeline.simulation.clamp import RateMap
from perp_pipeline.simulation.onchain.parameters import OnChain

HOURS_A_YEAR = 8760
HOURS_A_DAY = 24
PRIOR_DAYS = 30
FIRST_MONTH = Month(2018, 1)
"""Earliest month that can be simulated: before it BitMEX and CME had other contracts than those here."""


@dataclass(frozen=True)
class Asset:
    """One coin: a geometric Brownian motion.

    Attributes:
        first_price: USD at the start of the first simulated month.
        daily_vol: standard deviation of the log return of a day.
        mean_annual: arithmetic mean return a year (log drift plus half the variance).
    """

    base: str
    first_price: float
    daily_vol: float
    mean_annual: float


@dataclass(frozen=True)
class PremiumProcess:
    """The hourly premium of a perpetual over its index, as a fraction of the index:

        mean + same_day * r(24 h) + prior_month * r(30 d before those) + common + own + noise

    r are log returns of the base less their drift, up to and including the hour, so that the premium looks
    back only and is Gaussian. ``common`` (one per base) and ``own`` (one per contract) are AR(1).

    Attributes:
        same_day, prior_month: premium per unit of log return.
        common_sd, own_sd: stationary standard deviations.
        persistence_8h: autocorrelation of both AR parts at 8 hours.
        noise_sd: standard deviation of what is new in each hour and gone in the next.
    """

    same_day: float = 0.0025
    prior_month: float = 0.0006
    common_sd: float = 0.00032
    own_sd: float = 0.00020
    persistence_8h: float = 0.88
    noise_sd: float = 0.00030

    @property
    def persistence_1h(self) -> float:
        """Autocorrelation of the AR parts at one hour."""
        return float(self.persistence_8h ** (1 / 8))


@dataclass(frozen=True)
class Perp:
    """One perpetual contract.

    Attributes:
        first_payment: when the venue first paid funding on it (historical fact).
        first_trade: start of the first hourly bar of its trades (historical fact for ETHUSD).
        mean_annual: planted population mean of the annualised funding rate; None for the quanto, whose mean
            is the covariance of its two coins plus ``Planted.quanto_net_annual``.
        pays_at: hour of the day (UTC) of a payment; the others follow at 8-hour steps.
        announced_ahead: the rate paid at T comes from the premium of the interval that ended at T - 8 h.
        rising_weights: the window premium weights its samples 1 to N (Binance) instead of equally.
        tick: price step in USD.
    """

    venue: str
    symbol: str
    base: str
    contract_type: str
    margin_asset: str
    first_payment: datetime
    first_trade: datetime
    mean_annual: float | None
    rate_map: RateMap
    pays_at: int
    announced_ahead: bool
    rising_weights: bool
    tick: float


@dataclass(frozen=True)
class Curve:
    """CME front and second future: F = S exp(b * days / 365), with b Gaussian and one for the whole curve.

    Attributes:
        mean: population mean of b (log basis a year).
        prior_month: b per unit of log return over the 30 days before.
        sd: stationary standard deviation of the AR part of b, with ``persistence_8h``.
        tick: price step in USD.
    """

    mean: float = 0.07
    prior_month: float = 0.05
    sd: float = 0.035
    persistence_8h: float = 0.96
    tick: float = 5.0


BINANCE_BTC = RateMap(cap=0.0012)
BINANCE_ETH = RateMap(cap=0.0015)
BITMEX = RateMap(cap=0.00375, decimals=6)


def _binance(symbol: str, base: str, first: datetime, mean_annual: float, rate_map: RateMap) -> Perp:
    return Perp(
        "binance", symbol, base, "linear", "USDT", first, first - timedelta(hours=8), mean_annual, rate_map,
        pays_at=0, announced_ahead=False, rising_weights=True, tick=0.01,
    )  # fmt: skip


def _bitmex(
    symbol: str,
    base: str,
    kind: str,
    margin: str,
    first: datetime,
    mean_annual: float | None,
    tick: float,
    listed_before: timedelta = timedelta(hours=8),
) -> Perp:
    return Perp(
        "bitmex", symbol, base, kind, margin, first, first - listed_before, mean_annual, BITMEX,
        pays_at=4, announced_ahead=True, rising_weights=False, tick=tick,
    )  # fmt: skip


PERPS = (
    _binance("BTCUSDT", "BTC", datetime(2019, 9, 10, 8, tzinfo=UTC), 0.17, BINANCE_BTC),
    _binance("ETHUSDT", "ETH", datetime(2019, 11, 27, 8, tzinfo=UTC), 0.20, BINANCE_ETH),
    _bitmex("XBTUSD", "BTC", "inverse", "XBT", datetime(2016, 5, 14, 12, tzinfo=UTC), 0.06, 0.5),
    _bitmex("XBTUSDT", "BTC", "linear", "USDT", datetime(2021, 11, 10, 4, tzinfo=UTC), 0.12, 0.5),
    _bitmex(
        "ETHUSD", "ETH", "quanto", "XBT", datetime(2018, 8, 2, 12, tzinfo=UTC), None, 0.05, timedelta(hours=3)
    ),
)


@dataclass(frozen=True)
class Planted:
    """All parameters of a simulated market.

    Attributes:
        correlation: of the hourly log returns of the two coins.
        spot_noise: standard deviation of a venue's hourly close around the index, as a fraction.
        quanto_net_annual: mean funding of ETHUSD beyond the covariance of its two coins.
    """

    btc: Asset = field(default=Asset("BTC", 10_000.0, 0.040, 0.60))
    eth: Asset = field(default=Asset("ETH", 400.0, 0.050, 0.80))
    correlation: float = 0.83
    spot_noise: float = 0.0002
    premium: PremiumProcess = field(default=PremiumProcess())
    perps: tuple[Perp, ...] = PERPS
    curve: Curve = field(default=Curve())
    quanto_net_annual: float = 0.0
    onchain: OnChain = field(default=OnChain())

    @property
    def assets(self) -> tuple[Asset, Asset]:
        """BTC, then ETH."""
        return (self.btc, self.eth)

    def asset(self, base: str) -> Asset:
        """The coin of that name."""
        return self.btc if base == "BTC" else self.eth

    def perp(self, venue: str, symbol: str) -> Perp:
        """The contract of that venue and symbol.

        Raises:
            KeyError: it is not simulated.
        """
        for perp in self.perps:
            if (perp.venue, perp.symbol) == (venue, symbol):
                return perp
        raise KeyError(f"{venue} {symbol} is not simulated")
