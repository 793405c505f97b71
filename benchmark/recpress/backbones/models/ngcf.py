"""NGCF (Wang et al. 2019): propagation with weights, a nonlinearity, and products of neighbours."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from recpress.backbones.config import TrainingConfig
from recpress.backbones.model import Layered
from recpress.backbones.propagate import SparseProduct, symmetric
from recpress.data.graph import Graph

SLOPE = 0.2  # of the leaky ReLU, as in the authors' code


class NGCF(Layered):
    """``E' = LeakyReLU((Ã + I) E W₁ + (Ã E ⊙ E) W₂)``, all layers side by side (equations 7 and 9 of the paper).

    The final table has ``dim · (layers + 1)`` columns. As in the authors' code, rows of each layer but the base are
    scaled to length 1, and entries of a layer's output are dropped in training (the paper's message dropout).
    """

    product_kind = "symmetric"

    def __init__(self, graph: Graph, config: TrainingConfig, generator: torch.Generator) -> None:
        super().__init__(graph, config, generator)
        self.product = symmetric(graph.adjacency(), generator.device)
        self.sums = nn.ModuleList(nn.Linear(config.dim, config.dim) for _ in range(config.layers))
        self.products = nn.ModuleList(nn.Linear(config.dim, config.dim) for _ in range(config.layers))
        self.initialise()

    def use(self, product: SparseProduct) -> None:
        """See `Model.use`."""
        self.product = product

    def final(self) -> Tensor:
        """See `Model.final`."""
        x: Tensor = self.base
        layers = [x]
        for linear, bilinear in zip(self.sums, self.products, strict=True):
            near = self.product(x)
            x = self.drop(F.leaky_relu(linear(near + x) + bilinear(near * x), SLOPE))
            layers.append(F.normalize(x))
        return self.objective.scored(torch.cat(layers, 1))
