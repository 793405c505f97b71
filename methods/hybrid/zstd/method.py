"""A grid, and a general compressor around it."""

from __future__ import annotations

from typing import Literal

from torch import Tensor

from recpress.api import Artefact, Codec, Field, Method, Params, Shape, Task, largest
from recpress.codecs.composite.zstd import Zstd
from recpress.codecs.packing import row_bytes
from recpress.codecs.tables.uniform import Uniform
from recpress.compression.clipping import clipped

# The descriptions of two streams' tensors in the manifest, and what a stream of noise is longer than it.
STREAM_BYTES = 512


class ZstdParams(Params):
    """The grid below the compressor."""

    bits: int = Field(4, ge=2, le=8, description="Bits of a code before it is compressed; they are packed.")
    granularity: Literal["row", "tensor"] = Field("tensor", description="One scale per row, or per table.")
    clip: bool = Field(False, description="Narrow the range to the share of least squared error.")


def tensor_bytes(params: ZstdParams, shape: Shape) -> int:
    """Return the bytes before compression: what zstd makes of them isn't known until it is done."""
    scales = 2 * (shape.entities if params.granularity == "row" else 2)
    return shape.entities * row_bytes(shape.dim, params.bits) + scales + STREAM_BYTES


class ZstdMethod(Method[ZstdParams]):
    """Entropy coding as the outermost codec, in memory what it was: the textbook end of a pipeline (Han et al. 2016).

    zstd codes bytes. Codes of 8 and 4 bits fill them whole; of others the frequencies blur. A wide grid with one scale
    leaves most to it, since most values lie in its middle; `transform_coding` codes values by column and does better.
    """

    Params = ZstdParams

    def params_for(self, budget: int, shape: Shape) -> ZstdParams:
        """See `Method.params_for`: the most bits that would fit uncompressed, so that room is left."""
        grids: tuple[Literal["row", "tensor"], ...] = ("row", "tensor")
        candidates = [
            ZstdParams(bits=bits, granularity=each, clip=bits < 4) for bits in range(8, 1, -1) for each in grids
        ]
        return largest(candidates, lambda params: tensor_bytes(params, shape), budget)

    def compress(self, task: Task[ZstdParams]) -> Artefact:
        """See `Method.compress`."""
        params = task.params

        def encode(table: Tensor) -> Codec:
            encoder = clipped if params.clip else Uniform.encode
            return Zstd.encode(encoder(table, params.bits, params.granularity, True))

        return Artefact(encode(task.backbone.users), encode(task.backbone.items))
