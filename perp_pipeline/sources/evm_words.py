"""32-byte ABI words in bulk: hexadecimal text -> bytes -> exact integers, exact decimals and floats.

Everything works on whole columns: one ``unhexlify`` for all logs, then numpy views. A column of words is
a ``uint8`` array of shape (n, 32), big-endian, as the chain writes it. Source of the layout: the Ethereum
contract ABI specification, "Formal Specification of the Encoding" (static types fill one word; signed ones
are in two's complement, sign-extended).
"""

from __future__ import annotations

from binascii import unhexlify
from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from perp_pipeline.sources.evm_errors import TruncatedWords, WordOutOfRange

Bytes = npt.NDArray[np.uint8]
Floats = npt.NDArray[np.float64]
WORD = 32
_DECIMAL_DIGITS = 76
"""Digits an Arrow decimal256 holds; 10**76 < 2**253, so three kinds of word can be longer than that."""


Name = Callable[[int], str]
"""How messages call the log at a place of a column."""


def _by_place(place: int) -> str:
    return f"the log at place {place}"


_HEX = np.full(256, 16, dtype=np.int64)
_HEX[list(b"0123456789abcdef")] = range(16)
_HEX[list(b"ABCDEF")] = range(10, 16)
_NO_QUANTITY = "no 0x number below 2**63 where one belongs"


def words_from_hex(
    texts: pa.Array | pa.ChunkedArray, count: int, what: str = "data", name: Name = _by_place
) -> Bytes:
    """Words of ``0x``-prefixed hexadecimal texts, all of ``count`` words.

    Args:
        texts: Arrow strings, without nulls.
        what: name of the field, for messages.

    Returns:
        uint8, shape (n, count, 32).

    Raises:
        TruncatedWords: a text is null, has another length, lacks the prefix, or is not hexadecimal.
    """
    column = (
        pa.concat_arrays(texts.chunks) if isinstance(texts, pa.ChunkedArray) and texts.num_chunks else texts
    )
    n = len(column)
    if n == 0:
        return np.empty((0, count, WORD), dtype=np.uint8)
    if column.null_count:
        first = int(np.argmax(column.is_null().to_numpy(zero_copy_only=False)))
        raise TruncatedWords(f"{what}: {column.null_count} of {n} logs have none; the first is {name(first)}")
    width = 2 + 2 * WORD * count
    offsets, characters = _characters(column)
    wrong = np.flatnonzero(np.diff(offsets) != width)
    if len(wrong):
        got = int(offsets[wrong[0] + 1] - offsets[wrong[0]])
        raise TruncatedWords(
            f"{what}: {len(wrong)} of {n} logs do not have {count} words of 32 bytes; "
            f"the first, {name(int(wrong[0]))}, has {max(0, got - 2)} hexadecimal digits"
        )
    texts_2d = characters.reshape(n, width)
    prefixed = (texts_2d[:, 0] == ord("0")) & (texts_2d[:, 1] == ord("x"))
    if not prefixed.all():
        raise TruncatedWords(f"{what}: {name(int(np.argmin(prefixed)))} lacks the 0x prefix")
    try:
        raw = unhexlify(texts_2d[:, 2:].tobytes())
    except ValueError as error:
        first = int(np.argmax((_HEX[texts_2d[:, 2:]] > 15).any(axis=1)))
        raise TruncatedWords(f"{what}: {name(first)} is not hexadecimal ({error})") from None
    return np.frombuffer(raw, dtype=np.uint8).reshape(n, count, WORD)


def quantities(texts: pa.StringArray) -> pa.Int64Array:
    """``0x`` numbers below 2**63, as nodes write block numbers; null where the text is null.

    Raises:
        WordOutOfRange: a text is no such number.
    """
    if texts.null_count == len(texts):
        return pa.nulls(len(texts), pa.int64())
    offsets, characters = _characters(texts.fill_null("0x0") if texts.null_count else texts)
    starts, ends = offsets[:-1], offsets[1:]
    counts = ends - starts - 2
    least, most = int(counts.min()), int(counts.max())
    if least < 1 or most > 16:
        raise WordOutOfRange(_NO_QUANTITY)
    good = (characters[starts] == ord("0")) & (characters[starts + 1] == ord("x"))
    numbers = np.zeros(len(texts), dtype=np.int64)
    for place in range(most):  # digits from the last to the first
        if place < least:
            digits = _HEX[characters[ends - (1 + place)]]
        else:
            given = place < counts
            digits = np.where(given, _HEX[characters[np.where(given, ends - (1 + place), 0)]], 0)
        good &= digits < 16
        numbers |= digits << (4 * place)
    if not good.all() or (numbers < 0).any():
        raise WordOutOfRange(_NO_QUANTITY)
    mask = texts.is_null().to_numpy(zero_copy_only=False) if texts.null_count else None
    return pa.array(numbers, mask=mask)


def _characters(column: pa.Array) -> tuple[npt.NDArray[np.int64], Bytes]:
    """Where each text of a column begins and the last one ends, and the characters of all of them."""
    column = column.cast(pa.large_string())
    _, offset_buffer, text_buffer = column.buffers()
    offsets = np.frombuffer(offset_buffer, dtype=np.int64)[column.offset : column.offset + len(column) + 1]
    characters = np.frombuffer(text_buffer, dtype=np.uint8)[offsets[0] : offsets[-1]]
    return offsets - offsets[0], characters


def require_unsigned(words: Bytes, bits: int, what: str, name: Name = _by_place) -> None:
    """Check that words hold unsigned integers of at most ``bits`` bits (a multiple of 8).

    Raises:
        WordOutOfRange: one does not.
    """
    unused = words[:, : WORD - bits // 8]
    if unused.any():
        first = int(np.argmax(unused.any(axis=1)))
        raise WordOutOfRange(f"{what}: the word of {name(first)} does not fit in uint{bits}")


def small_signed(words: Bytes, bits: int, what: str, name: Name = _by_place) -> npt.NDArray[np.int64]:
    """Signed integers of at most 64 bits (a multiple of 8), sign-extended to a word.

    Raises:
        WordOutOfRange: a word needs more than ``bits`` bits.
    """
    limbs = _limbs(words).view(np.int64)
    numbers, fill = limbs[:, 3], limbs[:, 3] >> (bits - 1)  # all bits from the sign on: 0, or -1
    wrong = (fill + 1) & -2 != 0
    for limb in range(3):
        wrong |= limbs[:, limb] != fill
    if wrong.any():
        raise WordOutOfRange(f"{what}: the word of {name(int(np.argmax(wrong)))} does not fit in int{bits}")
    return numbers


def signs(words: Bytes) -> npt.NDArray[np.int64]:
    """1, 0 or -1 of signed words."""
    limbs = _limbs(words).view(np.int64)
    some = (limbs[:, 0] | limbs[:, 1] | limbs[:, 2] | limbs[:, 3]) != 0
    return np.where(limbs[:, 0] < 0, -1, some.astype(np.int64))


def decimals(words: Bytes, *, signed: bool) -> pa.StringArray:
    """Exact decimal texts of words.

    Args:
        signed: read two's complement (int256) rather than uint256.

    Returns:
        Arrow strings such as ``-123`` and ``79228162514264337593543950336``.
    """
    n = len(words)
    if n == 0:
        return pa.array([], type=pa.string())
    limbs = _limbs(words)
    # Arrow's decimal256 is two's complement, least significant limb first: the word's limbs turned round
    top = limbs[:, 0].view(np.int64) if signed else limbs[:, 0]
    bound = 10**_DECIMAL_DIGITS >> 192
    fits = (top < bound) & (top > -bound) if signed else top < np.uint64(bound)
    little = np.ascontiguousarray(limbs[:, ::-1])
    if bool(fits.all()):
        return _decimal256(little).cast(pa.string())
    texts = np.empty(n, dtype=object)
    texts[fits] = _decimal256(np.ascontiguousarray(little[fits])).cast(pa.string()).to_pylist()
    texts[~fits] = [str(int.from_bytes(word.tobytes(), "big", signed=signed)) for word in words[~fits]]
    return pa.array(texts.tolist(), type=pa.string())


def floats(words: Bytes, *, signed: bool) -> Floats:
    """Words as float64, within one unit in the last place of the exact integer."""
    limbs = _limbs(words)
    if not signed:
        return _to_float(limbs)
    negative = limbs[:, 0] >> np.uint64(63) == 1
    # the magnitude first: 2**256 - x minus 2**256 would leave no correct digit of a small x
    magnitude = limbs.copy()
    magnitude[negative] = _negated(limbs[negative])
    return np.where(negative, -_to_float(magnitude), _to_float(magnitude))


def scaled(values: Floats, places: int) -> Floats:
    """Raw token amounts as whole tokens: divided by 10**places (exact powers up to 10**22)."""
    return values / 10.0**places


def _limbs(words: Bytes) -> npt.NDArray[np.uint64]:
    """Four native 64-bit limbs of each word, most significant first."""
    return np.ascontiguousarray(words).view(">u8").reshape(len(words), 4).astype(np.uint64)


def _negated(limbs: npt.NDArray[np.uint64]) -> npt.NDArray[np.uint64]:
    """Two's complement of each row of limbs."""
    result = ~limbs
    carry = np.ones(len(limbs), dtype=bool)
    for column in range(3, -1, -1):
        result[:, column] += carry.astype(np.uint64)
        carry &= result[:, column] == 0
    return result


def _to_float(limbs: npt.NDArray[np.uint64]) -> Floats:
    total = limbs[:, 3].astype(np.float64)
    for column, power in ((2, 64), (1, 128), (0, 192)):
        if limbs[:, column].any():
            total += limbs[:, column].astype(np.float64) * 2.0**power
    return total


def _decimal256(little: npt.NDArray[np.uint64]) -> pa.Array:
    buffer = pa.py_buffer(little.astype("<u8").tobytes())
    return pa.Array.from_buffers(pa.decimal256(_DECIMAL_DIGITS), len(little), [None, buffer])
