"""Connections of the channels in networks with layer weights.

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
from functools import partial

import torch
import torch.nn.functional as F
from torch import Tensor

from recpress.backbones.base import Backbone
from recpress.backbones.catalogue import backbone as entry
from recpress.backbones.gat import GAT, SLOPE
from recpress.backbones.ngcf import NGCF
from recpress.backbones.retrain import leading_directions
from recpress.backbones.sage import Sage
from recpress.data.graph import Graph

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
    """Connections of a network's channels.

    Parameters
    ----------
    backbone : Backbone
    graph : Graph
    """

    # Whether channels are the same columns in all layers.
    shared = False

    def __init__(self, backbone: Backbone, graph: Graph) -> None:
        net = entry(backbone.name).build(graph, backbone.recipe, torch.Generator())
        self.layers = backbone.recipe.layers
        self.split, self.scored = net.objective.split, net.objective.scored
        self._take(net)

    @abstractmethod
    def _take(self, net: torch.nn.Module) -> None:
        """Keep what the layers need of a network besides its weights."""

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


class SageWiring(Wiring):
    """Base table and last output are read by linear maps alone, and may be turned."""

    def _take(self, net: torch.nn.Module) -> None:
        assert isinstance(net, Sage)
        self.product = net.product

    def parts(self, layer: int, x: Tensor, weights: Weights) -> tuple[Part, ...]:
        """See `Wiring.parts`."""
        return ((self.product.apply, lambda y: y),)

    def activated(self, layer: int, x: Tensor) -> Tensor:
        """See `Wiring.activated`."""
        return F.relu(x) if layer + 1 < self.layers else x

    def served(self, tables: list[Tensor], place: int) -> Tensor | None:
        """See `Wiring.served`."""
        return self.scored(tables[-1]) if place == self.layers else None

    def aligned(self, base: Tensor, weights: Weights) -> tuple[Tensor, Weights]:
        """Lay the last output on the principal axes of what is served, and the base table on those of what is read."""
        made, last = dict(weights), self.layers - 1
        x = self.scored(self.run(base, weights)[-1].written)
        axes = leading_directions(x, x.shape[1])
        for name in (*matrices_of(weights, last), *biases_of(weights, last)):
            made[name] = (axes.T.double() @ weights[name].double()).float()
        reading = torch.cat([made[name] for name in matrices_of(weights, 0)])
        values, vectors = torch.linalg.eigh(reading.double().T @ reading.double())
        root = values.clamp(min=float(values.max()) * 1e-9).sqrt()
        turn = (vectors * root) @ vectors.T
        turn = turn @ leading_directions((base.double() @ turn).float(), base.shape[1]).double()
        back = torch.linalg.inv(turn).T
        for name in matrices_of(weights, 0):
            made[name] = (made[name].double() @ back).float()
        return (base.double() @ turn).float(), made

    def rebased(self, base: Tensor, whole: Tensor, generator: torch.Generator) -> Tensor:
        """Turn the base table at random: on its axes a few columns are wide, and a row's grid with them."""
        turn: Tensor = torch.linalg.qr(torch.randn(base.shape[1], base.shape[1], generator=generator)).Q
        return base @ turn


class NGCFWiring(Wiring):
    """Sums and products with the neighbours act channel by channel."""

    def _take(self, net: torch.nn.Module) -> None:
        assert isinstance(net, NGCF)
        self.product = net.product

    def parts(self, layer: int, x: Tensor, weights: Weights) -> tuple[Part, ...]:
        """See `Wiring.parts`; in the order of the weights' names."""
        return ((lambda y: self.product.apply(y) * y, lambda y: self.product.apply(y) + y),)

    def activated(self, layer: int, x: Tensor) -> Tensor:
        """See `Wiring.activated`."""
        return F.leaky_relu(x, SLOPE)

    def served(self, tables: list[Tensor], place: int) -> Tensor | None:
        """See `Wiring.served`."""
        return F.normalize(tables[place]) if place else tables[0]

    def rebased(self, base: Tensor, whole: Tensor, generator: torch.Generator) -> Tensor:
        """Stretch the base table to the whole one's norm: all other blocks of a served row still have length 1."""
        return base * float(whole.norm() / base.norm().clamp(min=1e-30))


class GATWiring(Wiring):
    """With the attention held, each head's outputs are linear in the neighbours that it attends to."""

    shared = True

    def _take(self, net: torch.nn.Module) -> None:
        assert isinstance(net, GAT)
        self.edges = net.edges

    def parts(self, layer: int, x: Tensor, weights: Weights) -> tuple[Part, ...]:
        """See `Wiring.parts`."""
        found: list[Part] = []
        for by_reader, by_read in zip(*self._logits(layer, x, weights), strict=True):
            logits = by_reader[self.edges.rows] + by_read[self.edges.columns.long()]
            attention = self.edges.softmax(F.leaky_relu(logits, SLOPE))
            found.append((partial(self._attended, attention),))
        return tuple(found)

    def _attended(self, attention: Tensor, x: Tensor) -> Tensor:
        return self.edges.gather(attention, x.contiguous())

    def _logits(self, layer: int, x: Tensor, weights: Weights) -> tuple[list[Tensor], list[Tensor]]:
        reader, read = (weights[f"layers.{layer}.{name}"] for name in ("reader", "read"))
        heads = (x @ weights[f"layers.{layer}.linear.weight"].T).tensor_split(len(reader), dim=1)
        return [h @ a for h, a in zip(heads, reader, strict=True)], [h @ a for h, a in zip(heads, read, strict=True)]

    def activated(self, layer: int, x: Tensor) -> Tensor:
        """See `Wiring.activated`."""
        return F.elu(x) if layer + 1 < self.layers else x

    def served(self, tables: list[Tensor], place: int) -> Tensor | None:
        """See `Wiring.served`: the base table and all outputs before their nonlinearity."""
        return self.scored(torch.stack(tables).mean(0))

    def settled(self, layer: int, x: Tensor, weights: Weights, state: State, whole: Weights) -> Weights:
        """See `Wiring.settled`: the vectors that attention is made of, fitted to what the whole network attends to."""
        heads = (x @ weights[f"layers.{layer}.linear.weight"].T).double()
        chunks = heads.tensor_split(len(whole[f"layers.{layer}.reader"]), dim=1)
        found = {}
        for name, logits in zip(("reader", "read"), self._logits(layer, state.read, whole), strict=True):
            fitted = [
                torch.linalg.lstsq(chunk, wanted.double()[:, None], driver="gelsd").solution[:, 0]
                for chunk, wanted in zip(chunks, logits, strict=True)
            ]
            found[f"layers.{layer}.{name}"] = torch.stack(fitted).float()
        return found


WIRINGS: dict[str, type[Wiring]] = {"sage": SageWiring, "ngcf": NGCFWiring, "gat": GATWiring}


def layer_of(name: str) -> int:
    """Return the layer that a weight belongs to."""
    return next(int(each) for each in name.split(".") if each.isdigit())


def matrices_of(weights: Weights, layer: int) -> list[str]:
    """Return the names of a layer's matrices of shape (out, in), sorted."""
    return sorted(name for name in weights if name.endswith(".weight") and layer_of(name) == layer)


def biases_of(weights: Weights, layer: int) -> list[str]:
    """Return the names of what is added to a layer's outputs, sorted."""
    return sorted(name for name in weights if name.endswith(".bias") and layer_of(name) == layer)
