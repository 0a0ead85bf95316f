"""Capital letters of an address as a checksum (EIP-55), and the hash that it takes.

Keccak-256 is SHA-3's permutation with the padding of the first submission (the Keccak reference, version 3.0;
FIPS 202 pads with 0x06 instead of 0x01, so that hashlib's ``sha3_256`` gives another digest).
"""

from __future__ import annotations

_MASK = (1 << 64) - 1
_RATE = 136
"""Bytes of a block: 1600 bits less twice the digest's 256."""
_ROUNDS = 24


def is_well_typed(address: str) -> bool:
    """False for an address in mixed case whose capitals are not those of EIP-55.

    An address in one case has no checksum and passes.

    Args:
        address: ``0x`` and hexadecimal digits.
    """
    digits = address.removeprefix("0x")
    if digits in (digits.lower(), digits.upper()):
        return True
    nibbles = keccak_256(digits.lower().encode()).hex()
    capital = zip(digits, nibbles, strict=False)
    return all(digit.isdigit() or digit.isupper() == (int(nibble, 16) >= 8) for digit, nibble in capital)


def keccak_256(message: bytes) -> bytes:
    """The digest that Ethereum uses, of a short message: 32 bytes."""
    padded = bytearray(message) + b"\x01"
    padded += bytes(-len(padded) % _RATE)
    padded[-1] |= 0x80
    lanes = [0] * 25
    for start in range(0, len(padded), _RATE):
        for place in range(_RATE // 8):
            at = start + 8 * place
            lanes[place] ^= int.from_bytes(padded[at : at + 8], "little")
        lanes = _permuted(lanes)
    return b"".join(lane.to_bytes(8, "little") for lane in lanes[:4])


def _permuted(lanes: list[int]) -> list[int]:
    """Keccak-f[1600]; the lane at (x, y) stands at x + 5 y."""
    register = 1
    for _ in range(_ROUNDS):
        # theta
        parity = [lanes[x] ^ lanes[x + 5] ^ lanes[x + 10] ^ lanes[x + 15] ^ lanes[x + 20] for x in range(5)]
        mixed = [parity[(x + 4) % 5] ^ _rotated(parity[(x + 1) % 5], 1) for x in range(5)]
        lanes = [lane ^ mixed[place % 5] for place, lane in enumerate(lanes)]
        # rho and pi: along one path through all lanes but the first
        x, y, moved = 1, 0, lanes[1]
        for step in range(24):
            x, y = y, (2 * x + 3 * y) % 5
            lanes[x + 5 * y], moved = _rotated(moved, (step + 1) * (step + 2) // 2), lanes[x + 5 * y]
        # chi
        lanes = [
            lanes[place]
            ^ (~lanes[place - place % 5 + (place + 1) % 5] & lanes[place - place % 5 + (place + 2) % 5])
            for place in range(25)
        ]
        # iota: bits of a linear feedback register at places 2**j - 1
        for bit in range(7):
            if register & 1:
                lanes[0] ^= 1 << ((1 << bit) - 1)
            register = (register << 1) ^ (0x171 if register & 0x80 else 0)
        lanes[0] &= _MASK
    return lanes


def _rotated(lane: int, by: int) -> int:
    by %= 64
    return ((lane << by) | (lane >> (64 - by))) & _MASK
