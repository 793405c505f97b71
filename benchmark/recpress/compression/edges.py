"""Edges that are stored with an artefact: which of them, how, and what they take."""

from __future__ import annotations

from typing import Literal

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from recpress.backbones.references import matrix
from recpress.codecs.composite.sparse import Sparse
from recpress.compression.histories import encode_histories, history_bytes
from recpress.data.graph import Graph
from recpress.data.interactions import UserItems

Score = Literal["degree", "cosine", "resistance", "random"]
# A network's part of header and manifest, beyond what every artefact has.
NETWORK_BYTES = 768


def encode_edges(interactions: UserItems) -> Sparse:
    """Store who is connected with what, in the smallest layout."""
    return encode_histories(matrix(interactions))


def edge_bytes(n_users: int, n_items: int, count: int) -> int:
    """Return the bytes of so many edges, and of what a network adds to header and manifest."""
    return history_bytes(n_users, n_items, count) + NETWORK_BYTES


def retained_edges(edges: UserItems, mask: Tensor) -> UserItems:
    """Return the edges that a mask of shape (edges,) keeps."""
    kept = mask.numpy()
    indptr = np.concatenate([[0], np.cumsum(kept)])[edges.indptr]
    return UserItems(indptr.astype(np.int64), edges.items[kept], edges.n_items)


def edge_scores(graph: Graph, users: Tensor, items: Tensor, score: Score, generator: torch.Generator) -> Tensor:
    """Return what decides which edges stay, float64 of shape (edges,), the largest first.

    Drawing k edges without replacement with weights w is keeping the k largest ``log(u) / w``, u uniform (Efraimidis
    and Spirakis 2006). Weights ``1/d_u + 1/d_i`` are, but for a factor between 1/2 and one over the spectral gap, the
    effective resistances that Spielman and Srivastava 2011 draw by (Lovász 1993, "Random walks on graphs", section 3).
    """
    edges = graph.user_items
    owners, targets = torch.from_numpy(edges.users).long(), torch.from_numpy(edges.items).long()
    by_user = torch.from_numpy(edges.counts).double()[owners]
    by_item = torch.bincount(targets, minlength=graph.n_items).double()[targets]
    if score == "degree":
        return -(by_user.log() + by_item.log())
    if score == "cosine":
        return (F.normalize(users)[owners] * F.normalize(items)[targets]).sum(1).double()
    drawn = torch.rand(len(owners), generator=generator, dtype=torch.float64).clamp_min(1e-300).log()
    return drawn / (1 / by_user + 1 / by_item) if score == "resistance" else drawn
