"""Models in training: base tables, optional weights, and how they give final tables and the loss."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import ClassVar, Literal

import torch
from torch import Tensor, nn

from recpress.backbones.config import TrainingConfig
from recpress.backbones.propagate import SparseProduct
from recpress.backbones.pruning.wiring import Wiring
from recpress.backbones.training.footprint import Footprint
from recpress.backbones.training.objective import Embed, Objective, drop
from recpress.backbones.training.sampling import Batch
from recpress.core.errors import UserError
from recpress.data.graph import Graph


class Model(nn.Module, ABC):
    """Base of all trained backbones. Its parameters are `base` and what a subclass adds.

    Parameters
    ----------
    graph : Graph
        Training interactions.
    config : TrainingConfig
    generator : torch.Generator
        Seeded; all randomness comes from it. The model lives on its device.

    Raises
    ------
    UserError
        When the training config has a value that the model can't work with.
    """

    # The sparse product that final tables come of, if any: with Ã, or with the mean over neighbours.
    product_kind: ClassVar[Literal["symmetric", "mean"] | None] = None

    def __init__(self, graph: Graph, config: TrainingConfig, generator: torch.Generator) -> None:
        if graph.links and not config.layers:
            raise UserError("Without propagation relations have no part in it: leave them out of the training config.")
        super().__init__()
        self.config = config
        self.generator = generator
        self.objective = Objective(graph, config, generator)
        table = torch.empty(graph.n_nodes, config.dim, device=generator.device)
        self.base = nn.Parameter(table.normal_(std=config.init_std, generator=generator))

    @classmethod
    def footprint(cls, config: TrainingConfig) -> Footprint:
        """Return what its training holds in memory beside what any training does."""
        return Footprint()

    def wiring(self) -> Wiring | None:
        """Return what its channels are connected with; None where it has no layers whose channels could go."""
        return None

    @abstractmethod
    def final(self) -> Tensor:
        """Return the final table, shape (n_nodes, columns); in training mode with the noise that training needs."""

    def use(self, product: SparseProduct) -> None:
        """Let another engine compute the sparse product that `product_kind` names."""
        if self.objective.propagation:
            self.objective.propagation.product = product

    def loss(self, batch: Batch) -> Tensor:
        """Return the loss on a batch."""
        return self.ranking_loss(self.final(), batch)

    def ranking_loss(self, final: Tensor, batch: Batch) -> Tensor:
        """Return the training config's loss of a final table on a batch."""
        base = Embed.of(*self.objective.split(self.base))
        return self.objective.loss(batch, base if final is self.base else Embed.of(*self.objective.split(final)), base)


class Layered(Model):
    """Base of models with weights: `config.layers` layers, each with its own.

    Raises
    ------
    UserError
        When the training config has no layers.
    """

    def __init__(self, graph: Graph, config: TrainingConfig, generator: torch.Generator) -> None:
        if config.layers < 1:
            raise UserError(
                f"{type(self).__name__.lower()} needs layers of 1 or more in its config: without any, it is mf."
            )
        super().__init__(graph, config, generator)

    def initialise(self) -> None:
        """Draw all weights but `base` anew, from the seeded generator: matrices by Glorot and Bengio 2010, biases 0."""
        self.to(self.generator.device)
        for name, weight in self.named_parameters():
            if name != "base":
                with torch.no_grad():
                    weight.zero_() if weight.dim() < 2 else nn.init.xavier_uniform_(weight, generator=self.generator)

    def drop(self, x: Tensor) -> Tensor:
        """Drop entries in training, `config.dropout` of them, and scale up what is left."""
        return drop(x, self.config.dropout, self.generator) if self.training else x


class Linear(Model):
    """Base tables propagated linearly, `config.layers` times: matrix factorization where that is 0."""

    def final(self) -> Tensor:
        """See `Model.final`."""
        return self.objective.final(self.base)

    def loss(self, batch: Batch) -> Tensor:
        """See `Model.loss`. Without propagation only the batch's rows are scaled to length 1."""
        if self.objective.propagation:
            return super().loss(batch)
        base = Embed.of(*self.objective.split(self.base))
        return self.objective.loss(batch, self.objective.scored_rows(base), base)
