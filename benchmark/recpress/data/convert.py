"""The graph in other libraries' forms, sharing memory where their formats allow it."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import sparse

from recpress.data.graph import Adjacency, Graph
from recpress.data.relations import Relation

if TYPE_CHECKING:
    from torch_geometric.data import HeteroData


def adjacency_to_scipy(adjacency: Adjacency) -> Any:
    """Return the normalised adjacency as a `scipy.sparse.csr_array`; all three arrays are shared."""
    shape = (adjacency.n_nodes, adjacency.n_nodes)
    return sparse.csr_array((adjacency.weights, adjacency.indices, adjacency.indptr), shape=shape, copy=False)


def to_scipy(graph: Graph) -> Any:
    """Return the interactions as a `scipy.sparse.csr_array` of float32 ones, users × items.

    The item ids are shared. The row pointers are copied to int32, because scipy wants both in one type.
    """
    rows = graph.user_items
    ones = np.ones(rows.nnz, np.float32)
    indptr = rows.indptr.astype(np.int32)
    return sparse.csr_array((ones, rows.items, indptr), shape=(rows.n_users, rows.n_items), copy=False)


def to_pyg(graph: Graph, relations: Sequence[Relation] = ()) -> HeteroData:
    """Return a PyG `HeteroData` with users, items and any further typed edges.

    Interactions are both an ``edge_index`` (int64, made here: PyG has no narrower form) and, on the edge type
    ("user", "rates", "item"), an ``adj`` in torch's CSR layout that shares the item ids with the graph. The reverse
    edges are there under "rev_rates". Item-item graphs have the one node type "item".

    Parameters
    ----------
    relations : sequence of Relation
        As `recpress.data.relations.relations` returns them.
    """
    import torch
    from torch_geometric.data import HeteroData

    rows = graph.user_items
    user = "user" if graph.bipartite else "item"
    data = HeteroData()
    data[user].num_nodes = rows.n_users
    data["item"].num_nodes = rows.n_items
    edges = np.empty((2, rows.nnz), np.int64)
    edges[0], edges[1] = rows.users, rows.items
    edge_index = torch.from_numpy(edges)
    data[user, "rates", "item"].edge_index = edge_index
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Sparse CSR tensor support is in beta")
        data[user, "rates", "item"].adj = torch.sparse_csr_tensor(
            torch.from_numpy(rows.indptr.astype(np.int32)),
            torch.from_numpy(rows.items),
            torch.ones(rows.nnz),
            size=(rows.n_users, rows.n_items),
            check_invariants=False,  # UserItems holds them
        )
    data["item", "rev_rates", user].edge_index = edge_index.flip(0)
    for relation in relations:
        if relation.labels is not None:
            data[relation.target_type].num_nodes = len(relation.labels)
        edge_type = (relation.source_type, relation.name, relation.target_type)
        data[edge_type].edge_index = torch.from_numpy(relation.edges)
    return data


def to_dgl(graph: Graph, relations: Sequence[Relation] = ()) -> Any:
    """Return a DGL heterograph with the same types as `to_pyg`. Needs the extra ``dgl``.

    The CSR of user → item is handed over as it is, so DGL shares the item ids.
    """
    import os

    os.environ.setdefault("DGLBACKEND", "pytorch")  # without it DGL writes a configuration into the home folder
    import dgl
    import torch

    def csr(rows: Any) -> tuple[str, tuple[Any, ...]]:
        pointers = torch.from_numpy(rows.indptr.astype(np.int32))
        return "csr", (pointers, torch.from_numpy(rows.items), torch.empty(0, dtype=torch.int32))

    user = "user" if graph.bipartite else "item"
    edges: dict[tuple[str, str, str], Any] = {
        (user, "rates", "item"): csr(graph.user_items),
        ("item", "rev_rates", user): csr(graph.item_users()),
    }
    nodes = {user: graph.n_users, "item": graph.n_items}
    for relation in relations:
        source, target = (torch.from_numpy(ends.astype(np.int32)) for ends in relation.edges)
        edges[relation.source_type, relation.name, relation.target_type] = (source, target)
        if relation.labels is not None:
            nodes[relation.target_type] = len(relation.labels)
    return dgl.heterograph(edges, num_nodes_dict=nodes, idtype=torch.int32)
