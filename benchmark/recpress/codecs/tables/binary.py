"""Binary tables: the sign of every value, and one magnitude per row or for the whole table."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from recpress.codecs.base import ALL, Codec, Rows, Scorer, nbytes, no_floats
from recpress.codecs.kernels.scorers import CodeScorer
from recpress.codecs.packing import pack, row_bytes, unpack
from recpress.codecs.registry import register
from recpress.codecs.tables.exponent import exponent, lost, restored, shift, stored, top_k_scorer
from recpress.codecs.tables.uniform import Granularity
from recpress.codecs.work import Work


@register
@dataclass(frozen=True)
class Binary(Codec):
    """``x ≈ scale · (2 · bit - 1)``.

    A rotation is not part of it: ``LowRank(Binary.encode(table @ R.T), Dense.encode(R))`` stores the signs of a
    rotated table beside an orthogonal ``R``, and its scorer rotates the query once.

    Attributes
    ----------
    codes : uint8 Tensor of shape (n, ceil(d / 8))
        Packed as `recpress.codecs.packing` says; a set bit is a value >= 0.
    scale : float16 Tensor of shape (n, 1) or (1, 1)
    columns, exponent : int
        The table is ``2 ** exponent`` times this; see `recpress.codecs.tables.exponent`.
    """

    kind = "binary"
    codes: Tensor
    scale: Tensor
    columns: int
    exponent: int = 0

    @classmethod
    def encode(cls, table: Tensor, granularity: Granularity = "row") -> Binary:
        """Keep the signs of a table.

        Parameters
        ----------
        table : float32 Tensor of shape (n, d)
        granularity : {"row", "tensor"}
            The scale is the mean of ``|x|`` over a row or over the table, which is the one with the least squared
            error for these signs (Rastegari et al. 2016, XNOR-Net, equation 6). A row of zeros has scale 0.

        Raises
        ------
        ValueError
            When a value is NaN or infinite.
        """
        dims = (1,) if granularity == "row" else (0, 1)
        # The mean of an empty table is NaN; its scale is never used.
        mean = table.abs().mean(dims, keepdim=True) if table.numel() else torch.zeros(1, 1)
        if (lost(mean, mean) or lost(2 * mean, 2 * mean)) and (by := exponent(table)):
            return replace(cls.encode(shift(table, -by), granularity), exponent=by)
        scale = mean.half()
        # The kernel's grid is one step of twice the scale.
        if not (torch.isfinite(table).all() and torch.isfinite(2 * scale).all()):
            raise ValueError("a value is not finite")
        return cls(pack((table >= 0).byte(), 1), scale, table.shape[1])

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns."""
        return (self.codes.shape[0], self.columns)

    def decode(self, rows: Rows = ALL) -> Tensor:
        """See `Codec.decode`."""
        signs = unpack(self.codes[rows], self.columns, 1).float().mul_(2).sub_(1)
        scale = self.scale[rows] if self.scale.shape[0] == self.codes.shape[0] else self.scale
        return shift(signs.mul_(scale.float()), self.exponent)

    def tensors(self) -> dict[str, Tensor]:
        """See `Codec.tensors`."""
        return {"codes": self.codes, "scale": self.scale}

    def options(self) -> dict[str, Any]:
        """See `Codec.options`."""
        return {"columns": self.columns} | stored(self.exponent)

    def breakdown(self) -> Counter[str]:
        """See `Codec.breakdown`."""
        return Counter(values=nbytes(self.codes), scales=nbytes(self.scale))

    @classmethod
    def restore(cls, options: dict[str, Any], tensors: dict[str, Tensor]) -> Binary:
        """See `Codec.restore`."""
        columns, codes, scale = int(options["columns"]), tensors["codes"], tensors["scale"]
        if codes.dtype != torch.uint8 or codes.dim() != 2 or codes.shape[1] != row_bytes(columns, 1):
            raise ValueError(
                f"the signs of {columns} columns must be a uint8 matrix of {row_bytes(columns, 1)} columns"
            )
        if tuple(scale.shape) not in ((codes.shape[0], 1), (1, 1)):
            raise ValueError(f"a scale per row or per table was expected, not {tuple(scale.shape)}")
        if no_floats(scale) or not torch.isfinite(2 * scale).all() or (scale < 0).any():
            raise ValueError("a scale is negative or not finite")
        return cls(codes, scale, columns, restored(options))

    def work(self, queries: int) -> Work:
        """See `Codec.work`: an 8-bit product per value, which is what the kernel makes of a bit, then the scale."""
        n, columns = self.shape
        return Work({"int8": queries * n * columns, "fp32": queries * n}, self.breakdown().total())

    def scorer(self) -> Scorer:
        """Return the kernel that ranks codes as they are."""
        return top_k_scorer(CodeScorer(self.codes, self.columns, 1, 2 * self.scale, zero=0.5), self.exponent)
