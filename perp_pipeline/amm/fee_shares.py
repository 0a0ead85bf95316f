"""The protocol's share of a pool's fees as it was at each swap."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from perp_pipeline.amm.pools import PoolFacts

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
_BEFORE = -1
"""Place in its block of what holds before the block's first log."""


@dataclass(frozen=True)
class FeeShares:
    """A pool's share as steps: what is known of the beginnings of days, and switches inside them.

    Attributes:
        positions: where each step begins, as :func:`position` counts, ascending.
        times: the same as epoch microseconds.
        shares: fractions of the fees in token0 and token1, shape (2, steps + 1), from before the first step.
    """

    positions: Ints
    times: Ints
    shares: Floats

    @classmethod
    def of(
        cls, facts: PoolFacts, switches: pd.DataFrame | None = None, days: pd.DataFrame | None = None
    ) -> FeeShares:
        """The shares of a pool.

        Before the first step the share is what the first switch calls old; where there is none before the
        first day that is known, the declared one.

        Args:
            switches: rows of core_amm_fee_protocol of the pool, any months.
            days: rows of raw_amm_days of the pool, any months.
        """
        steps = []
        if switches is not None and len(switches):
            names = {"new0": "share0", "new1": "share1"}
            known = switches.assign(position=position(switches), micros=micros(switches["time"]))
            steps.append(
                known.rename(columns=names)[["position", "micros", "share0", "share1", "old0", "old1"]]
            )
        if days is not None and len(days):
            known = days[days["fee_protocol_source"].isin(["contract", "events"])]
            known = known.drop_duplicates("day")
            blocks = known["first_block"].to_numpy(dtype=np.int64)
            begun = pd.DataFrame(
                {
                    "position": (blocks << 20) + _BEFORE,
                    "micros": micros(known["day"]),
                    "share0": known["fee_protocol0"].to_numpy(dtype=np.int64),
                    "share1": known["fee_protocol1"].to_numpy(dtype=np.int64),
                }
            )
            steps.append(begun.assign(old0=facts.fee_protocol0, old1=facts.fee_protocol1))
        none = np.zeros(0, dtype=np.int64)
        default = np.array([[facts.fee_protocol0], [facts.fee_protocol1]])
        if not (steps and sum(map(len, steps))):
            return cls(none, none, _parts(default))
        rows = pd.concat(steps, ignore_index=True).sort_values("position", kind="stable", ignore_index=True)
        before = rows.loc[:0, ["old0", "old1"]].to_numpy(dtype=np.int64).T
        after = rows[["share0", "share1"]].to_numpy(dtype=np.int64).T
        times = np.maximum.accumulate(rows["micros"].to_numpy(dtype=np.int64))
        return cls(
            rows["position"].to_numpy(dtype=np.int64), times, _parts(np.concatenate([before, after], axis=1))
        )

    def at_swaps(self, swaps: pd.DataFrame) -> tuple[Floats | float, Floats | float]:
        """The share of the fee of each swap, by its place on the chain, in token0 and token1."""
        if not len(self.positions):
            return float(self.shares[0, 0]), float(self.shares[1, 0])
        place = np.searchsorted(self.positions, position(swaps))
        return self.shares[0, place], self.shares[1, place]

    def at_times(self, moments: pd.Series) -> tuple[Floats, Floats]:
        """The share in force at moments."""
        place = np.searchsorted(self.times, micros(moments), side="right")
        return self.shares[0, place], self.shares[1, place]


def micros(times: pd.Series) -> Ints:
    """Aware or naive UTC stamps as epoch microseconds."""
    if times.dt.tz is not None:
        times = times.dt.tz_convert("UTC").dt.tz_localize(None)
    return np.asarray(times.astype("datetime64[us]").to_numpy(), dtype="datetime64[us]").astype(np.int64)


def position(rows: pd.DataFrame) -> Ints:
    """One ascending number per log: a block holds fewer than 2**20 logs."""
    blocks, logs = (rows[name].to_numpy(dtype=np.int64) for name in ("block_number", "log_index"))
    return np.asarray(blocks * (1 << 20) + logs)


def _parts(denominators: Ints) -> Floats:
    """Fractions: one n-th each, 0 for 0."""
    return np.where(denominators > 0, 1.0 / np.maximum(denominators, 1), 0.0)
