"""Random numbers and the processes made of them."""

from __future__ import annotations

import zlib

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]


def stream(seed: int, name: str) -> np.random.Generator:
    """The random numbers of one part of the market: a part that is added later changes no other one."""
    return np.random.Generator(np.random.PCG64(np.random.SeedSequence([seed, zlib.crc32(name.encode())])))


def ar1(innovations: Array, persistence: Array, sd: Array) -> Array:
    """Stationary AR(1) series, one per column.

    Args:
        innovations: standard normal, shape (time, series).
        persistence: first autocorrelation of each series.
        sd: stationary standard deviation of each series.
    """
    scaled = innovations * (sd * np.sqrt(1.0 - persistence**2))
    scaled[0] = innovations[0] * sd
    out = np.empty_like(scaled)
    state = np.zeros(scaled.shape[1])
    for row, innovation in enumerate(scaled):
        state = persistence * state + innovation
        out[row] = state
    return out


def trailing_sum(values: Array, length: int, lag: int = 0) -> Array:
    """Sum of the ``length`` values that end ``lag`` rows back, along the first axis; shorter at the start."""
    total = np.concatenate([np.zeros_like(values[:1]), np.cumsum(values, axis=0)])
    rows = np.arange(1, len(values) + 1)
    last = np.maximum(rows - lag, 0)
    first = np.maximum(last - length, 0)
    return np.asarray(total[last] - total[first], dtype=np.float64)
