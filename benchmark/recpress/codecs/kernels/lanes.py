"""Packed tables laid out for the kernels: blocks of 16 rows, a lane for each row, the same bits in another order."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from recpress.codecs.kernels.simd import LANES
from recpress.codecs.packing import row_bytes
from recpress.core.jit import ahead, kernel

# Widths of the planes that codes are cut into, so that no code lies across two bytes.
PLANES = {8: (8,), 7: (4, 2, 1), 6: (4, 2), 5: (4, 1), 4: (4,), 3: (2, 1), 2: (2,), 1: (1,)}


@dataclass(frozen=True)
class CodeLanes:
    """Codes of 1 to 8 bits.

    Attributes
    ----------
    codes : uint32 array of shape (blocks, words, LANES)
        A step is four neighbouring columns, one in each byte of a word. A word of a plane of w bits holds 8 / w
        steps, the first in the low bits of the bytes.
    planes : int64 array of shape (planes, 4)
        Width in bits, lowest bit of the code, first word, number of words.
    steps : int
        Steps of the plane with the most, of which those beyond d / 4 hold zeros.
    """

    codes: NDArray[np.uint32]
    planes: NDArray[np.int64]
    steps: int


def lay_codes(packed: NDArray[np.uint8], columns: int, bits: int) -> CodeLanes:
    """Lay out rows packed as `recpress.codecs.packing` says."""
    if packed.shape[1] != row_bytes(columns, bits):
        raise ValueError(f"{columns} codes of {bits} bits don't take {packed.shape[1]} bytes a row")
    planes, first, low = [], 0, 0
    for width in reversed(PLANES[bits]):
        words = -(-columns * width // 32)
        planes.append((width, low, first, words))
        first, low = first + words, low + width
    described = np.array(planes, np.int64)
    codes = np.zeros((-(-len(packed) // LANES), first, LANES), np.uint32)
    _lay(packed, columns, bits, described, codes)
    return CodeLanes(codes, described, int((described[:, 3] * (8 // described[:, 0])).max()))


@ahead("uint8[:, ::1], int64, int64, int64[:, ::1], uint32[:, :, ::1]")
@kernel
def _lay(
    packed: NDArray[np.uint8], columns: int, bits: int, planes: NDArray[np.int64], codes: NDArray[np.uint32]
) -> None:
    mask = (1 << bits) - 1
    for row in range(len(packed)):
        block, lane = row // LANES, row % LANES
        for column in range(columns):
            at = column * bits
            code = np.int64(packed[row, at >> 3]) >> (at & 7)
            if (at & 7) + bits > 8:
                code |= np.int64(packed[row, (at >> 3) + 1]) << (8 - (at & 7))
            code &= mask
            for plane in range(len(planes)):
                width, low, first, _ = planes[plane]
                step, byte = column >> 2, column & 3
                per_word = 8 // width
                field = (code >> low) & ((1 << width) - 1)
                codes[block, first + step // per_word, lane] |= np.uint32(
                    field << (8 * byte + width * (step % per_word))
                )


def lay_halves(values: NDArray[np.uint16]) -> NDArray[np.uint16]:
    """Lay out a table of 16-bit numbers: uint16 of shape (blocks, d rounded up to a multiple of 4, LANES)."""
    n, columns = values.shape
    padded = np.zeros((-(-n // LANES) * LANES, columns + -columns % 4), np.uint16)
    padded[:n, :columns] = values
    return np.ascontiguousarray(padded.reshape(-1, LANES, padded.shape[1]).transpose(0, 2, 1))


def lay_scales(scales: NDArray[np.uint16], blocks: int) -> NDArray[np.uint16]:
    """Return the bits of fp16 numbers, one per row or one for all, as (blocks, LANES) or (1, LANES)."""
    if len(scales) == 1:
        return np.full((1, LANES), scales[0], np.uint16)
    padded = np.zeros(blocks * LANES, np.uint16)
    padded[: len(scales)] = scales
    return padded.reshape(blocks, LANES)
