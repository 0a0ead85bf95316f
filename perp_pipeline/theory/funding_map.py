"""From premium to funding rate: the kinked map of each venue, and its inverse.

Most venues pay, per 8 hours, ``rate = P + clamp(I - P, -c, +c)`` capped at ``+-cap``, where P is the
average premium of the window, I the interest component and c the clamp (Binance "Introduction to funding
rates"; BitMEX "Perpetual contracts guide"; Hyperliquid docs, "Funding"). Inside ``I - c <= P <= I + c`` the
rate is exactly I: the flat zone. All quantities are fractions per 8 hours unless named otherwise.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]

PAYMENTS_A_YEAR: Final = 3 * 365


@dataclass(frozen=True)
class FundingMap:
    """A venue's rule for the rate of one payment.

    Attributes:
        interest: interest component per 8 hours.
        clamp: half-width of the flat zone, per 8 hours.
        cap: largest absolute rate per 8 hours; infinite where the rule has none.
        payments_per_8h: the 8-hour rate is paid in so many equal parts (8 on an hourly venue).
    """

    venue: str
    interest: float = 0.0001
    clamp: float = 0.0005
    cap: float = math.inf
    payments_per_8h: int = 1

    @property
    def flat_zone(self) -> tuple[float, float]:
        """Lowest and highest premium that pay exactly the interest component."""
        return self.interest - self.clamp, self.interest + self.clamp

    def rate_8h(self, premium: npt.ArrayLike) -> Array:
        """Rate per 8 hours for average premiums of a window.

        >>> FundingMap("binance").rate_8h([-0.0004, 0.0006, 0.0009]).round(6).tolist()
        [0.0001, 0.0001, 0.0004]
        """
        p = np.asarray(premium, dtype=np.float64)
        low, high = self.flat_zone
        # Equal to P + clamp(I - P), without its rounding: inside the zone the rate is I to the last bit.
        rate = np.where(p > high, p - self.clamp, np.where(p < low, p + self.clamp, self.interest))
        return np.clip(rate, -self.cap, self.cap)

    def payment(self, premium: npt.ArrayLike) -> Array:
        """Rate of one payment: the 8-hour rate over ``payments_per_8h``."""
        paid: Array = self.rate_8h(premium) / self.payments_per_8h
        return paid

    def annual(self, premium: npt.ArrayLike) -> Array:
        """Simple annual rate, as a fraction, for a premium that persists."""
        yearly: Array = self.rate_8h(premium) * PAYMENTS_A_YEAR
        return yearly

    def premiums(self, rate_8h: float) -> tuple[float, float]:
        """Lowest and highest premium that pay ``rate_8h``: a point off the flat zone, an interval on it.

        Raises:
            ValueError: the rate is beyond the cap.
        """
        if abs(rate_8h) > self.cap:
            raise ValueError(f"{self.venue}: no premium pays {rate_8h}, the cap is {self.cap}")
        low, high = self.flat_zone
        if rate_8h == self.cap:
            return rate_8h + self.clamp, math.inf
        if rate_8h == -self.cap:
            return -math.inf, rate_8h - self.clamp
        if math.isclose(rate_8h, self.interest, rel_tol=0.0, abs_tol=1e-12):
            return low, high
        point = rate_8h + math.copysign(self.clamp, rate_8h - self.interest)
        return point, point


BINANCE: Final = FundingMap("binance", cap=0.003)
"""BTCUSDT: cap 0.75 x maintenance margin ratio 0.4 %; wider for other contracts."""

BITMEX: Final = FundingMap("bitmex", cap=0.00375)
"""XBTUSD: cap 75 % of initial (1 %) less maintenance margin (0.5 %)."""

HYPERLIQUID: Final = FundingMap("hyperliquid", cap=0.32, payments_per_8h=8)
"""From 2024: paid hourly, an eighth of the 8-hour rate each; cap 4 % an hour."""

HYPERLIQUID_2023: Final = FundingMap("hyperliquid", clamp=0.0003, cap=0.32, payments_per_8h=8)
"""In 2023 the clamp was 0.03 %."""

HYPERLIQUID_UNCLAMPED: Final = FundingMap("hyperliquid", clamp=0.0, cap=0.32, payments_per_8h=8)
"""From 2023-06-16 to 2023-07-15 the venue's own record shows the premium itself as the rate: 677 payments in
a row are an eighth of the premium printed beside them, and none is the default."""

ERAS: Final = {
    "binance": (("2019-01-01T00:00", BINANCE),),
    "bitmex": (("2016-01-01T00:00", BITMEX),),
    "hyperliquid": (
        ("2023-01-01T00:00", HYPERLIQUID_2023),
        ("2023-06-16T20:30", HYPERLIQUID_UNCLAMPED),
        ("2023-07-15T02:30", HYPERLIQUID_2023),
        ("2024-01-01T00:00", HYPERLIQUID),
    ),
}
"""Each venue's maps and the moments (UTC) from which on windows that end are paid by them."""

MAPS: Final = (BINANCE, BITMEX, HYPERLIQUID, HYPERLIQUID_2023)


def daily_map_8h(premium: npt.ArrayLike) -> Array:
    """Rate per 8 hours where the average premium is taken for a rate a day: a third of it, no clamp.

    The rule as essay A ("usually a daily rate") and C24c ("average premium / 3") describe it.
    """
    third: Array = np.asarray(premium, dtype=np.float64) / 3.0
    return third


def annual_from_daily(rate_day: float) -> float:
    """Simple annual rate of a rate a day."""
    return rate_day * 365.0


def annual_from_8h(rate_8h: float) -> float:
    """Simple annual rate of a rate per 8 hours."""
    return rate_8h * PAYMENTS_A_YEAR


def long_profit(notional: float, price_open: float, price_close: float, funding: float) -> float:
    """Profit of a long over one funding period, N (p1 / p0 - 1 - f), in the unit of ``notional``."""
    return notional * (price_close / price_open - 1.0 - funding)
