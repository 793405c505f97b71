"""Uniform quantization: codes of 1 to 8 bits on an even grid, truly packed."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from typing import Any, Literal

import torch
from torch import Tensor

from recpress.codecs.base import ALL, Codec, Rows, Scorer, nbytes, no_floats
from recpress.codecs.kernels.scorers import CodeScorer
from recpress.codecs.packing import pack, row_bytes, unpack
from recpress.codecs.registry import register
from recpress.codecs.tables.exponent import exponent, lost, restored, shift, stored, top_k_scorer
from recpress.codecs.work import Work

Granularity = Literal["row", "tensor"]


@register
@dataclass(frozen=True)
class Uniform(Codec):
    """``x ≈ scale · code + offset``, with one scale (and offset) per row or for the whole table.

    Attributes
    ----------
    codes : uint8 Tensor of shape (n, row_bytes(d, bits))
        Packed as `recpress.codecs.packing` says.
    scale : float16 Tensor of shape (n, 1) or (1, 1)
    offset : float16 Tensor of the same shape, or None
        None means symmetric: codes are stored shifted by ``2 ** (bits - 1) - 1`` and zero is exact.
    bits, columns : int
    exponent : int
        The table is ``2 ** exponent`` times this; see `recpress.codecs.tables.exponent`.
    """

    kind = "uniform"
    codes: Tensor
    scale: Tensor
    offset: Tensor | None
    bits: int
    columns: int
    exponent: int = 0

    @classmethod
    def encode(cls, table: Tensor, bits: int = 8, granularity: Granularity = "row", symmetric: bool = False) -> Uniform:
        """Round a table to the grid.

        Parameters
        ----------
        table : float32 Tensor of shape (n, d)
        bits : int in [1, 8]; at least 2 when symmetric
        granularity : {"row", "tensor"}
        symmetric : bool
            True: ``scale = max|x| / (2^(b-1) - 1)``. False: min–max, ``scale = (max - min) / (2^b - 1)``.

        Raises
        ------
        ValueError
            When a value is NaN or infinite.

        Notes
        -----
        Scale and offset are rounded to float16 first and the codes are chosen for the rounded ones, so that what is
        stored is what was optimised. Formulas: Jacob et al. 2018, equation 1 (affine) and its symmetric case.
        """
        if not 1 <= bits <= 8 or (symmetric and bits == 1):
            raise ValueError(f"bits must be 1 to 8 (2 to 8 if symmetric), not {bits}")
        dims = (1,) if granularity == "row" else (0, 1)
        levels = 2**bits - 1
        if not table.numel():
            # There is no largest value, and no scale is ever used.
            scale = torch.zeros(len(table) if granularity == "row" else 1, 1, dtype=torch.float16)
            return cls(pack(table.byte(), bits), scale, None if symmetric else scale.clone(), bits, table.shape[1])
        if by := _exponent(table, levels, dims, symmetric):
            return replace(cls.encode(shift(table, -by), bits, granularity, symmetric), exponent=by)
        offset = None
        if symmetric:
            half = 2 ** (bits - 1) - 1
            scale = (table.abs().amax(dims, keepdim=True) / half).half()
            codes = _round(table, scale, 0.0).clamp_(-half, half) + half
        else:
            offset = table.amin(dims, keepdim=True).half()
            # Rounding may lift the offset of a row whose values are all alike above them: their range is 0, not less.
            scale = ((table.amax(dims, keepdim=True) - offset.float()) / levels).clamp_min(0).half()
            codes = _round(table, scale, offset.float()).clamp_(0, levels)
        if not (torch.isfinite(codes).all() and torch.isfinite(scale).all()):
            raise ValueError("a value is not finite")
        return cls(pack(codes.byte(), bits), scale, offset, bits, table.shape[1])

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns."""
        return (self.codes.shape[0], self.columns)

    @property
    def zero(self) -> int:
        """The code that stands for 0, before the offset is added."""
        return 0 if self.offset is not None else 2 ** (self.bits - 1) - 1

    def decode(self, rows: Rows = ALL) -> Tensor:
        """See `Codec.decode`."""
        by_row = self.scale.shape[0] == self.codes.shape[0]
        values = unpack(self.codes[rows], self.columns, self.bits).float()
        values -= self.zero
        values *= (self.scale[rows] if by_row else self.scale).float()
        if self.offset is not None:
            values += (self.offset[rows] if by_row else self.offset).float()
        return shift(values, self.exponent)

    def tensors(self) -> dict[str, Tensor]:
        """See `Codec.tensors`."""
        stored = {"codes": self.codes, "scale": self.scale}
        return stored if self.offset is None else stored | {"offset": self.offset}

    def options(self) -> dict[str, Any]:
        """See `Codec.options`."""
        return {"bits": self.bits, "columns": self.columns} | stored(self.exponent)

    def breakdown(self) -> Counter[str]:
        """See `Codec.breakdown`."""
        scales = nbytes(self.scale) + (0 if self.offset is None else nbytes(self.offset))
        return Counter(values=nbytes(self.codes), scales=scales)

    @classmethod
    def restore(cls, options: dict[str, Any], tensors: dict[str, Tensor]) -> Uniform:
        """See `Codec.restore`."""
        bits, columns = int(options["bits"]), int(options["columns"])
        codes, scale, offset = tensors["codes"], tensors["scale"], tensors.get("offset")
        if not 1 <= bits <= 8 or codes.dtype != torch.uint8 or codes.dim() != 2:
            raise ValueError(f"uniform codes of {bits} bits must be a uint8 matrix")
        if codes.shape[1] != row_bytes(columns, bits):
            raise ValueError(f"{columns} codes of {bits} bits don't take {codes.shape[1]} bytes a row")
        for each in (scale, *(() if offset is None else (offset,))):
            if tuple(each.shape) not in ((codes.shape[0], 1), (1, 1)):
                raise ValueError(f"a scale per row or per table was expected, not {tuple(each.shape)}")
            if no_floats(each) or not torch.isfinite(each).all():
                raise ValueError("a scale or an offset is not finite")
        if (scale < 0).any():
            raise ValueError("a scale is negative")
        return cls(codes, scale, offset, bits, columns, restored(options))

    def work(self, queries: int) -> Work:
        """See `Codec.work`: an 8-bit product per value, then scale and offset of each row."""
        n, columns = self.shape
        per_row = 1 if self.offset is None else 2
        return Work({"int8": queries * n * columns, "fp32": queries * n * per_row}, self.breakdown().total())

    def scorer(self) -> Scorer:
        """Return the kernel that ranks codes as they are."""
        codes = CodeScorer(self.codes, self.columns, self.bits, self.scale, self.offset, self.zero)
        return top_k_scorer(codes, self.exponent)


def _exponent(table: Tensor, levels: int, dims: tuple[int, ...], symmetric: bool) -> int:
    """Return the exponent without which float16 would lose steps or offsets, or 0."""
    size = table.abs().amax(dims, keepdim=True)
    if symmetric:
        return exponent(table) if lost(2 * size / levels, size, levels / 2) else 0
    low = table.amin(dims, keepdim=True)
    step = (table.amax(dims, keepdim=True) - low) / levels
    return exponent(table) if lost(step, size, levels) or lost(low, size) else 0


def _round(table: Tensor, scale: Tensor, offset: Tensor | float) -> Tensor:
    # A constant row has scale 0 (also after rounding to float16): all its codes are 0.
    steps = torch.where(scale == 0, torch.ones_like(scale), scale).float()
    return ((table - offset) / steps).round_()
