"""The same sparse products by DGL 1.1.3 (the extra `dgl`): another engine for LightGCN, XSimGCL, NGCF and GraphSAGE."""

from __future__ import annotations

import os
from typing import Any

import numpy as np
import torch
from torch import Tensor

from recpress.backbones.model import Model
from recpress.backbones.propagate import SparseProduct
from recpress.core.errors import UserError
from recpress.data.graph import Adjacency, Graph


class DglProduct(SparseProduct):
    """``x → L A R x`` with diagonal L and R: DGL's unweighted sum of neighbours between two scalings of rows.

    That is DGL's fast path: with a weight on each edge it takes several times as long.

    Parameters
    ----------
    graph : dgl.DGLGraph
        Symmetric.
    left, right : Tensor of shape (n, 1)
    """

    def __init__(self, graph: Any, left: Tensor, right: Tensor) -> None:
        self.graph = graph
        self.left = left
        self.right = right

    def apply(self, x: Tensor, transpose: bool = False) -> Tensor:
        """See `SparseProduct.apply`."""
        import dgl

        first, last = (self.left, self.right) if transpose else (self.right, self.left)
        with torch.no_grad():
            summed: Tensor = dgl.ops.copy_u_sum(self.graph, x * first.to(x.dtype))
            return summed.mul_(last)


def symmetric(adjacency: Adjacency) -> DglProduct:
    """Return the product with ``D^-1/2 A D^-1/2``."""
    scale = _inverse_degrees(adjacency).sqrt()
    return DglProduct(_dgl_graph(adjacency), scale, scale)


def neighbour_mean(adjacency: Adjacency) -> DglProduct:
    """Return the product with ``D^-1 A``."""
    scale = _inverse_degrees(adjacency)
    return DglProduct(_dgl_graph(adjacency), scale, torch.ones_like(scale))


def install(model: Model, graph: Graph) -> None:
    """Let DGL compute the sparse products of a model.

    Raises
    ------
    UserError
        When DGL isn't installed, or the model has no such products.
    """
    if model.product_kind is None:
        raise UserError(
            f"{type(model).__name__} has no sparse products that DGL could compute: leave its engine alone."
        )
    make = neighbour_mean if model.product_kind == "mean" else symmetric
    model.use(make(graph.adjacency()))


def _inverse_degrees(adjacency: Adjacency) -> Tensor:
    degrees = np.diff(adjacency.indptr)
    inverse = np.divide(1.0, degrees, out=np.zeros(len(degrees)), where=degrees > 0)
    return torch.from_numpy(inverse.astype(np.float32))[:, None]


def _dgl_graph(adjacency: Adjacency) -> Any:
    os.environ.setdefault("DGLBACKEND", "pytorch")  # or the import writes a file into the home folder
    try:
        import dgl
    except ImportError as error:
        raise UserError("The DGL engine needs DGL 1.1.3: install recpress[dgl], on Python 3.11.") from error
    csc = (
        "csc",
        (torch.from_numpy(adjacency.indptr), torch.from_numpy(adjacency.indices), torch.empty(0, dtype=torch.int32)),
    )
    return dgl.graph(csc, num_nodes=adjacency.n_nodes).formats("csc")
