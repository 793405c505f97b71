"""Tables stored as they are, in 32- or 16-bit floating point."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from typing import Any, Literal

import torch
from torch import Tensor

from recpress.codecs.base import ALL, Codec, Rows, Scorer, nbytes
from recpress.codecs.kernels.scorers import HalfScorer
from recpress.codecs.registry import register
from recpress.codecs.tables.exponent import exponent, lost, restored, shift, stored, top_k_scorer
from recpress.codecs.work import Work

FloatName = Literal["fp32", "fp16", "bf16"]
FLOATS: dict[FloatName, torch.dtype] = {"fp32": torch.float32, "fp16": torch.float16, "bf16": torch.bfloat16}


@register
@dataclass(frozen=True)
class Dense(Codec):
    """Every value stored in one floating-point type.

    Attributes
    ----------
    values : Tensor of shape (n, d)
        float32, float16 or bfloat16.
    exponent : int
        Of float16: the table is ``2 ** exponent`` times this; see `recpress.codecs.tables.exponent`.
    """

    kind = "dense"
    values: Tensor
    exponent: int = 0

    @classmethod
    def encode(cls, table: Tensor, values: FloatName = "fp32") -> Dense:
        """Store a table in the type named.

        Raises
        ------
        ValueError
            When a value is NaN or infinite, or overflows bfloat16.
        """
        half = values == "fp16" and table.numel() > 0
        if half and lost(table, table.abs().amax(1, keepdim=True)) and (by := exponent(table)):
            return replace(cls.encode(shift(table, -by), values), exponent=by)
        cast = table.to(FLOATS[values]).contiguous()
        if not torch.isfinite(cast).all():
            raise ValueError(f"a value is not finite as {values}")
        return cls(cast)

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns."""
        return (self.values.shape[0], self.values.shape[1])

    def decode(self, rows: Rows = ALL) -> Tensor:
        """See `Codec.decode`."""
        return shift(self.values[rows].float(), self.exponent)

    def tensors(self) -> dict[str, Tensor]:
        """See `Codec.tensors`."""
        return {"values": self.values}

    def options(self) -> dict[str, Any]:
        """See `Codec.options`; the type is the tensor's own."""
        return dict(stored(self.exponent))

    def breakdown(self) -> Counter[str]:
        """See `Codec.breakdown`."""
        return Counter(values=nbytes(self.values))

    @classmethod
    def restore(cls, options: dict[str, Any], tensors: dict[str, Tensor]) -> Dense:
        """See `Codec.restore`."""
        values = tensors["values"]
        if values.dim() != 2 or values.dtype not in FLOATS.values():
            raise ValueError(f"dense values must be a floating-point matrix, not {values.dtype} {values.shape}")
        by = restored(options)
        if by and values.dtype != torch.float16:
            raise ValueError(f"{values.dtype} has no use for an exponent")
        return cls(values, by)

    def work(self, queries: int) -> Work:
        """See `Codec.work`; nothing is decoded, a 16-bit value is widened on its way."""
        return Work({"fp32": queries * self.values.numel()}, nbytes(self.values))

    def scorer(self) -> Scorer:
        """Return the plain GEMM for fp32. fp16 and bf16 have a kernel: their CPU GEMMs are slower or round."""
        if self.values.dtype == torch.float32:
            return DenseScorer(self.values)
        return top_k_scorer(HalfScorer(self.values), self.exponent)


class DenseScorer(Scorer):
    """One fp32 GEMM: the reference that every other kernel is timed against."""

    kernel = "fp32 GEMM"

    def __init__(self, values: Tensor) -> None:
        self.values = values

    def scores(self, queries: Tensor, out: Tensor | None = None) -> Tensor:
        """See `Scorer.scores`."""
        return torch.mm(queries, self.values.T, out=out)
