"""Elias–Fano codes: ascending integers in about ``2 + log2(universe / n)`` bits each.

The low bits of every number are packed as they are. The high bits are counted up in a bit vector: number ``i`` with
high part ``h`` sets bit ``h + i``. Sources: Elias 1974, "Efficient storage and retrieval by content and address of
static files"; Fano 1971; Vigna 2013, "Quasi-succinct indices", https://arxiv.org/abs/1206.4300.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Keys = NDArray[np.int64]
Bytes = NDArray[np.uint8]


def low_bits(n: int, universe: int) -> int:
    """Return how many bits of each number are stored as they are: ``floor(log2(universe / n))``."""
    return max(universe // max(n, 1), 1).bit_length() - 1


def part_bytes(n: int, universe: int) -> tuple[int, int]:
    """Return the bytes of the high and of the low part of n numbers below `universe`."""
    low = low_bits(n, universe)
    return -(-(n + (universe >> low) + 1) // 8), -(-n * low // 8)


def encode(keys: Keys, universe: int) -> Bytes:
    """Encode distinct numbers.

    Parameters
    ----------
    keys : int64 array of shape (n,)
        Ascending, in [0, universe).
    universe : int

    Returns
    -------
    uint8 array of ``sum(part_bytes(n, universe))`` bytes: the high part, then the low part.
    """
    n, low = len(keys), low_bits(len(keys), universe)
    high = np.zeros(8 * part_bytes(n, universe)[0], np.uint8)
    high[(keys >> low) + np.arange(n)] = 1
    lows = (keys[:, None] >> np.arange(low)).astype(np.uint8) & 1
    return np.concatenate([np.packbits(each, bitorder="little") for each in (high, lows.ravel())])


def decode(stored: Bytes, n: int, universe: int) -> Keys:
    """Return the n numbers that `encode` was given.

    Raises
    ------
    ValueError
        When these bytes are not the code of n numbers below `universe`.
    """
    low, sizes = low_bits(n, universe), part_bytes(n, universe)
    if stored.dtype != np.uint8 or stored.shape != (sum(sizes),):
        raise ValueError(f"{n} numbers below {universe} take {sum(sizes)} bytes, not {stored.dtype} {stored.shape}")
    places = np.flatnonzero(np.unpackbits(stored[: sizes[0]], bitorder="little"))
    if len(places) != n:
        raise ValueError(f"{len(places)} numbers are stored, not {n}")
    lows = np.unpackbits(stored[sizes[0] :], count=n * low, bitorder="little").reshape(n, low)
    keys: Keys = (places - np.arange(n) << low) + lows @ (1 << np.arange(low))
    if n and (keys[-1] >= universe or (np.diff(keys) <= 0).any()):
        raise ValueError(f"the numbers stored are not ascending below {universe}")
    return keys
