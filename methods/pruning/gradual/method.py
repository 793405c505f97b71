"""Gradual magnitude pruning."""

from __future__ import annotations

from typing import Literal

import torch

from recpress.api import Artefact, Field, Method, Shape, Task, TrainingParams, largest
from recpress.backbones.training.retrain import Retraining
from recpress.compression import pruning
from recpress.compression.pruning import ValueName


class GradualParams(TrainingParams):
    """Share that is pruned, its schedule, and storage of the rest."""

    epochs: int = Field(20, ge=1, description="Passes over the interactions.")
    rate: float = Field(0.5, gt=0, description="Adam's learning rate as a share of the training config's.")
    sparsity: float = Field(0.5, ge=0, lt=1, description="Share of the values that become zero; exact to one value.")
    scope: Literal["global", "row"] = Field("global", description="Rank values over both tables, or within each row.")
    ramp: float = Field(0.6, gt=0, le=1, description="Share of the steps in which the sparsity grows.")
    every: int = Field(20, ge=1, description="Steps between two choices of what is masked.")
    values: ValueName = Field("int8", description="How the values that stay are stored.")


def sparsity_at(share: float, final: float) -> float:
    """Return the sparsity when a share in [0, 1] of the ramp is done (Zhu and Gupta 2017, equation 1, from 0)."""
    return final - final * (1 - min(share, 1.0)) ** 3


class Gradual(Method[GradualParams]):
    """Mask more and more of the final tables' smallest values while training goes on.

    The mask lies on the final tables, which are what is stored, and is chosen anew as the sparsity grows: a value that
    was masked comes back when others have become smaller (see `Retraining.minimise_masked` for what moves under it).
    """

    Params = GradualParams

    def params_for(self, budget: int, shape: Shape) -> GradualParams:
        """See `Method.params_for`: as many values as fit."""
        candidates = [GradualParams(sparsity=each) for each in pruning.sparsities(shape.dim)]
        return largest(
            candidates,
            lambda params: pruning.tensor_bytes(shape.entities, shape.dim, params.sparsity, params.values),
            budget,
        )

    def compress(self, task: Task[GradualParams]) -> Artefact:
        """See `Method.compress`."""
        params = task.params
        training = Retraining(task.backbone, task.graph, task.generator)
        objective, base = training.objective, training.start.requires_grad_()
        ramp = max(1, round(params.ramp * training.steps(params.epochs)))
        mask = torch.ones_like(base, dtype=torch.bool)

        def choose(step: int) -> None:
            if step != ramp and (step > ramp or step % params.every):
                return
            with torch.no_grad():
                magnitudes = objective.final(base).abs()
            ranked = magnitudes.view(1, -1) if params.scope == "global" else magnitudes
            mask.copy_(pruning.largest_mask(ranked, sparsity_at(step / ramp, params.sparsity)).view_as(mask))

        training.minimise_masked(base, mask, params.epochs, params.rate, task.progress, choose)
        users, items = objective.split(training.masked(base.detach(), mask))
        return Artefact(pruning.encode(users, params.values), pruning.encode(items, params.values))
