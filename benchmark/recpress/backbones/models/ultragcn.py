"""UltraGCN (Mao et al. 2021): what infinitely many propagation steps would constrain, as a loss without any step."""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from scipy import sparse
from torch import Tensor

from recpress.backbones.config import TrainingConfig
from recpress.backbones.model import Model
from recpress.backbones.training.footprint import Footprint
from recpress.backbones.training.sampling import Batch
from recpress.core.errors import UserError
from recpress.data.graph import Graph
from recpress.data.interactions import UserItems

BLOCK_ITEMS = 128


class UltraGCN(Model):
    """Binary cross-entropy weighted by ``β_ui``, and the same for items similar to the positive (equation 14).

    Positives weigh ``β_ui = 1/d_u √((d_u + 1)/(d_i + 1))``; negatives weigh that too, or 1, and are shared by a batch
    (the paper draws them for each positive). The item term is ``-λ Σ_{j ∈ S(i)} ω_ij ln σ(u·j)`` (equation 13). The
    regularisation is of the mean base row, whatever the batch.
    """

    @classmethod
    def footprint(cls, config: TrainingConfig) -> Footprint:
        """See `Model.footprint`."""
        return Footprint(rows_per_positive=config.item_neighbours if config.item_weight else 0)

    def __init__(self, graph: Graph, config: TrainingConfig, generator: torch.Generator) -> None:
        if config.layers or config.loss != "bce":
            raise UserError('ultragcn has no propagation: set layers = 0 and loss = "bce" in its config.')
        super().__init__(graph, config.model_copy(update={"regularisation": 0.0}), generator)
        self.strength = config.regularisation / 2
        self.item_weight = config.item_weight
        if self.item_weight:
            items, weights = similar_items(graph.user_items, config.item_neighbours)
            self.similar = torch.from_numpy(items).to(generator.device)
            self.similarity = torch.from_numpy(weights).to(generator.device)

    def final(self) -> Tensor:
        """See `Model.final`."""
        return self.base

    def loss(self, batch: Batch) -> Tensor:
        """See `Model.loss`."""
        value = self.ranking_loss(self.base, batch)
        if self.item_weight:
            users, items = self.objective.split(self.base)
            near = F.embedding(self.similar[batch.items], items)
            scores = torch.einsum("bd,bkd->bk", F.embedding(batch.users, users), near)
            attracted = (self.similarity[batch.items] * F.softplus(-scores)).sum(1).mean()
            value = value + self.item_weight * attracted
        return value + self.strength * self.base.square().sum(1).mean() if self.strength else value


def similar_items(user_items: UserItems, count: int) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """Return each item's most similar items by ``ω_ij = G_ij / (g_i - G_ii) √(g_i / g_j)``, and these weights.

    ``G = RᵀR`` counts users in common and ``g_i = Σ_k G_ik`` (UltraGCN, Mao et al. 2021, equation 11). An item is not
    its own neighbour. Where there are fewer, weights are 0.

    Parameters
    ----------
    user_items : UserItems
    count : int

    Returns
    -------
    items : int64 array of shape (n_items, count)
    weights : float32 array of shape (n_items, count)
    """
    shape = (user_items.n_users, user_items.n_items)
    matrix = sparse.csr_array((np.ones(user_items.nnz, np.float64), user_items.items, user_items.indptr), shape=shape)
    by_item = matrix.T.tocsr()
    total = by_item @ matrix.sum(axis=1)
    own = np.bincount(user_items.items, minlength=user_items.n_items)
    count = min(count, user_items.n_items)
    items = np.zeros((user_items.n_items, count), np.int64)
    weights = np.zeros((user_items.n_items, count), np.float32)
    for start in range(0, user_items.n_items, BLOCK_ITEMS):
        common = (by_item[start : start + BLOCK_ITEMS] @ matrix).tocsr()
        for row in range(common.shape[0]):
            item = start + row
            place = slice(common.indptr[row], common.indptr[row + 1])
            others = common.indices[place]
            scale = np.sqrt(total[item] / total[others]) / max(total[item] - own[item], 1.0)
            similarity = np.where(others == item, 0.0, common.data[place] * scale)
            if len(others) > count:  # Those of a popular item are thousands: only what may be among the best is sorted.
                near = similarity >= np.partition(similarity, -count)[-count]
                others, similarity = others[near], similarity[near]
            best = np.lexsort((others, -similarity))[:count]
            items[item, : len(best)], weights[item, : len(best)] = others[best], similarity[best]
    return items, weights
