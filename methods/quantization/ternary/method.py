"""Post-training ternary quantization."""

from __future__ import annotations

from recpress.api import Artefact, Method, Params, Shape, Task, largest
from recpress.codecs.tables.ternary import Ternary, row_bytes


class TernaryParams(Params):
    """There is nothing to set: scale and zeros of a row have a best choice, and it is found exactly."""


class TernaryQuantization(Method[TernaryParams]):
    """Round both tables to three values per row (Li et al. 2016, equations 3–6, solved exactly)."""

    Params = TernaryParams

    def params_for(self, budget: int, shape: Shape) -> TernaryParams:
        """See `Method.params_for`: there is one size, 1.6 bits a value and a 16-bit scale a row."""
        return largest([TernaryParams()], lambda _: shape.entities * (row_bytes(shape.dim) + 2), budget)

    def compress(self, task: Task[TernaryParams]) -> Artefact:
        """See `Method.compress`."""
        return Artefact(Ternary.encode(task.backbone.users), Ternary.encode(task.backbone.items))
