"""Linear propagation with a weight on each interaction, differentiable in the weights and in the table."""

from __future__ import annotations

import torch
from torch import Tensor

from recpress.backbones.config import TrainingConfig
from recpress.backbones.edges import Edges
from recpress.backbones.propagate import CPU
from recpress.core.errors import UserError
from recpress.data.graph import Graph


class MaskedPropagation:
    """``mean_l (Ã ⊙ M)^l E⁰`` with ``M`` symmetric: one value per interaction, the same in both directions.

    ``Ã`` is normalised by the degrees of the whole graph, whatever the mask.

    Parameters
    ----------
    graph : Graph
        Of users and items.
    config : TrainingConfig
        Its layers, and which one the mean begins with.

    Raises
    ------
    UserError
        When users and items are the same nodes.
    """

    def __init__(self, graph: Graph, config: TrainingConfig) -> None:
        if not graph.bipartite:
            raise UserError("Edges are masked in data sets of users and items alone: take edge_sparsify for others.")
        adjacency = graph.adjacency()
        # Users come first, so the first half of the directed edges are the interactions, in their order.
        self.edges = Edges(adjacency, CPU, loops=False)
        self.weights = torch.from_numpy(adjacency.weights)
        self.config = config

    def __call__(self, base: Tensor, mask: Tensor) -> Tensor:
        """Return the final table, before any scaling of rows, for a mask of shape (interactions,)."""
        # index_select: its gradient is a sum in a fixed order.
        weights = self.weights * torch.cat([mask, mask.index_select(0, self.edges.reverse[len(mask) :])])
        first, layers = self.config.first_layer, self.config.layers
        power, total = base, base if first == 0 else torch.zeros_like(base)
        for number in range(1, layers + 1):
            power = self.edges.gather(weights, power)
            if number >= first:
                total = total + power
        return total / (layers + 1 - first)
