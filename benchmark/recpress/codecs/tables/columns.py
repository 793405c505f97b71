"""Grids of different fineness side by side: every column has its own number of bits, and none is wasted in packing."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from recpress.codecs.base import ALL, Codec, Items, Rows, Scorer, Scores, blocks, nbytes, no_floats
from recpress.codecs.composite.lowrank import FoldedTopKScorer
from recpress.codecs.kernels.scorers import CodeScorer
from recpress.codecs.packing import pack, row_bytes, unpack
from recpress.codecs.registry import register
from recpress.codecs.tables.exponent import exponent, lost, restored, shift, stored
from recpress.codecs.work import Work
from recpress.data.interactions import UserItems

MOST_BITS = 8
MOST_LENGTH = 255
# Shares of a column's peak that the outermost level is tried at.
SHARES = torch.logspace(-1.1, 0, 24)


@register
@dataclass(frozen=True)
class ColumnUniform(Codec):
    """``x_j ≈ scale_j · (code_j − (2^{b_j} − 1) / 2) + offset_j``, with ``b_j`` bits for column j; 0 leaves the offset.

    Because ``code = Σ_k 2^k bit_k``, a row is also a sum over its ``B = Σ b_j`` bits of ``(bit − ½) · 2^k · scale_j``:
    a binary table of B columns times a fixed matrix of shape (B, d). That is how it is decoded, and how it is scored:
    the query is multiplied with the matrix once, and the bits are ranked as they are.

    Attributes
    ----------
    codes : uint8 Tensor of shape (n, row_bytes(B, 1))
        The bits of all columns of a row without gaps, the low bit of each first.
    scale, offset : float16 Tensor of shape (d,)
    bits : tuple of int
        Of every column, in [0, 8]; at least one is not 0.
    length : float, optional
        Rows are stretched to this length when decoded, which takes no bytes. A coarse grid shortens the rows whose
        energy lies in the columns of few bits; where all rows were of one length, this undoes it.
    lengths : uint8 Tensor of shape (n,), optional
        Rows are stretched to lengths of their own, of which 255 is `length`: codes then say only where a row points
        (gain-shape quantization, Sabin and Gray 1984).
    exponent : int
        The table is ``2 ** exponent`` times this; see `recpress.codecs.tables.exponent`.
    """

    kind = "columns"
    codes: Tensor
    scale: Tensor
    offset: Tensor
    bits: tuple[int, ...]
    length: float | None = None
    lengths: Tensor | None = None
    exponent: int = 0

    @classmethod
    def encode(
        cls, table: Tensor, bits: Sequence[int], length: float | None = None, own: Tensor | None = None
    ) -> ColumnUniform:
        """Round every column to its own grid around its mean, with the step of least squared error.

        Parameters
        ----------
        table : float32 Tensor of shape (n, d)
        bits : sequence of int in [0, 8], of length d, not all 0
        length : float, optional
            To stretch decoded rows to.
        own : float32 Tensor of shape (n,), optional
            Lengths to stretch them to, which are stored.

        Raises
        ------
        ValueError
            When there is no row, a value is NaN or infinite, or the bits don't fit.
        """
        if len(bits) != table.shape[1] or not any(bits) or not all(0 <= each <= MOST_BITS for each in bits):
            raise ValueError(f"{table.shape[1]} columns need as many numbers of bits from 0 to 8, not all 0")
        if not len(table):
            raise ValueError("a table without rows has no grid")
        if by := _exponent(table, max(bits)):
            length = None if length is None else length * 2.0**-by
            own = None if own is None else shift(own, -by)
            return replace(cls.encode(shift(table, -by), bits, length, own), exponent=by)
        offset = table.mean(0).half()
        residual = table - offset.float()
        if not torch.isfinite(table).all():
            raise ValueError("a value is not finite")
        scale, planes = torch.zeros(len(bits), dtype=torch.float16), []
        for column, count in enumerate(bits):
            if count:
                values = residual[:, column : column + 1]
                step = steps(values, count)[0].half()
                scale[column] = step[0]
                planes.append(unpack(codes_of(values, step, count), MOST_BITS, 1)[:, :count])
        lengths = None
        if own is not None:
            length = float(own.max()) if len(own) else 0.0
            lengths = (own * (MOST_LENGTH / (length or 1.0))).round().byte()
        return cls(pack(torch.cat(planes, 1), 1), scale, offset, tuple(bits), length, lengths)

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns."""
        return (self.codes.shape[0], len(self.bits))

    @property
    def total(self) -> int:
        """Bits of a row."""
        return sum(self.bits)

    def matrix(self) -> Tensor:
        """Return what every bit of a row adds to every column, float32 of shape (B, d)."""
        columns = torch.repeat_interleave(torch.arange(len(self.bits)), torch.tensor(self.bits))
        powers = torch.tensor([2.0**place for count in self.bits for place in range(count)])
        matrix = torch.zeros(self.total, len(self.bits))
        matrix[torch.arange(self.total), columns] = powers * self.scale.float()[columns]
        return matrix

    def decode(self, rows: Rows = ALL) -> Tensor:
        """See `Codec.decode`."""
        table = self.on_grid(rows)
        return shift(table if self.length is None else table * self.stretch(table, rows).float(), self.exponent)

    def stretch(self, table: Tensor, rows: Rows = ALL) -> Tensor:
        """Return what rows on the grid are multiplied with to get their lengths, float16 of shape (n, 1)."""
        norms = table.norm(dim=1, keepdim=True)
        wanted = torch.full_like(norms, self.length or 0.0)
        if self.lengths is not None:
            wanted = wanted * self.lengths[rows][:, None].float() / MOST_LENGTH
        return torch.where(norms > 0, wanted / norms, 0.0).half()

    def on_grid(self, rows: Rows = ALL) -> Tensor:
        """Return rows before they are stretched and shifted."""
        signs = unpack(self.codes[rows], self.total, 1).float() - 0.5
        return signs @ self.matrix() + self.offset.float()

    def tensors(self) -> dict[str, Tensor]:
        """See `Codec.tensors`."""
        lengths = {} if self.lengths is None else {"lengths": self.lengths}
        return {"codes": self.codes, "scale": self.scale, "offset": self.offset} | lengths

    def options(self) -> dict[str, Any]:
        """See `Codec.options`."""
        length = {} if self.length is None else {"length": self.length}
        return {"bits": list(self.bits)} | length | stored(self.exponent)

    def breakdown(self) -> Counter[str]:
        """See `Codec.breakdown`."""
        scales = (self.scale, self.offset) if self.lengths is None else (self.scale, self.offset, self.lengths)
        return Counter(values=nbytes(self.codes), scales=sum(map(nbytes, scales)))

    @classmethod
    def restore(cls, options: dict[str, Any], tensors: dict[str, Tensor]) -> ColumnUniform:
        """See `Codec.restore`."""
        codec = cls(
            tensors["codes"],
            tensors["scale"],
            tensors["offset"],
            tuple(map(int, options["bits"])),
            options.get("length"),
            tensors.get("lengths"),
            restored(options),
        )
        if not all(0 <= count <= MOST_BITS for count in codec.bits) or not codec.total:
            raise ValueError("columns have 0 to 8 bits, and not all 0")
        if codec.codes.dtype != torch.uint8 or codec.codes.dim() != 2:
            raise ValueError("the bits of columns must be a uint8 matrix")
        if codec.codes.shape[1] != row_bytes(codec.total, 1):
            raise ValueError(f"{codec.total} bits don't take {codec.codes.shape[1]} bytes a row")
        if no_floats(codec.scale, codec.offset) or any(
            tuple(each.shape) != (len(codec.bits),) for each in (codec.scale, codec.offset)
        ):
            raise ValueError("a scale and an offset per column were expected")
        lengths = codec.lengths
        if lengths is not None and (
            codec.length is None or lengths.dtype != torch.uint8 or tuple(lengths.shape) != (codec.shape[0],)
        ):
            raise ValueError("lengths must be a byte a row, and the length of 255 be given")
        return codec

    def nominal(self) -> int:
        """Count the values that have bits."""
        return self.shape[0] * sum(count > 0 for count in self.bits)

    def work(self, queries: int) -> Work:
        """See `Codec.work`: the query's product with the matrix, then a look at every bit."""
        folded = queries * self.total
        return Work({"fp32": folded, "bit": queries * self.shape[0] * self.total}, self.breakdown().total())

    def scorer(self) -> Scorer:
        """Return the kernel that ranks the bits as they are."""
        return ColumnTopKScorer(self)


class ColumnTopKScorer(FoldedTopKScorer):
    """Multiply the query into the space of the bits, rank these, and add what the offsets add to all rows alike.

    Where rows are stretched, each has a scale, made when loading, and the offsets are those of one more bit that is
    set in every row.
    """

    def __init__(self, codec: ColumnUniform) -> None:
        matrix, offset, codes, total = codec.matrix(), codec.offset.float(), codec.codes, codec.total
        scale = torch.ones(1, 1, dtype=torch.float16)
        if codec.length is not None:
            parts = [codec.stretch(codec.on_grid(rows), rows) for rows in blocks(codec.shape[0])]
            scale, total = torch.cat(parts), total + 1
            codes = pack(F.pad(unpack(codes, codec.total, 1), (0, 1), value=1), 1)
            matrix, offset = torch.cat([matrix, 2 * offset[None]]), torch.zeros_like(offset)
        matrix, offset = shift(matrix, codec.exponent), shift(offset, codec.exponent)
        super().__init__(matrix.T.contiguous(), CodeScorer(codes, total, 1, scale, None, 0.5))
        self.offset = offset

    def scores(self, queries: Tensor, out: Tensor | None = None) -> Tensor:
        """See `Scorer.scores`."""
        return super().scores(queries, out).add_((queries @ self.offset)[:, None])

    def top(self, queries: Tensor, seen: UserItems, users: NDArray[np.int64], k: int) -> tuple[Items, Scores]:
        """See `TopKScorer.top`."""
        items, best = super().top(queries, seen, users, k)
        return items, best + (queries @ self.offset).numpy()[:, None]


def _exponent(table: Tensor, bits: int) -> int:
    """Return the exponent without which float16 would lose steps or offsets, or 0."""
    size, mean = table.square().mean().sqrt(), table.mean(0)
    step = (table - mean).abs().amax(0) / 2 ** (bits - 1)
    return (
        exponent(table)
        if lost(step, size, 2 ** (bits - 1)) or lost(mean, size) or lost(table, table.abs().max())
        else 0
    )


def codes_of(values: Tensor, step: Tensor, bits: int) -> Tensor:
    """Return the codes nearest to values around zero, uint8 of their shape, for one step per column."""
    # A step of 0 is that of a column of zeros, whose codes don't matter.
    places = values / torch.where(step == 0, torch.ones_like(step), step).float()
    codes: Tensor = (places + (2**bits - 1) / 2).round_().clamp_(0, 2**bits - 1)
    return codes.byte()


def steps(values: Tensor, bits: int) -> tuple[Tensor, Tensor]:
    """Find the step of least squared error for every column, among `SHARES` of its peak.

    Parameters
    ----------
    values : float32 Tensor of shape (n, d)
        Around zero.
    bits : int in [1, 8]

    Returns
    -------
    step, error : float32 Tensor of shape (d,)
        And the mean squared error that it leaves.
    """
    middle = (2**bits - 1) / 2
    peak = values.abs().amax(0)
    step, error = peak / middle, torch.full_like(peak, torch.inf)
    for share in SHARES:
        tried = share * peak / middle
        decoded = (codes_of(values, tried, bits).float() - middle) * tried
        left = (decoded - values).square().mean(0)
        step, error = torch.where(left < error, tried, step), torch.minimum(left, error)
    return step, error
