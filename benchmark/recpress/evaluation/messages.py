"""Scores of backbones with weights between their layers, taken apart by PyG's explainers: approximations.

What is explained is what the messages from the history do to the user's final vector. The states of the history's items
in each layer are those of the whole graph and stay, and so does the target item's final vector: of a linear backbone
these would be the exact parts of `LinearExplainer`. So an explanation reads a star of the user and their history,
whatever the size of the graph, and one pass over the graph serves all users.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, ClassVar, Literal

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch_geometric import explain as pyg
from torch_geometric.explain.algorithm import ExplainerAlgorithm
from torch_geometric.explain.algorithm.utils import clear_masks, set_masks
from torch_geometric.nn import GATConv, LGConv, SAGEConv

from recpress.backbones.base import Backbone
from recpress.backbones.model import Model
from recpress.backbones.models import gat, ngcf
from recpress.backbones.models.gat import GAT, Attention
from recpress.backbones.models.ngcf import NGCF
from recpress.backbones.models.sage import Sage
from recpress.backbones.propagate import SparseProduct
from recpress.core.errors import UserError
from recpress.data.graph import Graph
from recpress.evaluation.deletion import model_of
from recpress.evaluation.explain import Explanation

STEPS = 32
"""Points of the Gauss-Legendre rule that integrates gradients."""

Algorithm = Literal["integrated-gradients", "gnnexplainer"]


class IntegratedGradients(ExplainerAlgorithm):  # type: ignore[misc]  # PyG ships no types
    """Integrated gradients over edge masks (Sundararajan et al. 2017, https://arxiv.org/abs/1703.01365).

    The path goes from no message to all messages as they are, so the parts add up to what the messages do to the score,
    but for the error of the quadrature. PyG has the method by way of Captum, which would bring matplotlib with it.
    """

    def forward(self, model: nn.Module, x: Tensor, edge_index: Tensor, **_: Any) -> pyg.Explanation:
        """See `ExplainerAlgorithm.forward`."""
        points, weights = np.polynomial.legendre.leggauss(STEPS)
        total = torch.zeros(edge_index.shape[1], dtype=x.dtype)
        for point, weight in zip(points.tolist(), weights.tolist(), strict=True):
            mask = torch.full_like(total, (1 + point) / 2, requires_grad=True)
            set_masks(model, mask, edge_index, apply_sigmoid=False)
            total += weight / 2 * torch.autograd.grad(model(x, edge_index).sum(), mask)[0]
        clear_masks(model)
        return pyg.Explanation(edge_mask=total)

    def supports(self) -> bool:
        """Whether the algorithm supports the request: masks of edges alone."""
        return self.explainer_config.node_mask_type is None and self.explainer_config.edge_mask_type is not None


def _gnnexplainer() -> ExplainerAlgorithm:
    # The prediction is scaled so that 1 is all that the history does to it. The size of the mask costs its mean: with
    # PyG's sum, long histories would be masked away and short ones kept whole.
    return pyg.GNNExplainer(epochs=200, lr=0.05, edge_size=0.5, edge_reduction="mean", edge_ent=0.1)


class _Star(nn.Module, ABC):
    """The score of one item for one user, by messages over the edges from their history.

    Node 0 is the user, the others are the history. Columns are blocks: what layer 1 reads, layer 2, and so on. Of the
    user, only the first is used; the others are what the layers make of it.
    """

    kind: ClassVar[type[Model]]

    def __init__(self, net: Model) -> None:
        super().__init__()
        self.dim = net.config.dim
        self.target = torch.zeros(())

    @abstractmethod
    def layered(self, own: Tensor, blocks: list[Tensor], edges: Tensor) -> Tensor:
        """Return what the layers make of a user and their history.

        Parameters
        ----------
        own : Tensor of shape (1, dim)
            What the first layer reads of the user.
        blocks : list of Tensor of shape (h, dim)
            What each layer reads of the history.
        edges : int64 Tensor of shape (2, h)
        """

    def vector(self, x: Tensor, edges: Tensor) -> Tensor:
        """Return the user's final vector, not scaled, of shape (1, columns)."""
        blocks = torch.split(x, self.dim, 1)
        return self.layered(blocks[0][:1], [block[1:] for block in blocks], edges)

    def forward(self, x: Tensor, edges: Tensor) -> Tensor:
        return self.vector(x, edges) @ self.target


class _SageStar(_Star):
    kind = Sage

    def __init__(self, net: Sage) -> None:
        super().__init__(net)
        self.convs = nn.ModuleList()
        for near, own in zip(net.near, net.own, strict=True):
            conv = SAGEConv(self.dim, self.dim)
            conv.lin_l.load_state_dict(near.state_dict())
            conv.lin_r.load_state_dict(own.state_dict())
            self.convs.append(conv)

    def layered(self, own: Tensor, blocks: list[Tensor], edges: Tensor) -> Tensor:
        for number, (conv, block) in enumerate(zip(self.convs, blocks, strict=True), 1):
            own = conv(torch.cat([own, block]), edges)[:1]
            own = F.relu(own) if number < len(blocks) else own
        return own


class _GATStar(_Star):
    kind = GAT

    def __init__(self, net: GAT) -> None:
        super().__init__(net)
        self.convs = nn.ModuleList()
        heads = net.config.heads
        for layer in map(_attention, net.layers):
            conv = GATConv(self.dim, self.dim // heads, heads, negative_slope=gat.SLOPE)
            state = {"lin.weight": layer.linear.weight, "att_dst": layer.reader[None], "att_src": layer.read[None]}
            conv.load_state_dict(state | {"bias": layer.bias})
            self.convs.append(conv)

    def layered(self, own: Tensor, blocks: list[Tensor], edges: Tensor) -> Tensor:
        total = own
        for conv, block in zip(self.convs, blocks, strict=True):
            made = conv(torch.cat([own, block]), edges)[:1]
            total, own = total + made, F.elu(made)
        return total / (len(blocks) + 1)


def _attention(layer: nn.Module) -> Attention:
    assert isinstance(layer, Attention)
    return layer


class _NGCFStar(_Star):
    kind = NGCF

    def __init__(self, net: NGCF) -> None:
        super().__init__(net)
        self.sums, self.products = net.sums, net.products
        self.convs = nn.ModuleList(LGConv(normalize=False) for _ in net.sums)
        self.weights = torch.zeros(0)

    def layered(self, own: Tensor, blocks: list[Tensor], edges: Tensor) -> Tensor:
        layers = [own]
        for conv, linear, bilinear, block in zip(self.convs, self.sums, self.products, blocks, strict=True):
            near = conv(torch.cat([own, block]), edges, self.weights)[:1]
            own = F.leaky_relu(linear(near + own) + bilinear(near * own), ngcf.SLOPE)
            layers.append(F.normalize(own))
        return torch.cat(layers, 1)


STARS: dict[str, Any] = {star.kind.__name__.lower(): star for star in (_SageStar, _GATStar, _NGCFStar)}


class MessageExplainer:
    """Takes scores of `sage`, `gat` and `ngcf` apart by the messages that a user gets from their history.

    Parameters
    ----------
    backbone : Backbone
    graph : Graph
        The bipartite graph that it was trained on.
    algorithm : {"integrated-gradients", "gnnexplainer"}
        The first gives parts that add up to the score, with the rest. The second (Ying et al. 2019,
        https://arxiv.org/abs/1903.03894) learns a mask in [0, 1] that keeps the score with few messages; it can't tell
        what pulls the other way. Where all the history together lowers the score, the masks are given as negative.
    seed : int
        Of GNNExplainer's first mask; the other draws nothing.

    Raises
    ------
    UserError
        When the backbone has no such layers, or its tables don't come from this graph.
    """

    def __init__(
        self, backbone: Backbone, graph: Graph, algorithm: Algorithm = "integrated-gradients", seed: int = 0
    ) -> None:
        if backbone.name not in STARS or not graph.bipartite:
            raise UserError(f"PyG's explainers are there for {', '.join(sorted(STARS))} on user-item data.")
        # torch and PyG start their weights from the global generator before ours are put in.
        with torch.random.fork_rng(devices=[]):
            net = model_of(backbone, graph)
            star: _Star = STARS[backbone.name](net)
        self._blocks = [block.detach().double() for block in _inputs(net)]
        with torch.no_grad():
            users = net.objective.split(net.final())[0]
        if not torch.allclose(users, backbone.users, atol=1e-4):
            raise UserError(f"The final tables of {backbone.name} don't come from this graph: train it on this one.")
        self._star = star.double().eval().requires_grad_(False)
        self._users = backbone.users
        self._weights = graph.adjacency().weights
        self._history, self._cosine = graph.user_items, backbone.config.cosine
        self._algorithm, self._seed = algorithm, seed

    def explain(self, user: int, item: Tensor, score: float | None = None) -> Explanation:
        """Take the score of one user for one item apart; see `LinearExplainer.explain`."""
        start, stop = self._history.indptr[user], self._history.indptr[user + 1]
        items = self._history.items[start:stop]
        nodes = torch.cat([torch.tensor([user]), torch.from_numpy(items).long() + self._history.n_users])
        x = torch.cat([block[nodes] for block in self._blocks], 1)
        count = len(items)
        edges = torch.stack([torch.arange(1, count + 1), torch.zeros(count, dtype=torch.long)])
        if isinstance(self._star, _NGCFStar):
            self._star.weights = torch.from_numpy(self._weights[start:stop]).double()
        vector = self._star.vector(x, edges)
        # The length of a user's vector changes no ranking, so where scores are cosines it is a constant factor here.
        scale = self._users[user].double().norm() / vector.norm().clamp(min=1e-30) if self._cosine else 1.0
        self._star.target = item.double() * scale
        parts = self._parts(x, edges).numpy().astype(np.float64) if count else np.zeros(0)
        whole = float(vector @ item.double() * scale) if score is None else score
        additive = self._algorithm == "integrated-gradients"
        return Explanation(items, parts, whole - float(parts.sum()), self._algorithm, additive)

    def _parts(self, x: Tensor, edges: Tensor) -> Tensor:
        learned = self._algorithm == "gnnexplainer"
        explainer = pyg.Explainer(
            self._star,
            _gnnexplainer() if learned else IntegratedGradients(),
            explanation_type="model",
            edge_mask_type="object",
            model_config={"mode": "regression", "task_level": "graph", "return_type": "raw"},
        )
        if not learned:
            mask: Tensor = explainer(x, edges).edge_mask
            return mask
        nothing = explainer.get_masked_prediction(x, edges, edge_mask=x.new_zeros(edges.shape[1]))
        span: Tensor = self._star(x, edges) - nothing
        self._star.target = self._star.target / torch.where(span.abs() < 1e-12, 1.0, span)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(self._seed)
            kept: Tensor = explainer(x, edges).edge_mask
        return kept.mul(span.sign())


class _Recorded(SparseProduct):
    """A sparse product that keeps what it was given."""

    def __init__(self, product: SparseProduct) -> None:
        self.product = product
        self.given: list[Tensor] = []

    def __call__(self, x: Tensor) -> Tensor:
        self.given.append(x)
        return self.product(x)


def _inputs(net: Model) -> list[Tensor]:
    """Return what each layer reads, each of shape (n_nodes, dim)."""
    with torch.no_grad():
        if isinstance(net, GAT):
            given: list[Tensor] = []
            hooks = [layer.register_forward_pre_hook(lambda _, read: given.append(read[0])) for layer in net.layers]
            net.final()
            for hook in hooks:
                hook.remove()
            return given
        assert isinstance(net, (Sage, NGCF))
        recorded = _Recorded(net.product)
        net.use(recorded)
        net.final()
        net.use(recorded.product)
        return recorded.given
