"""Networks with layer weights, narrower: which channels go, and what the weights that stay become."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Literal

import torch
from torch import Tensor

from recpress.backbones.base import Backbone
from recpress.backbones.catalogue import backbone as entry
from recpress.backbones.pruning.elimination import Regression, eliminate
from recpress.backbones.pruning.wiring import State, Weights, Wiring, biases_of, layer_of, matrices_of
from recpress.backbones.training.retrain import of_nodes
from recpress.core.errors import UserError
from recpress.data.graph import Graph

Criterion = Literal["reconstruction", "magnitude"]


def pruned(
    backbone: Backbone,
    graph: Graph,
    remaining: int,
    generator: torch.Generator,
    criterion: Criterion = "reconstruction",
    refit: bool = True,
    stored: Callable[[Tensor], Tensor] = torch.clone,
) -> Backbone:
    """Return a network with fewer channels between all layers, its matrices smaller and not masked.

    Channels are chosen from the last layer to the first, by what layers of the whole network make of them; weights are
    fitted from the first to the last, to what the whole network writes, of what the narrow one reads (He, Zhang and Sun
    2017, who choose by a LASSO; Luo, Wu and Lin 2017, ThiNet, greedily as here, but forwards).

    Parameters
    ----------
    backbone : Backbone
        With layer weights.
    graph : Graph
        That it was trained on.
    remaining : int
        Channels that stay in each place, from 1 to `config.dim`; fewer where heads wouldn't divide them.
    generator : torch.Generator
        Of a rotation.
    criterion : {"reconstruction", "magnitude"}
        reconstruction: channels go by what their readers lose, all others fitted again, and what the scores lose.
        magnitude: by the squared norm of the weights that touch them, as a share of each matrix (Li et al. 2017).
    refit : bool
        False: what stays of the weights stays as it was.
    stored : callable
        From a base table to what is read back of it, by rows: weights are fitted to that.

    Returns
    -------
    Backbone
        With base tables, training config and weights of the narrow network; its final tables are still the whole one's.

    Raises
    ------
    UserError
        When the backbone has no layers with weights, or `retained` is out of range.
    """
    wiring = entry(backbone.name).build(graph, backbone.config, torch.Generator()).wiring()
    if wiring is None:
        raise UserError(f"{backbone.name} has no layer weights whose channels could go: choose sage, gat or ngcf.")
    heads, dim = wiring.heads, backbone.config.dim
    remaining = max(remaining // heads, 1) * heads
    if remaining > dim:
        raise UserError(f"{remaining} channels are more than the {dim} of {backbone.name}: keep fewer.")
    if remaining == dim:
        return backbone
    base, whole = of_nodes(backbone.base_users, backbone.base_items, graph), backbone.weights
    with torch.no_grad():
        if criterion == "reconstruction":
            base, whole = wiring.aligned(base, whole)
        states = wiring.run(base, whole)
        if criterion == "reconstruction":
            places = _by_reconstruction(wiring, states, remaining, heads)
        else:
            places = _by_magnitude(wiring, base, whole, remaining, heads)
        weights = {name: _cut(name, value, places) for name, value in whole.items()}
        base = base[:, places[0]].contiguous()
        if refit:
            base = wiring.rebased(base, states[0].read, generator)
            weights = _refitted(wiring, states, stored(base), weights, whole, places)
    users, items = wiring.split(base)
    config = backbone.config.model_copy(update={"dim": remaining})
    return replace(backbone, base_users=users, base_items=items, config=config, weights=weights)


def _by_reconstruction(wiring: Wiring, states: list[State], remaining: int, heads: int) -> list[Tensor]:
    tables = [states[0].read, *(_output(wiring, states, layer) for layer in range(wiring.layers))]
    lost = [_lost(wiring, tables, place) for place in range(len(tables))]
    if wiring.shared:
        readers = [regressions(state, slice(None)) for state in states]
        return [eliminate(readers, lost[0], remaining, heads)] * len(tables)
    places = [eliminate([], lost[-1], remaining)]
    for place in range(wiring.layers - 1, -1, -1):
        places.insert(0, eliminate([regressions(states[place], places[0])], lost[place], remaining))
    return places


def _output(wiring: Wiring, states: list[State], layer: int) -> Tensor:
    # The mean of gat is over outputs before their nonlinearity, ngcf serves what the next layer reads.
    written = states[layer].written
    return written if wiring.shared else wiring.activated(layer, written)


def _lost(wiring: Wiring, tables: list[Tensor], place: int) -> Tensor:
    """Return the energy of each channel's part of the scores, as a share of all of them, shape (d,)."""
    served = wiring.served(tables, place)
    if served is None:
        return torch.zeros(tables[place].shape[1])
    users, items = wiring.split(served)
    energy = users.square().sum(0) * items.square().sum(0)
    return energy / energy.sum()


def _by_magnitude(wiring: Wiring, base: Tensor, weights: Weights, remaining: int, heads: int) -> list[Tensor]:
    def share(matrix: Tensor, axis: int) -> Tensor:
        return matrix.square().sum(axis) / matrix.square().sum()

    sums = []
    for place in range(wiring.layers + 1):
        touching = [share(base, 0)] if place == 0 else []
        touching += [share(weights[name], 1) for name in matrices_of(weights, place - 1)]
        touching += [share(weights[name], 0) for name in matrices_of(weights, place)]
        sums.append(torch.stack(touching).sum(0))
    if wiring.shared:
        return [eliminate([], torch.stack(sums).sum(0), remaining, heads)] * len(sums)
    return [eliminate([], each, remaining) for each in sums]


def _cut(name: str, value: Tensor, places: list[Tensor]) -> Tensor:
    layer = layer_of(name)
    read, written = places[layer], places[layer + 1]
    if name.endswith(".weight"):
        return value[written][:, read]
    # All else is one value per output, perhaps in a row for each head.
    return value.flatten()[written].view(*value.shape[:-1], -1)


def regressions(state: State, outputs: Tensor | slice) -> list[Regression]:
    """Return the least squares of some outputs of a layer, of equal parts, on what it reads in the whole network."""
    targets = state.written.chunk(len(state.parts), 1)
    if len(targets) == 1:
        targets = (targets[0][:, outputs],)
    return [
        Regression([feature(state.read) for feature in part], target)
        for part, target in zip(state.parts, targets, strict=True)
    ]


def _refitted(
    wiring: Wiring, states: list[State], base: Tensor, weights: Weights, whole: Weights, places: list[Tensor]
) -> Weights:
    made, x = dict(weights), base
    for layer, state in enumerate(states):
        target = state.written[:, places[layer + 1]]
        fits = [
            Regression([feature(x) for feature in part], wanted)
            for part, wanted in zip(state.parts, target.chunk(len(state.parts), 1), strict=True)
        ]
        for number, name in enumerate(matrices_of(made, layer)):
            made[name] = torch.cat([fit.weights[:, number].T for fit in fits]).float()
        first, *others = biases_of(made, layer)
        made[first] = torch.cat([fit.intercept() for fit in fits]).float()
        made |= {name: torch.zeros_like(made[name]) for name in others}
        made |= wiring.settled(layer, x, made, state, whole)
        x = wiring.activated(layer, wiring.written(layer, x, made))
    return made
