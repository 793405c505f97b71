"""Post-training uniform quantization."""

from __future__ import annotations

from typing import Literal

from torch import Tensor

from recpress.api import Artefact, Codec, Field, Method, Params, Shape, Task, Uniform, largest
from recpress.codecs.composite.grouped import Grouped
from recpress.codecs.packing import row_bytes
from recpress.compression.clipping import clipped


class UniformParams(Params):
    """The grid."""

    bits: int = Field(8, ge=1, le=8, description="Bits of a code; they are packed.")
    granularity: Literal["group", "row", "tensor"] = Field(
        "row", description="One scale per group of a row's columns, per user or item, or per table."
    )
    group: int = Field(16, ge=1, description="Columns that share a scale, at most d; of granularity group only.")
    symmetric: bool = Field(False, description="False: min–max. True: absmax around zero, no offset; 2 bits or more.")
    clip: bool = Field(
        False, description="Narrow each range to the share, among 0.3 to 1 of the full one, of least squared error."
    )


def tensor_bytes(params: UniformParams, shape: Shape) -> int:
    """Return the bytes of codes, scales and offsets."""
    width = min(params.group, shape.dim) if params.granularity == "group" else shape.dim
    rows = shape.entities * -(-shape.dim // width)
    scales = 2 if params.granularity == "tensor" else rows
    return rows * row_bytes(width, params.bits) + scales * (2 if params.symmetric else 4)


def encode(table: Tensor, params: UniformParams) -> Codec:
    """Encode one table."""
    granularity: Literal["row", "tensor"] = "tensor" if params.granularity == "tensor" else "row"
    encoder = clipped if params.clip else Uniform.encode

    def rounded(part: Tensor) -> Codec:
        return encoder(part, params.bits, granularity, params.symmetric)

    if params.granularity == "group":
        return Grouped.encode(table, min(params.group, table.shape[1]), rounded)
    return rounded(table)


class UniformQuantization(Method[UniformParams]):
    """Round both tables to a uniform grid (Jacob et al. 2018, equation 1), whose range may be clipped."""

    Params = UniformParams

    def params_for(self, budget: int, shape: Shape) -> UniformParams:
        """See `Method.params_for`: the most bits first, then the finest scales that still fit.

        At few bits the widest values cost all others so much that the range is clipped; with that, even 2 bits with
        one scale for a table rank far better than 1 bit with a scale for each row.
        """
        grids: list[tuple[Literal["row", "tensor"], bool]] = [("row", False), ("row", True), ("tensor", False)]
        candidates = [
            UniformParams(bits=bits, granularity=granularity, symmetric=symmetric, clip=bits < 4)
            for bits in range(8, 0, -1)
            for granularity, symmetric in grids
            if not (symmetric and bits == 1)
        ]
        return largest(candidates, lambda params: tensor_bytes(params, shape), budget)

    def compress(self, task: Task[UniformParams]) -> Artefact:
        """See `Method.compress`."""
        return Artefact(encode(task.backbone.users, task.params), encode(task.backbone.items, task.params))
