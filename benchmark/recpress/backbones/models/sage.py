"""GraphSAGE (Hamilton et al. 2017): weights on a node and on the mean of its neighbours."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from recpress.backbones.config import TrainingConfig
from recpress.backbones.model import Layered
from recpress.backbones.propagate import SparseProduct, neighbour_mean
from recpress.backbones.pruning.wiring import Part, Weights, Wiring, biases_of, matrices_of
from recpress.backbones.training.footprint import Footprint
from recpress.backbones.training.retrain import leading_directions
from recpress.data.graph import Graph


class Sage(Layered):
    """``h' = W₁ mean(h of neighbours) + b + W₂ h``, with ReLU between layers (algorithm 1, mean aggregator).

    It computes what PyG's `SAGEConv` does, over all neighbours, by sparse products. With ``inputs = "items"`` users
    have no rows of their own: they are functions of their items, so a new user needs no training (the inductive use).
    """

    product_kind = "mean"

    @classmethod
    def footprint(cls, config: TrainingConfig) -> Footprint:
        """See `Model.footprint`."""
        return Footprint(tables_per_layer=5)

    def __init__(self, graph: Graph, config: TrainingConfig, generator: torch.Generator) -> None:
        super().__init__(graph, config, generator)
        self.product = neighbour_mean(graph.adjacency(), generator.device)
        self.near = nn.ModuleList(nn.Linear(config.dim, config.dim) for _ in range(config.layers))
        self.own = nn.ModuleList(nn.Linear(config.dim, config.dim, bias=False) for _ in range(config.layers))
        self.initialise()
        if config.inputs == "items":
            with torch.no_grad():
                self.objective.split(self.base)[0].zero_()

    def inputs(self) -> Tensor:
        """Return what the first layer reads, shape (n_nodes, dim)."""
        if self.config.inputs == "ids":
            return self.base
        users, _ = self.objective.split(self.base)
        return torch.cat([torch.zeros_like(users), self.base[len(users) :]])

    def use(self, product: SparseProduct) -> None:
        """See `Model.use`."""
        self.product = product

    def wiring(self) -> SageWiring:
        """See `Model.wiring`."""
        return SageWiring(self)

    def final(self) -> Tensor:
        """See `Model.final`."""
        x = self.inputs()
        for number, (near, own) in enumerate(zip(self.near, self.own, strict=True), 1):
            x = near(self.product(x)) + own(x)
            if number < self.config.layers:
                x = self.drop(F.relu(x))
        return self.objective.scored(x)


class SageWiring(Wiring):
    """Base table and last output are read by linear maps alone, and may be turned."""

    def __init__(self, net: Sage) -> None:
        super().__init__(net.objective)
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
