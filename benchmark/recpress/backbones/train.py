"""The training loop that backbones and trained methods share."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Literal, Protocol

import torch
from torch import Tensor

from recpress.backbones.sampling import Batch, Sampler


class Schedule(Protocol):
    """The part of a recipe that the loop needs; see `recpress.backbones.recipe.Recipe` for units."""

    @property
    def epochs(self) -> int:
        """Passes over the interactions."""

    @property
    def batch_size(self) -> int:
        """Interactions per step."""

    @property
    def learning_rate(self) -> float:
        """Of Adam."""

    @property
    def decay(self) -> Literal["constant", "cosine"]:
        """Course of the learning rate over all steps."""


# Called after each epoch with its number (from 1) and mean loss; training stops early when it returns True.
OnEpoch = Callable[[int, float], bool | None]
# Called after each step with its number (from 1) and the optimiser, whose moments it may change.
AfterStep = Callable[[int, torch.optim.Adam], None]


def optimise(
    parameters: Iterable[Tensor],
    loss: Callable[[Batch], Tensor],
    sampler: Sampler,
    schedule: Schedule,
    on_epoch: OnEpoch | None = None,
    after_step: AfterStep | None = None,
) -> None:
    """Minimise a loss over batches with fused Adam, in place.

    Parameters
    ----------
    parameters : iterable of Tensor
        Leaves that require gradients.
    loss : callable
        From a batch to a scalar.
    sampler : Sampler
    schedule : Schedule
    on_epoch : callable, optional
    after_step : callable, optional
        For what must hold after every step, such as the zeros of a mask.

    Raises
    ------
    FloatingPointError
        When the loss of an epoch is not finite.
    """
    steps = schedule.epochs * -(-len(sampler.users) // schedule.batch_size)
    optimiser = torch.optim.Adam(list(parameters), lr=schedule.learning_rate, fused=True)
    cosine = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, steps) if schedule.decay == "cosine" else None
    step = 0
    for epoch in range(1, schedule.epochs + 1):
        losses = []
        for batch in sampler.epoch(schedule.batch_size):
            optimiser.zero_grad()
            value = loss(batch)
            value.backward()  # type: ignore[no-untyped-call]  # torch leaves it untyped
            optimiser.step()
            step += 1
            if after_step:
                after_step(step, optimiser)
            if cosine:
                cosine.step()
            losses.append(value.detach())
        mean = float(torch.stack(losses).mean())
        if mean != mean or mean in (float("inf"), -float("inf")):
            raise FloatingPointError(f"the loss became {mean} in epoch {epoch}; lower the learning rate")
        if on_epoch and on_epoch(epoch, mean):
            return
