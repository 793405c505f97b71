"""Half-precision tables."""

from __future__ import annotations

from typing import Literal

from recpress.api import Artefact, Dense, Field, Method, Params, Shape, Task, largest


class HalfParams(Params):
    """Choice of the 16-bit format."""

    values: Literal["fp16", "bf16"] = Field(
        "fp16", description="fp16: 11 bits of precision; bf16: 8, and fp32's range."
    )


class Half(Method[HalfParams]):
    """Cast both tables to 16 bits (IEEE 754 binary16, or bfloat16)."""

    Params = HalfParams

    def params_for(self, budget: int, shape: Shape) -> HalfParams:
        """See `Method.params_for`: 2 bytes a value, whatever the parameters."""
        return largest([HalfParams()], lambda _: shape.dense_bytes / 2, budget)

    def compress(self, task: Task[HalfParams]) -> Artefact:
        """See `Method.compress`."""
        users, items = task.backbone.users, task.backbone.items
        return Artefact(Dense.encode(users, task.params.values), Dense.encode(items, task.params.values))
