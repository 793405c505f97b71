"""Unfinished trainings on disk: killed at any moment, they go on bit for bit as if they had not been."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from recpress.core.errors import UserError
from recpress.core.io import replacing

FACTS = "facts"


@dataclass
class Position:
    """Position of a training.

    Attributes
    ----------
    epoch : int
        From 1.
    done : int
        Finished steps of this epoch.
    opening : uint8 Tensor
        State of the generator before this epoch's order was drawn.
    losses : list of Tensor
        Of the finished steps of this epoch.
    """

    epoch: int
    done: int
    opening: Tensor
    losses: list[Tensor] = field(default_factory=list)


class Snapshots:
    """One file that holds the state of a training: parameters, Adam's moments, the generator, and the position.

    It is a safetensors file with the position as JSON in its header, so that one atomic replacement covers all.

    Parameters
    ----------
    path : Path
    key : str
        Hash of what is trained. A state of anything else is refused.
    seconds : float
        Between two writes; 0 writes after every step.
    """

    def __init__(self, path: Path, key: str, seconds: float = 60.0) -> None:
        self.path = path
        self.key = key
        self.seconds = seconds
        self.earlier = 0.0  # seconds that the training took before it was resumed
        self._started = self._written = time.perf_counter()

    @property
    def elapsed(self) -> float:
        """Seconds of training so far, those before a resumption among them."""
        return self.earlier + time.perf_counter() - self._started

    def restore(
        self, parameters: Sequence[Tensor], optimiser: torch.optim.Optimizer, generator: torch.Generator
    ) -> Position | None:
        """Put the state on disk into the arguments and return its position, or None where there is none.

        Raises
        ------
        UserError
            When the file is damaged or of another training.
        """
        if not self.path.is_file():
            return None
        try:
            with safe_open(self.path, "pt") as file:
                facts = json.loads((file.metadata() or {})[FACTS])
                tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118  # not a mapping
        except (OSError, ValueError, KeyError, SafetensorError) as error:
            raise UserError(
                f"The state of an unfinished training, {self.path}, is damaged ({error}): remove it."
            ) from error
        if facts["key"] != self.key:
            raise UserError(f"{self.path} is the state of another training: remove it or choose another place.")
        with torch.no_grad():
            for number, parameter in enumerate(parameters):
                parameter.copy_(tensors[f"parameter.{number}"])
        moments = optimiser.state_dict()
        moments["state"] = {
            number: {name: tensors[f"adam.{number}.{name}"] for name in facts["moments"]} for number in facts["moved"]
        }
        optimiser.load_state_dict(moments)
        generator.set_state(tensors["generator"])
        self.earlier = facts["seconds"]
        return Position(facts["epoch"], facts["done"], tensors["opening"], list(tensors["losses"].unbind()))

    def keep(
        self,
        parameters: Sequence[Tensor],
        optimiser: torch.optim.Optimizer,
        generator: torch.Generator,
        position: Position,
    ) -> None:
        """Write the state if the last one is old enough."""
        if time.perf_counter() - self._written < self.seconds:
            return
        tensors = {"generator": generator.get_state(), "opening": position.opening}
        tensors["losses"] = torch.stack(position.losses) if position.losses else torch.empty(0)
        tensors |= {f"parameter.{number}": each.detach() for number, each in enumerate(parameters)}
        state = optimiser.state_dict()["state"]
        for number, moments in state.items():
            tensors |= {f"adam.{number}.{name}": value for name, value in moments.items()}
        facts = {
            "key": self.key,
            "epoch": position.epoch,
            "done": position.done,
            "seconds": self.elapsed,
            "moved": sorted(state),
            "moments": sorted(next(iter(state.values()), {})),
        }
        with replacing(self.path) as temporary:
            save_file(
                {name: value.contiguous() for name, value in tensors.items()}, temporary, {FACTS: json.dumps(facts)}
            )
        self._written = time.perf_counter()
