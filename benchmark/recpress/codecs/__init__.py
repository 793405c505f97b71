"""Codecs: bytes to tensors and back, with the kernels that score them. Importing this package registers all of them."""

from __future__ import annotations

from recpress.codecs.base import Codec, Encoder, Scorer
from recpress.codecs.composite.entropy import Entropy
from recpress.codecs.composite.grouped import Grouped
from recpress.codecs.composite.lowrank import LowRank
from recpress.codecs.composite.mixed import Mixed
from recpress.codecs.composite.reranked import Reranked
from recpress.codecs.composite.sparse import Sparse
from recpress.codecs.composite.sum_ import Sum
from recpress.codecs.composite.zstd import Zstd
from recpress.codecs.networks.layered import LayeredNetwork
from recpress.codecs.networks.linear import NETWORKS, LinearNetwork, Network, register_network, restore_network
from recpress.codecs.registry import KINDS, register, restore
from recpress.codecs.search.inverted import Inverted
from recpress.codecs.search.navigable import Navigable
from recpress.codecs.tables.binary import Binary
from recpress.codecs.tables.codebook import Codebook
from recpress.codecs.tables.columns import ColumnUniform
from recpress.codecs.tables.compositional import Compositional
from recpress.codecs.tables.constant import Constant
from recpress.codecs.tables.dense import Dense
from recpress.codecs.tables.function import HashedNetwork
from recpress.codecs.tables.product import Product, Residual
from recpress.codecs.tables.ternary import Ternary
from recpress.codecs.tables.uniform import Uniform

__all__ = [
    "KINDS",
    "NETWORKS",
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
    "LayeredNetwork",
    "LinearNetwork",
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
    "register",
    "register_network",
    "restore",
    "restore_network",
]
