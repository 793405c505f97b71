"""NGCF (Wang et al. 2019): propagation with weights, a nonlinearity, and products of neighbours."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from recpress.backbones.config import TrainingConfig
from recpress.backbones.model import Layered
from recpress.backbones.propagate import SparseProduct, symmetric
from recpress.backbones.pruning.wiring import Part, Weights, Wiring
from recpress.backbones.training.footprint import Footprint
from recpress.data.graph import Graph

SLOPE = 0.2  # of the leaky ReLU, as in the authors' code


class NGCF(Layered):
    """``E' = LeakyReLU((Ã + I) E W₁ + (Ã E ⊙ E) W₂)``, all layers side by side (equations 7 and 9 of the paper).

    The final table has ``dim · (layers + 1)`` columns. As in the authors' code, rows of each layer but the base are
    scaled to length 1, and entries of a layer's output are dropped in training (the paper's message dropout).
    """

    product_kind = "symmetric"

    @classmethod
    def footprint(cls, config: TrainingConfig) -> Footprint:
        """See `Model.footprint`."""
        return Footprint(tables_per_layer=13, columns=config.dim * (config.layers + 1))

    def __init__(self, graph: Graph, config: TrainingConfig, generator: torch.Generator) -> None:
        super().__init__(graph, config, generator)
        self.product = symmetric(graph.adjacency(), generator.device)
        self.sums = nn.ModuleList(nn.Linear(config.dim, config.dim) for _ in range(config.layers))
        self.products = nn.ModuleList(nn.Linear(config.dim, config.dim) for _ in range(config.layers))
        self.initialise()

    def use(self, product: SparseProduct) -> None:
        """See `Model.use`."""
        self.product = product

    def wiring(self) -> NGCFWiring:
        """See `Model.wiring`."""
        return NGCFWiring(self)

    def final(self) -> Tensor:
        """See `Model.final`."""
        x: Tensor = self.base
        layers = [x]
        for linear, bilinear in zip(self.sums, self.products, strict=True):
            near = self.product(x)
            x = self.drop(F.leaky_relu(linear(near + x) + bilinear(near * x), SLOPE))
            layers.append(F.normalize(x))
        return self.objective.scored(torch.cat(layers, 1))


class NGCFWiring(Wiring):
    """Sums and products with the neighbours act channel by channel."""

    def __init__(self, net: NGCF) -> None:
        super().__init__(net.objective)
        self.product = net.product

    def parts(self, layer: int, x: Tensor, weights: Weights) -> tuple[Part, ...]:
        """See `Wiring.parts`; in the order of the weights' names."""
        return ((lambda y: self.product.apply(y) * y, lambda y: self.product.apply(y) + y),)

    def activated(self, layer: int, x: Tensor) -> Tensor:
        """See `Wiring.activated`."""
        return F.leaky_relu(x, SLOPE)

    def served(self, tables: list[Tensor], place: int) -> Tensor | None:
        """See `Wiring.served`."""
        return F.normalize(tables[place]) if place else tables[0]

    def rebased(self, base: Tensor, whole: Tensor, generator: torch.Generator) -> Tensor:
        """Stretch the base table to the whole one's norm: all other blocks of a served row still have length 1."""
        return base * float(whole.norm() / base.norm().clamp(min=1e-30))
