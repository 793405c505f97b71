"""A method that does nothing wrong; each wrong submission is one edit away from it."""

from __future__ import annotations

import torch

from recpress.api import Artefact, Field, Method, Params, Shape, Task, Uniform, largest


class RightParams(Params):
    """How much is kept."""

    bits: int = Field(8, ge=1, le=8, description="Of each value.")


class Right(Method[RightParams]):
    """Round to a grid, after a little noise that breaks ties."""

    Params = RightParams

    def params_for(self, budget: int, shape: Shape) -> RightParams:
        """See `Method.params_for`."""
        candidates = [RightParams(bits=bits) for bits in range(8, 0, -1)]
        return largest(candidates, lambda params: shape.entities * (-(-shape.dim * params.bits // 8) + 4), budget)

    def compress(self, task: Task[RightParams]) -> Artefact:
        """See `Method.compress`."""
        bits, users, items = task.params.bits, task.backbone.users, task.backbone.items
        noise = 0.01 * torch.rand(items.shape, generator=task.generator)
        return Artefact(Uniform.encode(users, bits=bits), Uniform.encode(items + noise, bits=bits))
