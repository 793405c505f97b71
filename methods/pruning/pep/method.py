"""Pruning by thresholds that are learned."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor

from recpress.api import Artefact, Batch, Field, Method, Shape, Task, TrainingParams, largest
from recpress.backbones.training.retrain import Retraining
from recpress.compression import pruning
from recpress.compression.pruning import ValueName

# Thresholds move this much faster than vectors: σ is flat where they start.
SPEED = 20.0


class PepParams(TrainingParams):
    """The thresholds, how much goes, and how the rest is stored."""

    epochs: int = Field(10, ge=1, description="Passes over the interactions: to find thresholds, and again after.")
    rate: float = Field(0.5, gt=0, description="Adam's learning rate as a share of the training config's.")
    sparsity: float = Field(0.5, ge=0, lt=1, description="Share of the values that become zero; exact to one value.")
    granularity: Literal["row", "column", "tensor"] = Field("row", description="What has a threshold of its own.")
    start: float = Field(-6.0, ge=-100, le=5, description="s before training; σ(-6) is 0.0025.")
    values: ValueName = Field("int8", description="How the values that stay are stored.")


def soft_threshold(table: Tensor, s: Tensor) -> Tensor:
    """Return ``sign(x) · max(|x| - σ(s), 0)`` (Liu et al. 2021, equation 6), differentiable in both."""
    return table.sign() * torch.relu(table.abs() - torch.sigmoid(s))


class Pep(Method[PepParams]):
    """Learn thresholds with the backbone's own loss, keep what is farthest above them, rewind and train that.

    The paper prunes until a target size is reached, which no number of epochs promises. Here the values are ranked by
    ``|x| - σ(s)`` after the first training and exactly as many are kept as the sparsity says: the thresholds decide
    which, the budget how many. Rewinding goes to the frozen backbone, where the paper goes back to the first values.
    """

    Params = PepParams

    def params_for(self, budget: int, shape: Shape) -> PepParams:
        """See `Method.params_for`: as many values as fit."""
        candidates = [PepParams(sparsity=each) for each in pruning.sparsities(shape.dim)]
        return largest(
            candidates,
            lambda params: pruning.tensor_bytes(shape.entities, shape.dim, params.sparsity, params.values),
            budget,
        )

    def compress(self, task: Task[PepParams]) -> Artefact:
        """See `Method.compress`."""
        params = task.params
        training = Retraining(task.backbone, task.graph, task.generator)
        objective, base = training.objective, training.start.clone().requires_grad_()
        n, d = base.shape
        leaf = torch.zeros({"row": (n, 1), "column": (1, d), "tensor": (1, 1)}[params.granularity], requires_grad=True)

        def loss(batch: Batch) -> Tensor:
            thinned = soft_threshold(objective.final(base), params.start + SPEED * leaf)
            return training.loss(batch, objective.scored(thinned), base)

        training.minimise([base, leaf], loss, params.epochs, params.rate, lambda share: task.progress(share / 2))
        with torch.no_grad():
            margins = objective.final(base).abs() - torch.sigmoid(params.start + SPEED * leaf)
        mask = pruning.largest_mask(margins.view(1, -1), params.sparsity).view_as(margins)
        base = training.start.clone().requires_grad_()
        training.minimise_masked(base, mask, params.epochs, params.rate, lambda share: task.progress(0.5 + share / 2))
        users, items = objective.split(training.masked(base.detach(), mask))
        return Artefact(pruning.encode(users, params.values), pruning.encode(items, params.values))
