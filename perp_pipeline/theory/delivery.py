"""What a long pays in a future that delivers, beside one that never does.

A delivery future converges to the spot price: a long who buys at F(0) and holds to delivery has paid exactly
F(0) - S(0) over spot, known on the first day. A perpetual never delivers: the long pays the funding of the
way, unknown on the first day, and leaves at a price P(t) that may differ from S(t).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt


@dataclass(frozen=True)
class LongCost:
    """What a long paid over the holder of the asset, as fractions of the first spot price.

    Attributes:
        entry: premium over spot at which the long bought.
        carry: funding paid on the way; zero in a delivery future.
        exit: premium over spot at which the long sold; zero at delivery.
    """

    entry: float
    carry: float
    exit: float

    @property
    def total(self) -> float:
        """entry + carry - exit."""
        return self.entry + self.carry - self.exit


def delivery_long(future: float, spot: float) -> LongCost:
    """Cost of a long who buys a delivery future at ``future`` with spot at ``spot`` and holds to delivery."""
    return LongCost(entry=future / spot - 1.0, carry=0.0, exit=0.0)


def perpetual_long(perp: npt.ArrayLike, spot: npt.ArrayLike, funding: npt.ArrayLike) -> LongCost:
    """Cost of a long in a perpetual along a path.

    Args:
        perp, spot: n + 1 prices of the perpetual and of the asset, at the start and after each period.
        funding: n rates, each a fraction of the perpetual's price at the end of its period.

    Raises:
        ValueError: the lengths do not fit.
    """
    p = np.asarray(perp, dtype=np.float64)
    s = np.asarray(spot, dtype=np.float64)
    f = np.asarray(funding, dtype=np.float64)
    if not len(p) == len(s) == len(f) + 1:
        raise ValueError(f"{len(f)} payments need {len(f) + 1} prices, not {len(p)} and {len(s)}")
    return LongCost(
        entry=float((p[0] - s[0]) / s[0]),
        carry=float(f @ p[1:] / s[0]),
        exit=float((p[-1] - s[-1]) / s[0]),
    )
