"""Ternary tables: every value is −α, 0 or +α, five to a byte."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from recpress.codecs.base import ALL, Codec, Rows, Scorer, nbytes, no_floats
from recpress.codecs.kernels.scorers import CodeScorer
from recpress.codecs.packing import pack
from recpress.codecs.registry import register
from recpress.codecs.tables.exponent import exponent, lost, restored, shift, stored, top_k_scorer
from recpress.codecs.work import Work

PER_BYTE = 5
POWERS = torch.tensor([3**place for place in range(PER_BYTE)], dtype=torch.uint8)


def row_bytes(columns: int) -> int:
    """Return the bytes of one packed row: 3⁵ = 243 combinations fit a byte, which is 1.6 bits a value."""
    return -(-columns // PER_BYTE)


@register
@dataclass(frozen=True)
class Ternary(Codec):
    """``x ≈ α_r · t`` with ``t ∈ {−1, 0, 1}`` and one scale per row.

    Attributes
    ----------
    codes : uint8 Tensor of shape (n, row_bytes(d))
        Digits ``t + 1`` in base 3, the first column lowest.
    scale : float16 Tensor of shape (n, 1)
    columns, exponent : int
        The table is ``2 ** exponent`` times this; see `recpress.codecs.tables.exponent`.
    """

    kind = "ternary"
    codes: Tensor
    scale: Tensor
    columns: int
    exponent: int = 0

    @classmethod
    def encode(cls, table: Tensor) -> Ternary:
        """Find each row's best scale and support.

        Notes
        -----
        Ternary weight networks (Li et al. 2016, equations 3–6) pose ``min ‖x − α t‖²``: for a support S the best α is
        ``mean_{S} |x|``, and the best S maximises ``(Σ_S |x|)² / |S|``. The paper approximates that threshold; here the
        sorted magnitudes of a row give the exact one.

        Raises
        ------
        ValueError
            When a value is NaN or infinite.
        """
        magnitude, order = table.abs().sort(dim=1, descending=True, stable=True)
        sizes = torch.arange(1, table.shape[1] + 1)
        sums = magnitude.cumsum(1)
        best = (sums.square() / sizes).argmax(1, keepdim=True)
        exact = (sums / sizes).gather(1, best)
        if lost(exact, exact) and (by := exponent(table)):
            return replace(cls.encode(shift(table, -by)), exponent=by)
        scale = exact.half()
        if not (torch.isfinite(scale).all() and torch.isfinite(table).all()):
            raise ValueError("a value is not finite")
        support = torch.zeros_like(table, dtype=torch.bool).scatter_(1, order, sizes <= best + 1)
        if not table.shape[1]:
            raise ValueError("rows without columns have no scale")
        digits = (torch.where(support, table.sign(), 0.0) + 1).byte()
        padded = F.pad(digits, (0, -table.shape[1] % PER_BYTE)).view(len(table), row_bytes(table.shape[1]), PER_BYTE)
        return cls((padded * POWERS).sum(2, dtype=torch.uint8), scale, table.shape[1])

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns."""
        return (self.codes.shape[0], self.columns)

    def decode(self, rows: Rows = ALL) -> Tensor:
        """See `Codec.decode`."""
        return shift((self._digits(rows).float() - 1) * self.scale[rows].float(), self.exponent)

    def _digits(self, rows: Rows = ALL) -> Tensor:
        return ((self.codes[rows][:, :, None] // POWERS) % 3).flatten(1)[:, : self.columns]

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
    def restore(cls, options: dict[str, Any], tensors: dict[str, Tensor]) -> Ternary:
        """See `Codec.restore`."""
        codes, scale, columns = tensors["codes"], tensors["scale"], int(options["columns"])
        if codes.dtype != torch.uint8 or codes.dim() != 2 or codes.shape[1] != row_bytes(columns):
            raise ValueError(
                f"{columns} ternary digits take {row_bytes(columns)} bytes a row, not {tuple(codes.shape)}"
            )
        if tuple(scale.shape) != (codes.shape[0], 1):
            raise ValueError(f"a scale per row was expected, not {tuple(scale.shape)}")
        if no_floats(scale) or not torch.isfinite(scale).all() or (scale < 0).any():
            raise ValueError("a scale is negative or not finite")
        return cls(codes, scale, columns, restored(options))

    def work(self, queries: int) -> Work:
        """See `Codec.work`: an 8-bit product per value, then the scale of each row."""
        n, columns = self.shape
        return Work({"int8": queries * n * columns, "fp32": queries * n}, self.breakdown().total())

    def scorer(self) -> Scorer:
        """Return the kernel that ranks codes, here of two bits: a quarter more than the digits take when stored."""
        codes = CodeScorer(pack(self._digits().contiguous(), 2), self.columns, 2, self.scale, zero=1)
        return top_k_scorer(codes, self.exponent)
