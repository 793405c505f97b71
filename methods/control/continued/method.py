"""Control: more training and no compression."""

from __future__ import annotations

from typing import Literal

from torch import Tensor

from recpress.api import Artefact, Batch, Dense, Field, Method, Shape, Task, TrainingParams, largest
from recpress.backbones.training.retrain import Retraining
from recpress.codecs.tables.dense import FLOATS


class ContinuedParams(TrainingParams):
    """The training, and how the tables are stored."""

    values: Literal["fp32", "fp16"] = Field("fp32", description="How the tables are stored.")


class Continued(Method[ContinuedParams]):
    """Go on training with nothing taken away: the fair reference of a method that trains longer than its backbone did.

    Where this gains over the frozen backbone, the backbone was not trained to its end, and so much of any retraining
    method's retention is owed to the epochs and not to the method.
    """

    Params = ContinuedParams

    def params_for(self, budget: int, shape: Shape) -> ContinuedParams:
        """See `Method.params_for`: fp32, else fp16."""
        candidates = [ContinuedParams(values="fp32"), ContinuedParams(values="fp16")]
        return largest(candidates, lambda params: shape.entities * shape.dim * FLOATS[params.values].itemsize, budget)

    def compress(self, task: Task[ContinuedParams]) -> Artefact:
        """See `Method.compress`."""
        params = task.params
        training = Retraining(task.backbone, task.graph, task.generator)
        objective, base = training.objective, training.start.requires_grad_()

        def loss(batch: Batch) -> Tensor:
            return training.loss(batch, objective.final(base), base)

        training.minimise([base], loss, params.epochs, params.rate, task.progress)
        users, items = objective.split(objective.final(base.detach()))
        return Artefact(Dense.encode(users, params.values), Dense.encode(items, params.values))
