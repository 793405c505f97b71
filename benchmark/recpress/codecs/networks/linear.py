"""Parts of a `graph` artefact beside its base tables: the edges, and the network that makes final tables.

Final tables are made once, when the artefact is loaded (the *refresh* scenario). After that they answer like any dense
table: on disk there are base tables, edges and weights, in memory the final tables too.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import Counter
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, TypeVar

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from recpress.backbones.propagate import Propagation
from recpress.codecs.base import ALL, Codec, Rows, Scorer, nbytes, part, prefixed
from recpress.codecs.composite.sparse import Sparse, unsigned, widened
from recpress.codecs.registry import restore
from recpress.codecs.tables.dense import DenseScorer
from recpress.codecs.work import Work
from recpress.data.graph import Adjacency, Graph
from recpress.data.interactions import UserItems

Precision = Literal["fp32", "bf16"]


@dataclass(frozen=True)
class Propagated(Codec):
    """A stored base table, and the final table that a network has made of it: the first is charged, the second served.

    Attributes
    ----------
    base : Codec of shape (n, d)
    final : float32 Tensor of shape (n, d')
    """

    kind = "propagated"
    base: Codec
    final: Tensor

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns of the final table."""
        return (self.final.shape[0], self.final.shape[1])

    def decode(self, rows: Rows = ALL) -> Tensor:
        """Return rows of the final table."""
        return self.final[rows]

    def tensors(self) -> dict[str, Tensor]:
        """Return those of the base table."""
        return self.base.tensors()

    def options(self) -> dict[str, Any]:
        """Return those of the base table."""
        return self.base.options()

    def spec(self) -> dict[str, Any]:
        """Return that of the base table: what is on disk."""
        return self.base.spec()

    def breakdown(self) -> Counter[str]:
        """Return that of the base table."""
        return self.base.breakdown()

    @classmethod
    def restore(cls, options: dict[str, Any], tensors: dict[str, Tensor]) -> Propagated:
        """Raise ValueError: a final table comes of two base tables and a network (`Artefact.propagated`)."""
        raise ValueError("a propagated table is not stored; its base table is")

    def nominal(self) -> int:
        """Count the parameters of the base table."""
        return self.base.nominal()

    def nonzero(self) -> int:
        """Count those of the base table that aren't zero."""
        return self.base.nonzero()

    def work(self, queries: int) -> Work:
        """See `Codec.work`: that of the final table, which is dense."""
        return Work({"fp32": queries * self.final.numel()}, nbytes(self.final))

    def scorer(self) -> Scorer:
        """Return the kernel of the final table."""
        return DenseScorer(self.final)


@dataclass(frozen=True)
class Network(ABC):
    """The edges, and a function of them and of base tables.

    Attributes
    ----------
    edges : Sparse of shape (n_users, n_items)
        Places alone (see `recpress.compression.histories.encode_histories`).
    bipartite : bool
        False: users and items are the same nodes, whose base table is the items'.
    """

    kind: ClassVar[str]
    edges: Sparse
    bipartite: bool

    @abstractmethod
    def final(self, base: Tensor) -> Tensor:
        """Return the final table of all nodes of their base table, without tracking gradients."""

    @abstractmethod
    def options(self) -> dict[str, Any]:
        """Return what `restore` needs besides tensors, edges and kind, as JSON."""

    @abstractmethod
    def stored(self) -> dict[str, Tensor]:
        """Return the stored tensors but those of the edges."""

    @abstractmethod
    def own_breakdown(self) -> Counter[str]:
        """Return the bytes of `stored` by kind."""

    @classmethod
    @abstractmethod
    def restore(cls, edges: Sparse, options: dict[str, Any], tensors: dict[str, Tensor]) -> Network:
        """Make the network from its parts; raises KeyError or ValueError where they don't fit together."""

    def nominal(self) -> int:
        """Count the weights of layers."""
        return 0

    def nonzero(self) -> int:
        """Count the weights of layers that aren't zero."""
        return 0

    def graph(self) -> Graph:
        """Return the stored edges as a graph."""
        pointers, columns, _ = self.edges.compressed_rows
        return Graph(UserItems(pointers.long().numpy(), columns.numpy(), self.edges.columns), self.bipartite)

    def tables(self, users: Codec, items: Codec) -> tuple[Propagated, Propagated]:
        """Make the final tables of users and items.

        Raises
        ------
        ValueError
            When the tables aren't of the nodes of the graph.
        """
        if (users.shape[0], items.shape[0]) != self.edges.shape:
            raise ValueError(
                f"edges between {self.edges.shape[0]} users and {self.edges.shape[1]} items don't go with tables of "
                f"{users.shape[0]} and {items.shape[0]} rows"
            )
        if not self.bipartite:
            final = self.final(items.decode())
            return Propagated(users, final), Propagated(items, final)
        final = self.final(torch.cat([users.decode(), items.decode()]))
        # Copies: a part of a larger table would keep all of it in memory.
        first, second = (each.clone() for each in torch.split(final, list(self.edges.shape)))
        return Propagated(users, first), Propagated(items, second)

    def tensors(self) -> dict[str, Tensor]:
        """Return every stored tensor by name."""
        return prefixed("edges", self.edges.tensors()) | self.stored()

    def spec(self) -> dict[str, Any]:
        """Return how a manifest describes the network."""
        shared = {"kind": self.kind, "bipartite": self.bipartite, "edges": self.edges.spec()}
        return shared | self.options()

    def breakdown(self) -> Counter[str]:
        """Return the stored bytes by kind; those of the edges are ``graph``."""
        return self.own_breakdown() + Counter(graph=self.edges.breakdown().total())


NETWORKS: dict[str, type[Network]] = {}
N = TypeVar("N", bound=Network)


def register_network(network: type[N]) -> type[N]:
    """Class decorator: make a network known by its ``kind``.

    Raises
    ------
    ValueError
        When another class has that kind.
    """
    if NETWORKS.setdefault(network.kind, network) is not network:
        raise ValueError(f"{network.kind!r} is the kind of {NETWORKS[network.kind].__name__} already")
    return network


@register_network
@dataclass(frozen=True)
class LinearNetwork(Network):
    """``E = Σ_l c_l Ã^l E⁰``, with rows of length 1 where the backbone scores cosines.

    Attributes
    ----------
    coefficients : float32 Tensor of shape (L + 1,)
    degrees : uint8, uint16 or uint32 Tensor of shape (n_nodes,), or None
        What edges are normalised by, where it isn't the number of stored edges of each end: those of a graph that
        these edges are a part of.
    cosine : bool
    precision : {"fp32", "bf16"}
        Of the rows that a step reads, as in the training config.
    """

    kind = "linear"
    coefficients: Tensor
    degrees: Tensor | None
    cosine: bool
    precision: Precision = "fp32"

    def adjacency(self) -> Adjacency:
        """Return the edges with their weights, ``1 / sqrt(d_i d_j)``."""
        made = self.graph().adjacency()
        if self.degrees is None:
            return made
        degrees = widened(self.degrees, np.int64).numpy()
        rows = np.repeat(degrees, np.diff(made.indptr))
        weights = 1.0 / np.sqrt(rows * degrees[made.indices])
        return Adjacency(made.indptr, made.indices, weights.astype(np.float32))

    def powers(self, base: Tensor) -> list[Tensor]:
        """Return ``Ã^l E⁰`` for l from 0 to L."""
        found = [base]
        if len(self.coefficients) > 1:
            propagation = Propagation(self.adjacency(), len(self.coefficients) - 1, precision=self.precision)
            for _ in self.coefficients[1:]:
                found.append(propagation.step(found[-1]))
        return found

    def final(self, base: Tensor) -> Tensor:
        """See `Network.final`."""
        total = torch.zeros_like(base)
        for coefficient, power in zip(self.coefficients.tolist(), self.powers(base), strict=True):
            total.add_(power, alpha=coefficient)
        return F.normalize(total) if self.cosine else total

    def options(self) -> dict[str, Any]:
        """See `Network.options`."""
        return {"cosine": self.cosine, "precision": self.precision}

    def stored(self) -> dict[str, Tensor]:
        """See `Network.stored`."""
        found = {"coefficients": self.coefficients}
        return found if self.degrees is None else found | {"degrees": self.degrees}

    def own_breakdown(self) -> Counter[str]:
        """See `Network.own_breakdown`: degrees are part of the graph."""
        degrees = 0 if self.degrees is None else nbytes(self.degrees)
        return Counter(weights=nbytes(self.coefficients), graph=degrees)

    @classmethod
    def restore(cls, edges: Sparse, options: dict[str, Any], tensors: dict[str, Tensor]) -> LinearNetwork:
        """See `Network.restore`."""
        coefficients, degrees = tensors["coefficients"], tensors.get("degrees")
        if coefficients.dtype != torch.float32 or coefficients.dim() != 1 or not torch.isfinite(coefficients).all():
            raise ValueError("coefficients are finite float32 numbers")
        bipartite, precision = bool(options["bipartite"]), options["precision"]
        if precision not in ("fp32", "bf16"):
            raise ValueError(f"a step reads fp32 or bf16, not {precision!r}")
        made = cls(edges, bipartite, coefficients, degrees, bool(options["cosine"]), precision)
        if degrees is not None:
            indptr = made.graph().adjacency().indptr
            if (
                tuple(degrees.shape) != (len(indptr) - 1,)
                or (widened(degrees, np.int64).numpy() < np.diff(indptr)).any()
            ):
                raise ValueError("a node has more edges than its degree says")
        return made


def narrow_degrees(graph: Graph) -> Tensor:
    """Return the degrees of all nodes in the narrowest type that holds them."""
    degrees = np.diff(graph.adjacency().indptr)
    return torch.from_numpy(degrees.astype(unsigned(int(degrees.max(initial=0)))))


def restore_network(spec: dict[str, Any], tensors: dict[str, Tensor]) -> Network:
    """Make the network of a `graph` artefact from its spec and stored tensors.

    Raises
    ------
    KeyError, ValueError
        As `recpress.codecs.restore` does.
    """
    own = {name: each for name, each in tensors.items() if not name.startswith("edges.")}
    edges = restore(spec["edges"], part("edges", tensors))
    if not isinstance(edges, Sparse):
        raise ValueError(f"edges are places of a sparse table, not {spec['edges']['kind']}")
    return NETWORKS[spec["kind"]].restore(edges, spec, own)
