"""All that a contributor imports: the contract of a method, and the parts to build one from."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar, Generic, Literal, TypeVar

import torch
from pydantic import BaseModel, ConfigDict, Field

from recpress.backbones.base import Backbone
from recpress.backbones.training.sampling import Batch, Sampler
from recpress.backbones.training.train import optimise
from recpress.codecs import (
    Codebook,
    Codec,
    Compositional,
    Constant,
    Dense,
    Encoder,
    HashedNetwork,
    LowRank,
    Sparse,
    Sum,
    Uniform,
)
from recpress.codecs.artefact import Artefact
from recpress.codecs.tables.dense import FLOATS, FloatName
from recpress.core.budget import TOLERANCE as TOLERANCE
from recpress.data.graph import Graph
from recpress.data.interactions import UserItems

__all__ = [
    "Artefact",
    "Backbone",
    "Batch",
    "BudgetUnreachable",
    "Codebook",
    "Codec",
    "Compositional",
    "Constant",
    "Dense",
    "Encoder",
    "Field",
    "Graph",
    "HashedNetwork",
    "LowRank",
    "Method",
    "Params",
    "Sampler",
    "Shape",
    "Sparse",
    "StudentParams",
    "Sum",
    "Task",
    "ThinParams",
    "TrainingParams",
    "Uniform",
    "UserItems",
    "fits",
    "largest",
    "optimise",
    "widest",
]

# Header and manifest take under a kilobyte.
METADATA_BYTES = 768


class BudgetUnreachable(ValueError):
    """A method can't meet a byte budget. The message says what its smallest artefact would need."""


class Params(BaseModel):
    """Base of a method's parameters. Give every field a default, a range and a description."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class TrainingParams(Params):
    """Base of the parameters of a method that retrains: how long, and how fast beside the backbone's own config."""

    epochs: int = Field(10, ge=1, description="Passes over the interactions.")
    rate: float = Field(
        0.1, gt=0, description="Adam's learning rate as a share of the training config's; it decays to 0 by a cosine."
    )


class ThinParams(Params):
    """Base of the parameters of a method that trains dense tables with fewer columns, from scratch."""

    dim: int = Field(16, ge=1, description="Columns of the final tables.")
    epochs: int | None = Field(None, ge=1, description="Passes over the interactions; by default the config's.")
    values: FloatName = Field("fp16", description="How the tables are stored.")


class StudentParams(ThinParams):
    """Base of the parameters of a method whose thin tables learn from the frozen ones."""

    start: Literal["svd", "random"] = Field(
        "svd", description="svd: the frozen tables on their leading directions. random: as the training config starts."
    )
    epochs: int | None = Field(10, ge=1, description="Passes over the interactions; None: the config's.")
    rate: float = Field(0.1, gt=0, description="Adam's learning rate as a share of the config's; 1 for a random start.")


P = TypeVar("P", bound=Params)


@dataclass(frozen=True)
class Shape:
    """Sizes of the tables that are to be compressed.

    Attributes
    ----------
    n_users, n_items, dim : int
    interactions : int
        Of the training graph: what methods that store histories or edges need to know.
    base_dim : int, optional
        Columns of the tables before propagation; by default as many as after it.
    weights : int
        Values in the backbone's layer weights.
    """

    n_users: int
    n_items: int
    dim: int
    interactions: int = 0
    base_dim: int | None = None
    weights: int = 0

    @classmethod
    def of(cls, graph: Graph, backbone: Backbone) -> Shape:
        """Return the sizes of a backbone on its training graph."""
        weights = sum(weight.numel() for weight in backbone.weights.values())
        columns, base = backbone.users.shape[1], backbone.base_users.shape[1]
        return cls(graph.n_users, graph.n_items, columns, graph.user_items.nnz, base, weights)

    @property
    def base_columns(self) -> int:
        """Columns of the tables before propagation."""
        return self.base_dim or self.dim

    @property
    def entities(self) -> int:
        """Users and items together."""
        return self.n_users + self.n_items

    @property
    def dense_bytes(self) -> int:
        """Bytes of the tables in fp32: the reference of every budget."""
        return 4 * self.entities * self.dim


@dataclass(frozen=True)
class Task(Generic[P]):
    """What a method gets. There is no valid and no test data in it, nor in its process.

    Attributes
    ----------
    graph : Graph
        The interactions that the backbone was trained on.
    backbone : Backbone
        Frozen; a method must not write to its tensors.
    params : Params
    seed : int
    generator : torch.Generator
        Seeded; all randomness comes from it.
    progress : callable
        Takes the finished share of the work, in [0, 1].
    """

    graph: Graph
    backbone: Backbone
    params: P
    seed: int
    generator: torch.Generator
    progress: Callable[[float], None]


class Method(ABC, Generic[P]):
    """A compression method: one class in ``methods/<family>/<name>/method.py``."""

    Params: ClassVar[type[Params]]

    @abstractmethod
    def params_for(self, budget: int, shape: Shape) -> P:
        """Choose the parameters whose artefact is the best that `fits` the budget.

        Parameters
        ----------
        budget : int
            Bytes.
        shape : Shape

        Raises
        ------
        BudgetUnreachable
        """

    @abstractmethod
    def compress(self, task: Task[P]) -> Artefact:
        """Turn the frozen backbone into an artefact."""


def fits(tensor_bytes: float, budget: int) -> bool:
    """Return whether tensors of this many bytes, with header and manifest, meet a budget (bytes)."""
    return tensor_bytes + METADATA_BYTES <= budget * TOLERANCE


T = TypeVar("T")


def largest(candidates: list[T], tensor_bytes: Callable[[T], float], budget: int) -> T:
    """Return the first candidate whose tensors fit the budget; list the best first.

    Raises
    ------
    BudgetUnreachable
        When none fits.
    """
    for candidate in candidates:
        if fits(tensor_bytes(candidate), budget):
            return candidate
    least = min(tensor_bytes(candidate) for candidate in candidates)
    raise BudgetUnreachable(
        f"the smallest artefact takes {least + METADATA_BYTES:,.0f} bytes and the budget is {budget:,}"
    )


Thin = TypeVar("Thin", bound=ThinParams)


def widest(params: type[Thin], budget: int, shape: Shape) -> Thin:
    """Return the parameters with the most columns whose dense tables fit the budget.

    Raises
    ------
    BudgetUnreachable
        When a single column doesn't fit.
    """
    candidates = [params(dim=dim) for dim in range(shape.dim, 0, -1)]
    return largest(candidates, lambda each: shape.entities * each.dim * FLOATS[each.values].itemsize, budget)


def make_generator(seed: int) -> torch.Generator:
    """Return the generator of a task."""
    return torch.Generator().manual_seed(seed)


def method_class(module: Any) -> type[Method[Any]]:
    """Return the method that a module defines.

    Raises
    ------
    TypeError
        When it defines none or several, or leaves one abstract.
    """
    found = [
        value
        for value in vars(module).values()
        if isinstance(value, type) and issubclass(value, Method) and value.__module__ == module.__name__
    ]
    if len(found) != 1:
        raise TypeError(f"{module.__name__} must define one Method, not {len(found)}")
    missing = sorted(found[0].__abstractmethods__) + ([] if hasattr(found[0], "Params") else ["Params"])
    if missing:
        raise TypeError(f"{module.__name__}.{found[0].__name__} lacks {', '.join(missing)}")
    return found[0]
