"""The training loop that backbones and trained methods share."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from typing import Literal, Protocol

import torch
from torch import Tensor

from recpress.backbones.training.sampling import Batch, Sampler
from recpress.backbones.training.snapshot import Position, Snapshots


class Schedule(Protocol):
    """The part of a training config that the loop needs; see `recpress.backbones.config.TrainingConfig` for units."""

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
    snapshots: Snapshots | None = None,
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
    snapshots : Snapshots, optional
        Goes on from the state that it holds, if any, and keeps the state of this training. All randomness must come
        from the sampler's generator, and nothing but the parameters may change from step to step.

    Raises
    ------
    FloatingPointError
        When the loss of an epoch is not finite.
    """
    parameters = list(parameters)
    generator = sampler.generator
    steps_per_epoch = -(-len(sampler.users) // schedule.batch_size)
    optimiser = torch.optim.Adam(parameters, lr=schedule.learning_rate, fused=True)
    resumed = snapshots.restore(parameters, optimiser, generator) if snapshots else None
    for epoch in range(resumed.epoch if resumed else 1, schedule.epochs + 1):
        if resumed:
            position, now = resumed, generator.get_state()
            generator.set_state(position.opening)
            batches = sampler.epoch(schedule.batch_size, position.done)
            generator.set_state(now)
            resumed = None
        else:
            position = Position(epoch, 0, generator.get_state())
            batches = sampler.epoch(schedule.batch_size)
        for batch in batches:
            step = (epoch - 1) * steps_per_epoch + position.done
            optimiser.param_groups[0]["lr"] = rate(schedule, step / (schedule.epochs * steps_per_epoch))
            optimiser.zero_grad()
            value = loss(batch)
            value.backward()  # type: ignore[no-untyped-call]  # torch leaves it untyped
            optimiser.step()
            if after_step:
                after_step(step + 1, optimiser)
            position.losses.append(value.detach())
            position.done += 1
            if snapshots:
                snapshots.keep(parameters, optimiser, generator, position)
        mean = float(torch.stack(position.losses).mean())
        if not math.isfinite(mean):
            raise FloatingPointError(f"the loss became {mean} in epoch {epoch}; lower the learning rate")
        if on_epoch and on_epoch(epoch, mean):
            return


def rate(schedule: Schedule, share: float) -> float:
    """Return the learning rate when a share in [0, 1) of all steps is done."""
    if schedule.decay == "cosine":
        return schedule.learning_rate * (1 + math.cos(math.pi * share)) / 2
    return schedule.learning_rate
