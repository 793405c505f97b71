"""No compression: the reference."""

from __future__ import annotations

from recpress.api import Artefact, Dense, Method, Params, Shape, Task, largest


class NoParams(Params):
    """Nothing to set."""


class Uncompressed(Method[NoParams]):
    """Store the final tables in fp32."""

    Params = NoParams

    def params_for(self, budget: int, shape: Shape) -> NoParams:
        """See `Method.params_for`: only a budget of 1 or more is met."""
        return largest([NoParams()], lambda _: shape.dense_bytes, budget)

    def compress(self, task: Task[NoParams]) -> Artefact:
        """See `Method.compress`."""
        return Artefact(Dense.encode(task.backbone.users), Dense.encode(task.backbone.items))
