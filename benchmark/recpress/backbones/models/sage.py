"""GraphSAGE (Hamilton et al. 2017): weights on a node and on the mean of its neighbours."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from recpress.backbones.config import TrainingConfig
from recpress.backbones.model import Layered
from recpress.backbones.propagate import SparseProduct, neighbour_mean
from recpress.data.graph import Graph


class Sage(Layered):
    """``h' = W₁ mean(h of neighbours) + b + W₂ h``, with ReLU between layers (algorithm 1, mean aggregator).

    It computes what PyG's `SAGEConv` does, over all neighbours, by sparse products. With ``inputs = "items"`` users
    have no rows of their own: they are functions of their items, so a new user needs no training (the inductive use).
    """

    product_kind = "mean"

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

    def final(self) -> Tensor:
        """See `Model.final`."""
        x = self.inputs()
        for number, (near, own) in enumerate(zip(self.near, self.own, strict=True), 1):
            x = near(self.product(x)) + own(x)
            if number < self.config.layers:
                x = self.drop(F.relu(x))
        return self.objective.scored(x)
