"""Control: the backbone itself, trained with fewer columns."""

from __future__ import annotations

from typing import Literal

from recpress.api import Artefact, Dense, Field, Method, Params, Shape, Task, largest
from recpress.backbones.catalogue import backbone
from recpress.codecs.dense import FLOATS


class SmallParams(Params):
    """The size of the tables; how they are trained is the recipe's."""

    dim: int = Field(16, ge=1, description="Columns of the final tables.")
    epochs: int | None = Field(None, ge=1, description="Passes over the interactions; by default the recipe's.")
    values: Literal["fp32", "fp16"] = Field("fp16", description="How the tables are stored.")


class Small(Method[SmallParams]):
    """Train the same backbone from scratch with the same recipe and seed, but for the number of columns.

    It needs no frozen backbone at all, and few papers show it: a method of this division is worth its training only
    where it ranks better than this one at equal bytes.
    """

    Params = SmallParams

    def params_for(self, budget: int, shape: Shape) -> SmallParams:
        """See `Method.params_for`: the widest tables that fit."""
        candidates = [SmallParams(dim=dim) for dim in range(shape.dim, 0, -1)]
        return largest(candidates, lambda params: shape.entities * params.dim * FLOATS[params.values].itemsize, budget)

    def compress(self, task: Task[SmallParams]) -> Artefact:
        """See `Method.compress`."""
        params, teacher = task.params, task.backbone
        epochs = params.epochs or teacher.recipe.epochs
        recipe = teacher.recipe.model_copy(update={"dim": params.dim, "epochs": epochs})
        trained = backbone(teacher.name).fit(
            task.graph, recipe, task.seed, lambda epoch, *_: task.progress(epoch / epochs)
        )
        return Artefact(Dense.encode(trained.users, params.values), Dense.encode(trained.items, params.values))
