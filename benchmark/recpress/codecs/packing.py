"""Codes of 1 to 8 bits packed into bytes, row by row.

Code ``j`` of a row occupies bits ``j * bits … (j + 1) * bits - 1`` of that row, counted from the low bit of its first
byte; a row ends on a byte. At 4 bits this is the usual low nibble first.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor


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
    if bits == 8:
        return packed
    if bits in (1, 2, 4):
        shifts = torch.arange(0, 8, bits, dtype=torch.uint8)
        codes: Tensor = (packed[:, :, None] >> shifts) & (2**bits - 1)
        return codes.flatten(1)[:, :columns]
    planes = np.unpackbits(packed.numpy(), axis=1, count=columns * bits, bitorder="little")
    planes = planes.reshape(len(packed), columns, bits)
    return torch.from_numpy(np.packbits(planes, axis=2, bitorder="little")[:, :, 0])
