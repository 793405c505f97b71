"""Post-training binary codes."""

from __future__ import annotations

from typing import Literal, Self

import torch
from pydantic import model_validator
from torch import Tensor

from recpress.api import Artefact, Codec, Dense, Field, Method, Params, Shape, Task, Uniform, largest
from recpress.codecs.composite.reranked import Reranked
from recpress.codecs.packing import row_bytes
from recpress.codecs.tables.binary import Binary
from recpress.compression.rotation import itq, random_rotation

Rotation = Literal["none", "random", "itq"]
# A second codec's part of header and manifest.
RERANKED_BYTES = 384


class BinaryParams(Params):
    """The rotation, and what is binary."""

    rotation: Rotation = Field(
        "itq", description="Of both tables, before signs are taken. It changes no score and is not stored."
    )
    iterations: int = Field(50, ge=0, le=1000, description="Of iterative quantization; 50 in its paper.")
    users: Literal["binary", "int8", "fp16"] = Field(
        "binary", description="How users are stored: with other than binary, distances are asymmetric."
    )
    scale: Literal["row", "tensor"] = Field(
        "row",
        description="One magnitude per item, or per table. Users have one per table: it doesn't change a ranking.",
    )
    rerank: int = Field(
        0,
        ge=0,
        description="Best items by signs that are ranked again by 8-bit rows, which are stored besides; 0: none are. "
        "Then users aren't binary, and what is searched is approximate.",
    )

    @model_validator(mode="after")
    def _reranking_needs_lengths(self) -> Self:
        if self.rerank and self.users == "binary":
            raise ValueError("to rerank, users must be int8 or fp16: binary ones are too coarse for it")
        return self


def tensor_bytes(params: BinaryParams, shape: Shape) -> int:
    """Return the bytes of signs, magnitudes and users."""
    signs = row_bytes(shape.dim, 1)
    row = {"binary": signs, "int8": shape.dim + 4, "fp16": 2 * shape.dim}[params.users]
    items = shape.n_items * (signs + (2 if params.scale == "row" else 0))
    if params.rerank:
        items += shape.n_items * (shape.dim + 4) + RERANKED_BYTES
    return shape.n_users * row + items + 2 * ((params.users == "binary") + (params.scale == "tensor"))


def rotated(users: Tensor, items: Tensor, params: BinaryParams, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Rotate both tables; what rotation suits them is asked of rows of equal length, since signs know no length."""
    if params.rotation == "none":
        return users, items
    if params.rotation == "random":
        rotation = random_rotation(users.shape[1], generator)
    else:
        directions = torch.nn.functional.normalize(torch.cat([users, items]))
        rotation = itq(directions, params.iterations, generator)
    return users @ rotation, items @ rotation


class BinaryQuantization(Method[BinaryParams]):
    """Signs after a rotation (Gong and Lazebnik 2011), times a magnitude (Rastegari et al. 2016)."""

    Params = BinaryParams

    def params_for(self, budget: int, shape: Shape) -> BinaryParams:
        """See `Method.params_for`: users as precise as fits, then a magnitude per item, then one for all."""
        candidates = [
            BinaryParams(users="fp16"),
            BinaryParams(users="int8"),
            BinaryParams(),
            BinaryParams(scale="tensor"),
        ]
        return largest(candidates, lambda params: tensor_bytes(params, shape), budget)

    def compress(self, task: Task[BinaryParams]) -> Artefact:
        """See `Method.compress`."""
        params = task.params
        users, items = rotated(task.backbone.users, task.backbone.items, params, task.generator)
        stored: Codec
        if params.users == "binary":
            stored = Binary.encode(users, "tensor")
        else:
            stored = Uniform.encode(users, 8) if params.users == "int8" else Dense.encode(users, "fp16")
        signs = Binary.encode(items, params.scale)
        if params.rerank:
            return Artefact(stored, Reranked(signs, Uniform.encode(items, 8), params.rerank))
        return Artefact(stored, signs)
