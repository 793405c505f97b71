"""Which backbones there are. Importing this imports no torch."""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from recpress.backbones.recipe import Recipe
from recpress.errors import unknown

if TYPE_CHECKING:
    from recpress.backbones.base import Backbone, Watch
    from recpress.data.graph import Graph


@dataclass(frozen=True)
class BackboneEntry:
    """One backbone: its module in `recpress.backbones` has ``fit(graph, recipe, seed, watch)``."""

    name: str
    title: str
    paper: str

    def fit(self, graph: Graph, recipe: Recipe, seed: int, watch: Watch | None = None) -> Backbone:
        """Train it; see the module's own ``fit``."""
        trained: Backbone = importlib.import_module(f"recpress.backbones.{self.name}").fit(graph, recipe, seed, watch)
        return trained


BACKBONES = {
    entry.name: entry
    for entry in (
        BackboneEntry("lightgcn", "LightGCN", "He et al. 2020, https://arxiv.org/abs/2002.02126"),
        BackboneEntry("mf", "Matrix factorization", "Rendle et al. 2009, https://arxiv.org/abs/1205.2618"),
    )
}


def backbone(name: str) -> BackboneEntry:
    """Return one backbone.

    Raises
    ------
    UserError
        When none has this name; the nearest name is given.
    """
    if name not in BACKBONES:
        raise unknown("backbone", name, BACKBONES, "`recpress list backbones` shows them")
    return BACKBONES[name]
