"""Matrix factorization: one vector per user and item, no graph."""

from __future__ import annotations

import torch

from recpress.backbones.config import TrainingConfig
from recpress.backbones.model import Linear
from recpress.core.errors import UserError
from recpress.data.graph import Graph


class MF(Linear):
    """Scores ``e_u · e_i``, trained with the training config's loss.

    With ``bpr`` it is BPR-MF (Rendle et al. 2009), with ``ccl`` MF-CCL (SimpleX, Mao et al. 2021, section 4.4).
    """

    def __init__(self, graph: Graph, config: TrainingConfig, generator: torch.Generator) -> None:
        if config.layers:
            raise UserError("mf has no propagation: set layers to 0 in its config, or use lightgcn.")
        super().__init__(graph, config, generator)
