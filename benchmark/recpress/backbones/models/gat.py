"""Graph attention (Velickovic et al. 2018) over the user-item graph."""

from __future__ import annotations

from functools import partial

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from recpress.backbones.config import TrainingConfig
from recpress.backbones.edges import Edges
from recpress.backbones.model import Layered
from recpress.backbones.pruning.wiring import Part, State, Weights, Wiring
from recpress.backbones.training.footprint import Footprint
from recpress.core.errors import UserError
from recpress.data.graph import Graph

SLOPE = 0.2  # of the leaky ReLU in the attention, as in the paper
# Loops, ends and reverse places of edges (int64), and what a head's softmax keeps for the gradient.
BYTES_PER_ATTENDED = 2 * (3 * 8)
BYTES_PER_HEAD = 2 * (12 * 4)


class Attention(nn.Module):
    """One layer: what PyG's `GATConv` with concatenated heads computes, with memory for edges and not for messages.

    ``h'_i = b + Σ_{j ∈ N(i) ∪ i} α_ij W h_j`` with ``α_i = softmax_j LeakyReLU(a · W h_i + a' · W h_j)`` in each head
    (equations 1 to 5 of the paper).
    """

    def __init__(self, dim: int, heads: int) -> None:
        super().__init__()
        self.linear = nn.Linear(dim, dim, bias=False)
        self.reader = nn.Parameter(torch.empty(heads, dim // heads))
        self.read = nn.Parameter(torch.empty(heads, dim // heads))
        self.bias = nn.Parameter(torch.empty(dim))

    def forward(self, x: Tensor, edges: Edges) -> Tensor:
        """Return the layer's output, shape (n, dim)."""
        heads = self.linear(x).tensor_split(len(self.read), dim=1)
        outputs = []
        for head, reader, read in zip(heads, self.reader, self.read, strict=True):
            head = head.contiguous()
            # index_select: its gradient is a sum in a fixed order.
            by_reader = (head @ reader).index_select(0, edges.rows)
            by_read = (head @ read).index_select(0, edges.columns)
            outputs.append(edges.gather(edges.softmax(F.leaky_relu(by_reader + by_read, SLOPE)), head))
        return torch.cat(outputs, 1) + self.bias


class GAT(Layered):
    """Attention layers with ELU between them; the final table is the mean of the base table and all layers.

    The mean, LightGCN's combination, is ours: the paper classifies nodes that have features, and reads the last layer.
    """

    @classmethod
    def footprint(cls, config: TrainingConfig) -> Footprint:
        """See `Model.footprint`."""
        attention = BYTES_PER_ATTENDED + BYTES_PER_HEAD * config.heads * config.layers
        return Footprint(tables_per_layer=3, bytes_per_interaction=attention)

    def __init__(self, graph: Graph, config: TrainingConfig, generator: torch.Generator) -> None:
        if config.dim % config.heads:
            raise UserError("gat needs a dim in its config that its heads divide.")
        super().__init__(graph, config, generator)
        self.edges = Edges(graph.adjacency(), generator.device, loops=True)
        self.layers = nn.ModuleList(Attention(config.dim, config.heads) for _ in range(config.layers))
        self.initialise()

    def wiring(self) -> GATWiring:
        """See `Model.wiring`."""
        return GATWiring(self)

    def final(self) -> Tensor:
        """See `Model.final`."""
        x: Tensor = self.base
        total = x
        for number, layer in enumerate(self.layers, 1):
            x = layer(x, self.edges)
            total = total + x
            if number < self.config.layers:
                x = self.drop(F.elu(x))
        return self.objective.scored(total / (self.config.layers + 1))


class GATWiring(Wiring):
    """With the attention held, each head's outputs are linear in the neighbours that it attends to."""

    shared = True

    def __init__(self, net: GAT) -> None:
        super().__init__(net.objective)
        self.edges = net.edges
        self.heads = net.config.heads

    def parts(self, layer: int, x: Tensor, weights: Weights) -> tuple[Part, ...]:
        """See `Wiring.parts`."""
        found: list[Part] = []
        for by_reader, by_read in zip(*self._logits(layer, x, weights), strict=True):
            logits = by_reader[self.edges.rows] + by_read[self.edges.columns.long()]
            attention = self.edges.softmax(F.leaky_relu(logits, SLOPE))
            found.append((partial(self._attended, attention),))
        return tuple(found)

    def _attended(self, attention: Tensor, x: Tensor) -> Tensor:
        return self.edges.gather(attention, x.contiguous())

    def _logits(self, layer: int, x: Tensor, weights: Weights) -> tuple[list[Tensor], list[Tensor]]:
        reader, read = (weights[f"layers.{layer}.{name}"] for name in ("reader", "read"))
        heads = (x @ weights[f"layers.{layer}.linear.weight"].T).tensor_split(len(reader), dim=1)
        return [h @ a for h, a in zip(heads, reader, strict=True)], [h @ a for h, a in zip(heads, read, strict=True)]

    def activated(self, layer: int, x: Tensor) -> Tensor:
        """See `Wiring.activated`."""
        return F.elu(x) if layer + 1 < self.layers else x

    def served(self, tables: list[Tensor], place: int) -> Tensor | None:
        """See `Wiring.served`: the base table and all outputs before their nonlinearity."""
        return self.scored(torch.stack(tables).mean(0))

    def settled(self, layer: int, x: Tensor, weights: Weights, state: State, whole: Weights) -> Weights:
        """See `Wiring.settled`: the vectors that attention is made of, fitted to what the whole network attends to."""
        heads = (x @ weights[f"layers.{layer}.linear.weight"].T).double()
        chunks = heads.tensor_split(len(whole[f"layers.{layer}.reader"]), dim=1)
        found = {}
        for name, logits in zip(("reader", "read"), self._logits(layer, state.read, whole), strict=True):
            fitted = [
                torch.linalg.lstsq(chunk, wanted.double()[:, None], driver="gelsd").solution[:, 0]
                for chunk, wanted in zip(chunks, logits, strict=True)
            ]
            found[f"layers.{layer}.{name}"] = torch.stack(fitted).float()
        return found
