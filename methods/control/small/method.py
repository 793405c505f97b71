"""Control: the backbone itself, trained with fewer columns."""

from __future__ import annotations

from recpress.api import Artefact, Dense, Method, Shape, Task, ThinParams, widest
from recpress.backbones.catalogue import backbone


class SmallParams(ThinParams):
    """The size of the tables; how they are trained is the training config's."""


class Small(Method[SmallParams]):
    """Train the same backbone from scratch with the same training config and seed, but for the number of columns.

    It needs no frozen backbone at all, and few papers show it: a method of this division is worth its training only
    where it ranks better than this one at equal bytes.
    """

    Params = SmallParams

    def params_for(self, budget: int, shape: Shape) -> SmallParams:
        """See `Method.params_for`: the widest tables that fit."""
        return widest(SmallParams, budget, shape)

    def compress(self, task: Task[SmallParams]) -> Artefact:
        """See `Method.compress`."""
        params, teacher = task.params, task.backbone
        epochs = params.epochs or teacher.config.epochs
        # Some backbones' final tables are wider than their base tables, which is what a training config sets.
        dim = max(1, params.dim * teacher.config.dim // teacher.users.shape[1])
        config = teacher.config.model_copy(update={"dim": dim, "epochs": epochs})
        trained = backbone(teacher.name).fit(
            task.graph, config, task.seed, lambda epoch, *_: task.progress(epoch / epochs)
        )
        return Artefact(Dense.encode(trained.users, params.values), Dense.encode(trained.items, params.values))
