"""Quantization-aware training with a learned step and offset."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor

from recpress.api import Artefact, Batch, Field, Method, Shape, Task, TrainingParams, Uniform, largest
from recpress.backbones.training.retrain import Retraining, spread_directions
from recpress.codecs.packing import pack, row_bytes

Granularity = Literal["row", "tensor"]
# Shares of a row's (or table's) range that are tried for the first grid; low bits want a much narrower one.
CLIPS = torch.linspace(0.2, 1.0, 33)

# Bits below which fewer columns keep more than fewer bits do.
FEWEST = 4


class QatParams(TrainingParams):
    """The grid and the training."""

    bits: int = Field(4, ge=1, le=8, description="Bits of a code; they are packed.")
    granularity: Granularity = Field("row", description="One step and offset per user or item, or per table.")
    dim: int | None = Field(None, ge=1, description="Columns, of the leading directions; by default the backbone's.")


def straight_through(value: Tensor, rounded: Tensor) -> Tensor:
    """Return `rounded`, with the gradient of `value` (Bengio et al. 2013)."""
    return value + (rounded - value).detach()


class Grid:
    """``2 ** bits`` even levels per row or for a whole table, learned with the values on it.

    Attributes
    ----------
    log_step, shift : float32 Tensor of shape (n, 1) or (1, 1)
        Leaves. The step is ``exp(log_step)``, so that it stays positive and Adam changes it by a share of itself; the
        offset is its first value plus `shift` first steps.
    """

    def __init__(self, table: Tensor, bits: int, granularity: Granularity) -> None:
        self.top, self.bits = 2**bits - 1, bits
        step, self.offset = self._narrowest_error(table, (1,) if granularity == "row" else (0, 1))
        self.log_step, self.shift = step.log().requires_grad_(), torch.zeros_like(step).requires_grad_()
        self.first_step = step

    def _narrowest_error(self, table: Tensor, dims: tuple[int, ...]) -> tuple[Tensor, Tensor]:
        low, high = table.amin(dims, keepdim=True), table.amax(dims, keepdim=True)
        middle, reach = (high + low) / 2, ((high - low) / 2).clamp_min(1e-4)
        best, step, offset = torch.full_like(low, torch.inf), reach, low
        for clip in CLIPS:
            each = 2 * clip * reach / self.top
            start = middle - clip * reach
            fitted = ((table - start) / each).round_().clamp_(0, self.top) * each + start
            error = (fitted - table).square().mean(dims, keepdim=True)
            step, offset = torch.where(error < best, each, step), torch.where(error < best, start, offset)
            best = torch.minimum(best, error)
        return step, offset

    def stored(self) -> tuple[Tensor, Tensor]:
        """Return step and offset as float32 with the values that float16 stores; gradients pass the rounding."""
        step, offset = self.log_step.exp(), self.offset + self.shift * self.first_step
        return straight_through(step, step.half().float()), straight_through(offset, offset.half().float())

    def codes(self, table: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return codes (whole numbers as float32, gradients of the unrounded ones), step and offset."""
        step, offset = self.stored()
        place = ((table - offset) / step).clamp(0, self.top)
        return straight_through(place, place.round()), step, offset

    def __call__(self, table: Tensor) -> Tensor:
        """Return the table on the grid.

        The gradient for the step is that of LSQ (Esser et al. 2020, equation 3) and for the offset that of LSQ+
        (Bhalgat et al. 2020, section 3.1); autograd finds both from the straight-through rounding. Their scale factors
        don't matter to Adam.
        """
        codes, step, offset = self.codes(table)
        return codes * step + offset

    def encode(self, table: Tensor) -> Uniform:
        """Return the packed codes: what `decode` gives is what `__call__` does."""
        with torch.no_grad():
            codes, step, offset = self.codes(table)
        return Uniform(pack(codes.byte(), self.bits), step.half(), offset.half(), self.bits, table.shape[1])


def tensor_bytes(params: QatParams, shape: Shape) -> int:
    """Return the bytes of codes, steps and offsets."""
    rows = shape.entities if params.granularity == "row" else 2
    return shape.entities * row_bytes(params.dim or shape.dim, params.bits) + rows * 4


class Qat(Method[QatParams]):
    """Go on training the backbone with its final tables rounded in every forward pass.

    The grid lies on the final tables: they are what is stored. Gradients pass through the rounding to the base tables.
    With fewer columns, training starts from the leading directions, turned so that all columns hold about as much.
    """

    Params = QatParams

    def params_for(self, budget: int, shape: Shape) -> QatParams:
        """See `Method.params_for`: the most bits first, a grid per row before one per table; below, fewer columns."""
        grids: tuple[Granularity, Granularity] = ("row", "tensor")
        candidates = [QatParams(bits=bits, granularity=each) for bits in range(8, FEWEST - 1, -1) for each in grids]
        candidates += [QatParams(bits=FEWEST, granularity="tensor", dim=dim) for dim in range(shape.dim - 1, 0, -1)]
        return largest(candidates, lambda params: tensor_bytes(params, shape), budget)

    def compress(self, task: Task[QatParams]) -> Artefact:
        """See `Method.compress`."""
        params = task.params
        training = Retraining(task.backbone, task.graph, task.generator)
        objective, start = training.objective, training.start
        if params.dim is not None and params.dim != start.shape[1]:
            start = start @ spread_directions(objective.final(start), params.dim, task.generator)
        base = start.requires_grad_()
        first = objective.split(objective.final(base.detach()))
        grids = [Grid(table, params.bits, params.granularity) for table in first]

        def loss(batch: Batch) -> Tensor:
            tables = objective.split(objective.final(base))
            rounded = torch.cat([grid(table) for grid, table in zip(grids, tables, strict=True)])
            return training.loss(batch, rounded, base)

        leaves = [base, *(leaf for grid in grids for leaf in (grid.log_step, grid.shift))]
        training.minimise(leaves, loss, params.epochs, params.rate, task.progress)
        users, items = objective.split(objective.final(base.detach()))
        return Artefact(grids[0].encode(users), grids[1].encode(items))
