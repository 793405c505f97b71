"""LightGCN (He et al. 2020): embeddings averaged over linear propagation steps."""

from __future__ import annotations

import torch

from recpress.backbones.config import TrainingConfig
from recpress.backbones.model import Linear
from recpress.core.errors import UserError
from recpress.data.graph import Graph


class LightGCN(Linear):
    """``E = 1/(L+1) Σ_l Ã^l E⁰`` and scores ``e_u · e_i`` (equations 3, 4 and 7 of the paper)."""

    product_kind = "symmetric"

    def __init__(self, graph: Graph, config: TrainingConfig, generator: torch.Generator) -> None:
        if config.layers < 1:
            raise UserError("lightgcn needs layers of 1 or more in its config: without any, it is mf.")
        super().__init__(graph, config, generator)
