"""Keccak-256 in plain Python, after the Keccak reference: what topics and selectors are made with."""

from __future__ import annotations

_MASK = (1 << 64) - 1
_RATE = 136


def keccak256(message: bytes) -> bytes:
    """The digest that Ethereum calls keccak256 (not SHA3-256: the padding differs)."""
    state = [[0] * 5 for _ in range(5)]
    padded = bytearray(message) + b"\x01"
    padded += b"\0" * (-len(padded) % _RATE)
    padded[-1] |= 0x80
    for start in range(0, len(padded), _RATE):
        for lane in range(_RATE // 8):
            word = int.from_bytes(padded[start + 8 * lane : start + 8 * lane + 8], "little")
            state[lane % 5][lane // 5] ^= word
        state = _permuted(state)
    return b"".join(state[lane % 5][lane // 5].to_bytes(8, "little") for lane in range(4))


def _turned(lane: int, places: int) -> int:
    return ((lane << places) | (lane >> (64 - places))) & _MASK if places else lane


def _permuted(a: list[list[int]]) -> list[list[int]]:
    register = 1
    for _ in range(24):
        c = [a[x][0] ^ a[x][1] ^ a[x][2] ^ a[x][3] ^ a[x][4] for x in range(5)]
        d = [c[(x + 4) % 5] ^ _turned(c[(x + 1) % 5], 1) for x in range(5)]
        a = [[a[x][y] ^ d[x] for y in range(5)] for x in range(5)]
        x, y, current = 1, 0, a[1][0]
        for step in range(24):
            x, y = y, (2 * x + 3 * y) % 5
            current, a[x][y] = a[x][y], _turned(current, ((step + 1) * (step + 2) // 2) % 64)
        for y in range(5):
            row = [a[x][y] for x in range(5)]
            for x in range(5):
                a[x][y] = row[x] ^ (~row[(x + 1) % 5] & row[(x + 2) % 5] & _MASK)
        for place in range(7):
            register = ((register << 1) ^ ((register >> 7) * 0x71)) % 256
            if register & 2:
                a[0][0] ^= 1 << ((1 << place) - 1)
    return a
