"""Iterative magnitude pruning with rewinding."""

from __future__ import annotations

import torch

from recpress.api import Artefact, Field, Method, Shape, Task, TrainingParams, largest
from recpress.backbones.training.retrain import Retraining
from recpress.compression import pruning
from recpress.compression.pruning import ValueName


class LotteryParams(TrainingParams):
    """Share that is pruned, number of rounds, and storage of the rest."""

    epochs: int = Field(5, ge=1, description="Passes over the interactions in each round, and after the last.")
    rate: float = Field(0.5, gt=0, description="Adam's learning rate as a share of the training config's.")
    sparsity: float = Field(0.5, ge=0, lt=1, description="Share of the values that become zero; exact to one value.")
    rounds: int = Field(3, ge=1, description="Rounds of training, pruning and rewinding.")
    values: ValueName = Field("int8", description="How the values that stay are stored.")


def sparsity_after(done: int, rounds: int, final: float) -> float:
    """Return the sparsity after some rounds, each of which takes the same share of what is left."""
    return 1.0 - float((1 - final) ** (done / rounds))


class Lottery(Method[LotteryParams]):
    """Find a mask by training and pruning in rounds, then train the rewound values under it.

    Rewinding goes to the frozen backbone, a late point in training (Frankle et al. 2020 found that early ones fail on
    larger problems; ours has no checkpoints before its last). Unlike `gradual`, what is masked stays masked.
    """

    Params = LotteryParams

    def params_for(self, budget: int, shape: Shape) -> LotteryParams:
        """See `Method.params_for`: as many values as fit."""
        candidates = [LotteryParams(sparsity=each) for each in pruning.sparsities(shape.dim)]
        return largest(
            candidates,
            lambda params: pruning.tensor_bytes(shape.entities, shape.dim, params.sparsity, params.values),
            budget,
        )

    def compress(self, task: Task[LotteryParams]) -> Artefact:
        """See `Method.compress`."""
        params = task.params
        training = Retraining(task.backbone, task.graph, task.generator)
        base = training.start.clone().requires_grad_()
        mask = torch.ones_like(base, dtype=torch.bool)

        def train(done: int) -> None:
            def progress(share: float) -> None:
                task.progress((done + share) / (params.rounds + 1))

            training.minimise_masked(base, mask, params.epochs, params.rate, progress)

        for done in range(params.rounds):
            train(done)
            with torch.no_grad():
                left = training.masked(base, mask).abs().view(1, -1)
                kept = pruning.largest_mask(left, sparsity_after(done + 1, params.rounds, params.sparsity))
                mask.copy_(kept.view_as(mask))
                base.copy_(training.start)
        train(params.rounds)
        users, items = training.objective.split(training.masked(base.detach(), mask))
        return Artefact(pruning.encode(users, params.values), pruning.encode(items, params.values))
