"""The catalogue of backbones. Importing it imports no torch."""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from types import ModuleType
from typing import TYPE_CHECKING

from recpress.backbones.recipe import Recipe
from recpress.errors import unknown

if TYPE_CHECKING:
    import torch

    from recpress.backbones.base import Backbone, Session, Watch
    from recpress.backbones.model import Model
    from recpress.data.graph import Graph


@dataclass(frozen=True)
class BackboneEntry:
    """One backbone, in the module of its name in `recpress.backbones`.

    Attributes
    ----------
    name, title, paper : str
    model : str, optional
        Its subclass of `Model`, which the shared loop trains. A backbone in closed form has none, but a function
        ``fit(graph, recipe, seed, watch)``.
    """

    name: str
    title: str
    paper: str
    model: str | None = None

    def fit(
        self, graph: Graph, recipe: Recipe, seed: int, watch: Watch | None = None, session: Session | None = None
    ) -> Backbone:
        """Train it; see `recpress.backbones.base.fit_model`."""
        if self.model is None:
            solved: Backbone = self._module.fit(graph, recipe, seed, watch)
            return solved
        from recpress.backbones.base import fit_model

        return fit_model(self.name, self.build, graph, recipe, seed, watch, session)

    def build(self, graph: Graph, recipe: Recipe, generator: torch.Generator) -> Model:
        """Return the model that `fit` trains, untrained; for backbones that have one."""
        made: Model = getattr(self._module, self.model or "")(graph, recipe, generator)
        return made

    @property
    def _module(self) -> ModuleType:
        return importlib.import_module(f"recpress.backbones.{self.name}")


BACKBONES = {
    entry.name: entry
    for entry in (
        BackboneEntry("gat", "GAT", "Velickovic et al. 2018, https://arxiv.org/abs/1710.10903", "GAT"),
        BackboneEntry("lightgcn", "LightGCN", "He et al. 2020, https://arxiv.org/abs/2002.02126", "LightGCN"),
        BackboneEntry("mf", "Matrix factorization", "Rendle et al. 2009, https://arxiv.org/abs/1205.2618", "MF"),
        BackboneEntry("ngcf", "NGCF", "Wang et al. 2019, https://arxiv.org/abs/1905.08108", "NGCF"),
        BackboneEntry("sage", "GraphSAGE", "Hamilton et al. 2017, https://arxiv.org/abs/1706.02216", "Sage"),
        BackboneEntry("ultragcn", "UltraGCN", "Mao et al. 2021, https://arxiv.org/abs/2110.15114", "UltraGCN"),
        BackboneEntry("xsimgcl", "XSimGCL", "Yu et al. 2023, https://arxiv.org/abs/2209.02544", "XSimGCL"),
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
