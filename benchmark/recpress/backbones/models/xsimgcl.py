"""XSimGCL (Yu et al. 2023) and SimGCL (Yu et al. 2022): LightGCN with a contrast between noisy views."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from recpress.backbones.config import TrainingConfig
from recpress.backbones.model import Model
from recpress.backbones.propagate import Propagation
from recpress.backbones.training.footprint import Footprint
from recpress.backbones.training.losses import info_nce
from recpress.backbones.training.sampling import Batch
from recpress.core.errors import UserError
from recpress.data.graph import Graph


class XSimGCL(Model):
    """Ranking loss and ``λ InfoNCE`` between two noisy views of the users, and of the items, of each batch.

    Each propagation step adds noise to each row, ``e ← Ã e + ε · sign(e) ⊙ u/|u|`` (SimGCL, equation 8). XSimGCL makes
    one noisy pass, ranks by its final table and contrasts that with its layer ``l*`` (XSimGCL, section 3.3). With
    ``contrast_layer = 0`` it is SimGCL: a clean pass ranks, and two more, noisy ones are contrasted. In both papers the
    base table is not in the mean of steps: ``first_layer = 1``.

    The contrast is over the ids of `contrast_ids` positives, evenly over a batch, each id once: its cost is quadratic.
    """

    product_kind = "symmetric"

    @classmethod
    def footprint(cls, config: TrainingConfig) -> Footprint:
        """See `Model.footprint`."""
        return Footprint(tables_per_layer=2)

    def __init__(self, graph: Graph, config: TrainingConfig, generator: torch.Generator) -> None:
        super().__init__(graph, config, generator)
        if self.objective.propagation is None or config.contrast_layer > config.layers:
            raise UserError("xsimgcl needs layers of 1 or more in its config, and a contrast_layer among them.")
        self.propagation: Propagation = self.objective.propagation

    def final(self) -> Tensor:
        """See `Model.final`."""
        return self.objective.final(self.base)

    def loss(self, batch: Batch) -> Tensor:
        """See `Model.loss`."""
        if self.config.contrast_layer:
            final, view = self._noisy(self.config.contrast_layer)
            final = self.objective.scored(final)
            first = final
        else:
            final = self.final()
            (first, _), (view, _) = self._noisy(self.config.layers), self._noisy(self.config.layers)
        return self.ranking_loss(final, batch) + self.config.contrast_weight * self._contrast(first, view, batch)

    def _noisy(self, layer: int) -> tuple[Tensor, Tensor]:
        return self.propagation.noisy(self.base, layer, self.config.contrast_noise, self.generator)

    def _contrast(self, first: Tensor, second: Tensor, batch: Batch) -> Tensor:
        # Evenly over the batch, which is in order of users.
        n = min(self.config.contrast_ids, len(batch.users))
        chosen = torch.arange(n, device=first.device) * len(batch.users) // n
        total = torch.zeros((), device=first.device)
        views = zip(self.objective.split(first), self.objective.split(second), strict=True)
        for ids, (one, other) in zip((batch.users, batch.items), views, strict=True):
            each = torch.unique(ids[chosen], sorted=True)
            # F.embedding and not indexing: its gradient adds up in a fixed order.
            rows = F.embedding(each, one), F.embedding(each, other)
            total = total + info_nce(*rows, self.config.contrast_temperature)
        return total
