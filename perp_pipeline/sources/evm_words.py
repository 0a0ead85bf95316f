"""32-byte ABI words in bulk: hexadecimal text -> bytes -> exact integers, exact decimals and floats.

Everything works on whole columns: one ``unhexlify`` for all logs, then numpy views. A column of words is
a ``uint8`` array of shape (n, 32), big-endian, as the chain writes it. Source of the layout: the Ethereum
contract ABI specification, "Formal Specification of the Encoding" (static types fill one word; signed ones
are in two's complement, sign-extended).
"""

from __future__ import annotations

from binascii import unhexlify

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from perp_pipeline.sources.evm_errors import TruncatedWords, WordOutOfRange

Bytes = npt.NDArray[np.uint8]
Floats = npt.NDArray[np.float64]
WORD = 32
_DECIMAL_DIGITS = 76
"""Digits an Arrow decimal256 holds; 10**76 < 2**253, so three kinds of word can be longer than that."""


_HEX = np.full(256, 16, dtype=np.int64)
_HEX[list(b"0123456789abcdef")] = range(16)
_HEX[list(b"ABCDEF")] = range(10, 16)
_NO_QUANTITY = "no 0x number below 2**63 where one belongs"


def words_from_hex(texts: pa.Array | pa.ChunkedArray, count: int, what: str = "data") -> Bytes:
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
        raise TruncatedWords(f"{what}: {column.null_count} of {n} logs have none")
    width = 2 + 2 * WORD * count
    offsets, characters = _characters(column)
    wrong = np.flatnonzero(np.diff(offsets) != width)
    if len(wrong):
        got = int(offsets[wrong[0] + 1] - offsets[wrong[0]])
        raise TruncatedWords(
            f"{what}: {len(wrong)} of {n} logs do not have {count} words of 32 bytes; "
            f"the first, at place {wrong[0]}, has {max(0, got - 2)} hexadecimal digits"
        )
    texts_2d = characters.reshape(n, width)
    if not ((texts_2d[:, 0] == ord("0")) & (texts_2d[:, 1] == ord("x"))).all():
        raise TruncatedWords(f"{what}: a log lacks the 0x prefix")
    try:
        raw = unhexlify(texts_2d[:, 2:].tobytes())
    except ValueError as error:
        raise TruncatedWords(f"{what}: not hexadecimal ({error})") from None
    return np.frombuffer(raw, dtype=np.uint8).reshape(n, count, WORD)


def quantities(texts: pa.StringArray) -> pa.Int64Array:
    """``0x`` numbers below 2**63, as nodes write block numbers; null where the text is null.

    Raises:
        WordOutOfRange: a text is no such number.
    """
    if texts.null_count == len(texts):
        return pa.nulls(len(texts), pa.int64())
    offsets, characters = _characters(texts.fill_null("0x0"))
    starts, counts = offsets[:-1], np.diff(offsets) - 2
    if counts.min() < 1 or counts.max() > 16:
        raise WordOutOfRange(_NO_QUANTITY)
    # digits from the last to the first, a column for each place
    places = np.arange(counts.max())
    given = places < counts[:, None]
    digits = np.where(given, _HEX[characters[np.where(given, offsets[1:, None] - 1 - places, 0)]], 0)
    prefixed = (characters[starts] == ord("0")) & (characters[starts + 1] == ord("x"))
    if not prefixed.all() or (digits > 15).any() or (digits[:, 15:] > 7).any():
        raise WordOutOfRange(_NO_QUANTITY)
    numbers = digits @ (np.int64(1) << (4 * places))
    return pa.array(numbers, mask=texts.is_null().to_numpy(zero_copy_only=False))


def _characters(column: pa.Array) -> tuple[npt.NDArray[np.int64], Bytes]:
    """Where each text of a column begins and the last one ends, and the characters of all of them."""
    column = column.cast(pa.large_string())
    _, offset_buffer, text_buffer = column.buffers()
    offsets = np.frombuffer(offset_buffer, dtype=np.int64)[column.offset : column.offset + len(column) + 1]
    characters = np.frombuffer(text_buffer, dtype=np.uint8)[offsets[0] : offsets[-1]]
    return offsets - offsets[0], characters


def require_unsigned(words: Bytes, bits: int, what: str) -> None:
    """Check that words hold unsigned integers of at most ``bits`` bits.

    Raises:
        WordOutOfRange: one does not.
    """
    if words[:, : WORD - bits // 8].any():
        raise WordOutOfRange(f"{what}: a word does not fit in uint{bits}")


def small_signed(words: Bytes, bits: int, what: str) -> npt.NDArray[np.int64]:
    """Signed integers of at most 64 bits, sign-extended to a word.

    Raises:
        WordOutOfRange: a word needs more than ``bits`` bits.
    """
    low = np.ascontiguousarray(words[:, WORD - 8 :]).view(">i8")[:, 0].astype(np.int64)
    fill = np.where(low < 0, 0xFF, 0).astype(np.uint8)
    limit = 1 << (bits - 1)
    if (words[:, : WORD - 8] != fill[:, None]).any() or (low < -limit).any() or (low >= limit).any():
        raise WordOutOfRange(f"{what}: a word does not fit in int{bits}")
    return low


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
