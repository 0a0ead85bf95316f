"""The premium-to-rate map of Binance and BitMEX, and its exact moments under a Gaussian premium.

    rate = P + clamp(interest - P, -clamp, +clamp), then held within +-cap

In words: flat at ``interest`` while the premium P lies within ``clamp`` of it, slope one outside, flat again
at the cap. Written as a sum of kinks (x)+ = max(x, 0),

    rate = interest + (P - k1)+ - (P - k2)+ - (k0 - P)+ + (k3 - P)+
    k0 = interest - clamp, k1 = interest + clamp, k2 = cap + clamp, k3 = -cap - clamp,

its mean is a sum of E(P - k)+ = (m - k) Phi((m - k) / s) + s phi((m - k) / s), so the population mean of a
simulated rate is known in closed form: no calibration by simulation enters the truth.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]


@dataclass(frozen=True)
class RateMap:
    """Premium of one window to the rate of one window; all fractions per funding interval.

    Attributes:
        interest: rate charged at a premium near zero.
        clamp: half-width of the premium band (around ``interest``) that maps to ``interest``.
        cap: largest absolute rate.
        decimals: decimals the venue prints a rate with.
    """

    interest: float = 0.0001
    clamp: float = 0.0005
    cap: float = 0.00375
    decimals: int = 8

    def __call__(self, premium: Array) -> Array:
        """Published rates of window premiums (any shape), rounded as the venue prints them."""
        free = premium + np.clip(self.interest - premium, -self.clamp, self.clamp)
        return np.asarray(np.round(np.clip(free, -self.cap, self.cap), self.decimals), dtype=np.float64)

    @property
    def knots(self) -> tuple[float, float, float, float]:
        """Premiums at which the map bends, ascending: cap, flat zone, flat zone, cap."""
        return (
            -self.cap - self.clamp,
            self.interest - self.clamp,
            self.interest + self.clamp,
            self.cap + self.clamp,
        )

    def mean(self, m: float, s: float) -> float:
        """E[rate] for P ~ N(m, s^2)."""
        low_cap, low, high, high_cap = self.knots
        return (
            self.interest
            + _call(m, s, high)
            - _call(m, s, high_cap)
            - _call(-m, s, -low)
            + _call(-m, s, -low_cap)
        )

    def slope(self, m: float, s: float) -> float:
        """E[d rate / dP]: the probability of a premium on one of the two sloped parts."""
        low_cap, low, high, high_cap = (normal_cdf((k - m) / s) for k in self.knots)
        return (low - low_cap) + (high_cap - high)

    def share_default(self, m: float, s: float) -> float:
        """Probability of a rate printed exactly as ``interest``."""
        half = 0.5 * 10.0**-self.decimals
        _, low, high, _ = self.knots
        return normal_cdf((high + half - m) / s) - normal_cdf((low - half - m) / s)

    def share_negative(self, m: float, s: float) -> float:
        """Probability of a rate printed below zero."""
        return normal_cdf((-self.clamp - 0.5 * 10.0**-self.decimals - m) / s)

    def premium_mean_for(self, rate: float, s: float) -> float:
        """The premium mean m at which E[rate] is ``rate`` (bisection; E[rate] rises with m).

        Raises:
            ValueError: no premium mean gives this rate, as it lies at or beyond the cap.
        """
        low, high = -10.0 * (self.cap + self.clamp), 10.0 * (self.cap + self.clamp)
        if not self.mean(low, s) < rate < self.mean(high, s):
            raise ValueError(f"a mean rate of {rate} is out of reach under a cap of {self.cap}")
        for _ in range(200):
            middle = 0.5 * (low + high)
            low, high = (middle, high) if self.mean(middle, s) < rate else (low, middle)
        return 0.5 * (low + high)

    def covariance(self, m: float, s: float, correlation: Array, terms: int = 60) -> Array:
        """Cov(rate, rate') of two windows whose premiums are N(m, s^2) with the given correlations.

        Mehler's formula: the sum over k >= 1 of a_k^2 rho^k, with a_k the coefficients of the map on
        normalised Hermite polynomials. The coefficients come from a fine sum over 8001 points; what the
        terms after ``terms`` would add is put on the diagonal (rho = 1) only.
        """
        z = np.linspace(-9.0, 9.0, 8001)
        weight = np.exp(-0.5 * z**2) / math.sqrt(2.0 * math.pi) * (z[1] - z[0])
        free = m + s * z + np.clip(self.interest - (m + s * z), -self.clamp, self.clamp)
        rate = np.clip(free, -self.cap, self.cap)
        variance = float(weight @ (rate - weight @ rate) ** 2)
        total = np.zeros_like(correlation, dtype=np.float64)
        explained = 0.0
        before, current = np.zeros_like(z), np.ones_like(z)
        for k in range(1, terms + 1):
            before, current = current, (z * current - math.sqrt(k - 1) * before) / math.sqrt(k)
            square = float(weight @ (rate * current)) ** 2
            explained += square
            total += square * correlation**k
        return np.asarray(np.where(correlation >= 1.0, total + variance - explained, total), dtype=np.float64)


def normal_cdf(x: float) -> float:
    """Phi(x)."""
    return 0.5 * math.erfc(-x / math.sqrt(2.0))


def _call(m: float, s: float, k: float) -> float:
    """E(P - k)+ for P ~ N(m, s^2)."""
    d = (m - k) / s
    return (m - k) * normal_cdf(d) + s * math.exp(-0.5 * d * d) / math.sqrt(2.0 * math.pi)
