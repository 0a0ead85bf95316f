"""The product of two means, and an interval that holds when they are near zero.

There the product's distribution is far from normal (Craig 1936, Annals of Mathematical Statistics 7), and its
first-order error goes to zero with the means: where one is small by chance, an interval of plus and minus so
many standard errors is too short. Here the interval is the profile one, by inversion of a test: the products
of all pairs of means that lie within the critical distance of the estimated pair, in units of their joint HAC
covariance (Cox and Hinkley 1974, "Theoretical statistics"). With means far from zero it is the usual one.
"""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np

from perp_pipeline.research.statistics import (
    Array,
    Estimate,
    bartlett_covariance,
    fixed_b_critical,
    hac_influence,
)


def product_of_means(x: Array, y: Array) -> tuple[float, Array]:
    """Product of the means and influence."""
    mx, my = float(x.mean()), float(y.mean())
    return mx * my, mx * (y - my) + my * (x - mx)


def hac_product(x: Array, y: Array, lags: int) -> Estimate:
    """Product of the means of two series with its first-order HAC error and its profile interval.

    Args:
        x, y: (n,) over the same rows, in time order, finite.
        lags: Bartlett lags of the joint covariance.

    Returns:
        in the product of the two units; ``se`` is the delta method's and no half of the interval.
    """
    value, influence = product_of_means(x, y)
    found = hac_influence(value, influence, lags)
    if math.isnan(found.se):
        return found
    means = float(x.mean()), float(y.mean())
    away = np.column_stack([x - means[0], y - means[1]])
    covariance = bartlett_covariance(away, found.hac_lags) / found.n
    low, high = products_within(means, covariance, fixed_b_critical(found.hac_lags, found.n))
    return replace(found, ci_low=min(low, value), ci_high=max(high, value))


def products_within(means: tuple[float, float], covariance: Array, distance: float) -> tuple[float, float]:
    """Least and largest product of a pair (a, b) at most ``distance`` standard errors from ``means``.

    On the ellipse's edge the pair is (p + u cos t, q + v cos t + w sin t), with u, v, w the Cholesky factor
    times the distance. The product has its extremes there, where a polynomial of degree four in e^(it) is
    zero.

    Args:
        means: the two estimates.
        covariance: (2, 2) of their errors.
        distance: critical value.
    """
    p, q = means
    scale = math.sqrt(max(0.0, float(covariance[0, 0])))
    shared = float(covariance[0, 1]) / scale if scale > 0.0 else 0.0
    u, v = distance * scale, distance * shared
    w = distance * math.sqrt(max(0.0, float(covariance[1, 1]) - shared**2))
    cos, sin, cos2, sin2 = u * q + p * v, p * w, u * v / 2.0, u * w / 2.0
    slope = [sin2 + 1j * cos2, (sin + 1j * cos) / 2.0, 0.0, (sin - 1j * cos) / 2.0, sin2 - 1j * cos2]
    if not any(slope):
        return p * q, p * q
    at = np.angle(np.roots(slope))
    products = (p + u * np.cos(at)) * (q + v * np.cos(at) + w * np.sin(at))
    return float(products.min()), float(products.max())
