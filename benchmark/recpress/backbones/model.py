"""What is trained: base tables, perhaps weights, and how final tables and the loss come of them."""

from __future__ import annotations

from abc import ABC, abstractmethod

import torch
from torch import Tensor, nn

from recpress.backbones.objective import Embed, Objective
from recpress.backbones.recipe import Recipe
from recpress.backbones.sampling import Batch
from recpress.data.graph import Graph


class Model(nn.Module, ABC):
    """Base of all trained backbones. Its parameters are `base` and what a subclass adds.

    Parameters
    ----------
    graph : Graph
        Training interactions.
    recipe : Recipe
    generator : torch.Generator
        Seeded; all randomness comes from it. The model lives on its device.

    Raises
    ------
    UserError
        When the recipe has a value that the model can't work with.
    """

    def __init__(self, graph: Graph, recipe: Recipe, generator: torch.Generator) -> None:
        super().__init__()
        self.recipe = recipe
        self.generator = generator
        self.objective = Objective(graph, recipe, generator)
        table = torch.empty(graph.n_nodes, recipe.dim, device=generator.device)
        self.base = nn.Parameter(table.normal_(std=recipe.init_std, generator=generator))

    @abstractmethod
    def final(self) -> Tensor:
        """Return the final table, shape (n_nodes, columns); in training mode with the noise that training needs."""

    def loss(self, batch: Batch) -> Tensor:
        """Return the loss on a batch."""
        return self.ranking_loss(self.final(), batch)

    def ranking_loss(self, final: Tensor, batch: Batch) -> Tensor:
        """Return the recipe's loss of a final table on a batch."""
        split = self.objective.split
        return self.objective.loss(batch, Embed.of(*split(final)), Embed.of(*split(self.base)))


class Linear(Model):
    """Base tables propagated linearly, `recipe.layers` times: matrix factorization where that is 0."""

    def final(self) -> Tensor:
        """See `Model.final`."""
        return self.objective.final(self.base)
