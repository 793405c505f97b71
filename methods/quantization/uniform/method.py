"""Post-training uniform quantization."""

from __future__ import annotations

from typing import Literal

from recpress.api import Artefact, Field, Method, Params, Shape, Task, Uniform, largest
from recpress.codecs.packing import row_bytes


class UniformParams(Params):
    """The grid."""

    bits: int = Field(8, ge=1, le=8, description="Bits of a code; they are packed.")
    granularity: Literal["row", "tensor"] = Field("row", description="One scale per user or item, or one per table.")
    symmetric: bool = Field(False, description="False: min–max. True: absmax around zero, no offset; 2 bits or more.")


def tensor_bytes(params: UniformParams, shape: Shape) -> int:
    """Return the bytes of codes, scales and offsets."""
    rows = shape.entities if params.granularity == "row" else 2
    return shape.entities * row_bytes(shape.dim, params.bits) + rows * (2 if params.symmetric else 4)


class UniformQuantization(Method[UniformParams]):
    """Round both tables to a uniform grid (Jacob et al. 2018, equation 1)."""

    Params = UniformParams

    def params_for(self, budget: int, shape: Shape) -> UniformParams:
        """See `Method.params_for`: the most bits first, then the finest scales that still fit.

        At 3 bits and fewer a scale per row is worth more than one more bit, so scales per table come last there.
        """
        grids: list[tuple[Literal["row", "tensor"], bool]] = [("row", False), ("row", True), ("tensor", False)]
        candidates = [
            UniformParams(bits=bits, granularity=granularity, symmetric=symmetric)
            for bits in range(8, 0, -1)
            for granularity, symmetric in grids
            if not (symmetric and bits == 1)
        ]
        candidates.sort(key=lambda params: params.bits < 4 and params.granularity == "tensor")
        return largest(candidates, lambda params: tensor_bytes(params, shape), budget)

    def compress(self, task: Task[UniformParams]) -> Artefact:
        """See `Method.compress`."""
        grid = task.params.model_dump()
        return Artefact(Uniform.encode(task.backbone.users, **grid), Uniform.encode(task.backbone.items, **grid))
