"""Codecs: bytes to tensors and back, with the kernels that score them."""

from __future__ import annotations

from typing import Any

from torch import Tensor

from recpress.codecs.base import Codec, Encoder, Scorer
from recpress.codecs.binary import Binary
from recpress.codecs.codebook import Codebook
from recpress.codecs.columns import ColumnUniform
from recpress.codecs.compositional import Compositional
from recpress.codecs.constant import Constant
from recpress.codecs.dense import Dense
from recpress.codecs.entropy import Entropy
from recpress.codecs.function import HashedNetwork
from recpress.codecs.grouped import Grouped
from recpress.codecs.inverted import Inverted
from recpress.codecs.layered import LayeredNetwork
from recpress.codecs.lowrank import LowRank
from recpress.codecs.mixed import Mixed
from recpress.codecs.navigable import Navigable
from recpress.codecs.network import LinearNetwork, Network, restore_parts
from recpress.codecs.product import Product, Residual
from recpress.codecs.reranked import Reranked
from recpress.codecs.sparse import Sparse
from recpress.codecs.ternary import Ternary
from recpress.codecs.total import Sum
from recpress.codecs.uniform import Uniform
from recpress.codecs.zstd import Zstd

__all__ = [
    "KINDS",
    "Binary",
    "Codebook",
    "Codec",
    "ColumnUniform",
    "Compositional",
    "Constant",
    "Dense",
    "Encoder",
    "Entropy",
    "Grouped",
    "HashedNetwork",
    "Inverted",
    "LowRank",
    "Mixed",
    "Navigable",
    "Network",
    "Product",
    "Reranked",
    "Residual",
    "Scorer",
    "Sparse",
    "Sum",
    "Ternary",
    "Uniform",
    "Zstd",
    "restore",
    "restore_network",
]

KINDS: dict[str, type[Codec]] = {
    codec.kind: codec
    for codec in (
        Binary,
        Codebook,
        ColumnUniform,
        Compositional,
        Constant,
        Dense,
        Entropy,
        Grouped,
        HashedNetwork,
        Inverted,
        LowRank,
        Mixed,
        Navigable,
        Product,
        Reranked,
        Residual,
        Sparse,
        Sum,
        Ternary,
        Uniform,
        Zstd,
    )
}

NETWORKS: dict[str, type[Network]] = {network.kind: network for network in (LayeredNetwork, LinearNetwork)}


def restore(spec: dict[str, Any], tensors: dict[str, Tensor]) -> Codec:
    """Make a codec from its spec and stored tensors.

    Raises
    ------
    KeyError, ValueError
        When the kind is unknown, a tensor is missing, or shapes and types don't fit.
    """
    return KINDS[spec["kind"]].restore(spec, tensors)


def restore_network(spec: dict[str, Any], tensors: dict[str, Tensor]) -> Network:
    """Make the network of a `graph` artefact from its spec and stored tensors.

    Raises
    ------
    KeyError, ValueError
        As `restore` does.
    """
    of_edges, own = restore_parts(tensors)
    edges = restore(spec["edges"], of_edges)
    if not isinstance(edges, Sparse):
        raise ValueError(f"edges are places of a sparse table, not {spec['edges']['kind']}")
    return NETWORKS[spec["kind"]].restore(edges, spec, own)
