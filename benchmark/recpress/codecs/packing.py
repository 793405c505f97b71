"""Codes of 1 to 8 bits packed into bytes, row by row.

Code ``j`` of a row occupies bits ``j * bits … (j + 1) * bits - 1`` of that row, counted from the low bit of its first
byte; a row ends on a byte. At 4 bits this is the usual low nibble first.
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from recpress.core.jit import ahead, kernel


def row_bytes(columns: int, bits: int) -> int:
    """Return the bytes of one packed row."""
    return -(-columns * bits // 8)


def pack(codes: Tensor, bits: int) -> Tensor:
    """Pack codes below ``2 ** bits``.

    Parameters
    ----------
    codes : uint8 Tensor of shape (n, d)
    bits : int in [1, 8]

    Returns
    -------
    uint8 Tensor of shape (n, row_bytes(d, bits))
    """
    if bits == 8:
        return codes.contiguous()
    n, columns = codes.shape
    planes = np.unpackbits(codes.numpy()[:, :, None], axis=2, count=bits, bitorder="little")
    return torch.from_numpy(np.packbits(planes.reshape(n, columns * bits), axis=1, bitorder="little"))


def unpack(packed: Tensor, columns: int, bits: int) -> Tensor:
    """Return the codes of packed rows, uint8 of shape (n, columns): the inverse of `pack`."""
    if packed.shape[1] != row_bytes(columns, bits):
        raise ValueError(f"{columns} codes of {bits} bits don't take {packed.shape[1]} bytes a row")
    if bits == 8:
        return packed
    codes = torch.empty(len(packed), columns, dtype=torch.uint8)
    _put_into_bytes(packed.numpy(), bits, codes.numpy())
    return codes


@ahead("uint8[:, ::1], int64, uint8[:, ::1]")
@kernel
def _put_into_bytes(packed: NDArray[np.uint8], bits: int, out: NDArray[np.uint8]) -> None:
    """Write the codes of packed rows into `out`, of shape (n, columns)."""
    for column in range(out.shape[1]):
        first, shift = (column * bits) >> 3, (column * bits) & 7
        for row in range(len(out)):
            word = np.uint32(packed[row, first])
            if shift + bits > 8:
                word |= np.uint32(packed[row, first + 1]) << np.uint32(8)
            out[row, column] = (word >> np.uint32(shift)) & np.uint32((1 << bits) - 1)
