"""What the channels of networks with layer weights are connected with.

A channel is a column of what lies between two layers: of the base table, of a layer's output. What reads and writes it:

- `sage`: each layer reads what the one before it wrote, and the last one is served. Every width is free.
- `ngcf`: each layer's output is served too, beside all others. Every width is free; with a
  channel goes a served column.
- `gat`: the served table is the mean of the base table and all outputs, column by column, so that a channel is the same
  column everywhere. Each head keeps equally many.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from recpress.backbones.training.objective import Objective

Weights = dict[str, Tensor]
# From what a layer reads to something of the same shape whose column c depends on column c alone.
Feature = Callable[[Tensor], Tensor]
# The features that an equal part of a layer's outputs is linear in.
Part = tuple[Feature, ...]


@dataclass(frozen=True)
class State:
    """One layer of the whole network, as it runs on the graph.

    Attributes
    ----------
    read, written : float32 Tensor of shape (n, d)
        Before the layer, and after it without the nonlinearity.
    parts : tuple of Part
    """

    read: Tensor
    written: Tensor
    parts: tuple[Part, ...]


class Wiring(ABC):
    """What channels of a network are connected with; a model makes its own (`Model.wiring`).

    Parameters
    ----------
    objective : Objective
        Of the network.
    """

    # Whether channels are the same columns in all layers.
    shared = False
    # Runs of channels that keep equally many each.
    heads = 1

    def __init__(self, objective: Objective) -> None:
        self.layers = objective.config.layers
        self.split, self.scored = objective.split, objective.scored

    @abstractmethod
    def parts(self, layer: int, x: Tensor, weights: Weights) -> tuple[Part, ...]:
        """Return what a layer's outputs are linear in, where it reads x."""

    @abstractmethod
    def activated(self, layer: int, x: Tensor) -> Tensor:
        """Return what the next layer reads, of a layer's output."""

    @abstractmethod
    def served(self, tables: list[Tensor], place: int) -> Tensor | None:
        """Return the served columns of the channels at a place, of the base table and all outputs; None: none."""

    def aligned(self, base: Tensor, weights: Weights) -> tuple[Tensor, Weights]:
        """Return the same network with its channels turned where no one sees it, so that fewer of them matter."""
        return base, weights

    def settled(self, layer: int, x: Tensor, weights: Weights, state: State, whole: Weights) -> Weights:
        """Return weights of a layer, refitted, that its matrices leave open."""
        return {}

    def rebased(self, base: Tensor, whole: Tensor, generator: torch.Generator) -> Tensor:
        """Return another base table, of the channels that stay, that a first layer can be fitted to as well."""
        return base

    def written(self, layer: int, x: Tensor, weights: Weights) -> Tensor:
        """Return the output of a layer that reads x."""
        matrices = [weights[name] for name in matrices_of(weights, layer)]
        parts = self.parts(layer, x, weights)
        chunks = zip(*(each.chunk(len(parts)) for each in matrices), strict=True)
        outputs = [
            sum(feature(x) @ matrix.T for feature, matrix in zip(part, chunk, strict=True))
            for part, chunk in zip(parts, chunks, strict=True)
        ]
        return torch.cat(outputs, 1) + sum(weights[name] for name in biases_of(weights, layer))

    def run(self, base: Tensor, weights: Weights) -> list[State]:
        """Return the layers as they run on the graph."""
        states, x = [], base
        for layer in range(self.layers):
            states.append(State(x, self.written(layer, x, weights), self.parts(layer, x, weights)))
            x = self.activated(layer, states[-1].written)
        return states


def layer_of(name: str) -> int:
    """Return the layer that a weight belongs to."""
    return next(int(each) for each in name.split(".") if each.isdigit())


def matrices_of(weights: Weights, layer: int) -> list[str]:
    """Return the names of a layer's matrices of shape (out, in), sorted."""
    return sorted(name for name in weights if name.endswith(".weight") and layer_of(name) == layer)


def biases_of(weights: Weights, layer: int) -> list[str]:
    """Return the names of what is added to a layer's outputs, sorted."""
    return sorted(name for name in weights if name.endswith(".bias") and layer_of(name) == layer)
