"""LightGCN (He et al. 2020): embeddings averaged over linear propagation steps."""

from __future__ import annotations

from recpress.backbones.base import Backbone, Watch, fit_embeddings
from recpress.backbones.recipe import Recipe
from recpress.data.graph import Graph


def fit(graph: Graph, recipe: Recipe, seed: int, watch: Watch | None = None) -> Backbone:
    """Train LightGCN: ``E = 1/(L+1) Σ_l Ã^l E⁰`` and scores ``e_u · e_i`` (equations 3, 4 and 7 of the paper).

    Raises
    ------
    ValueError
        When the recipe has no layers: that would be matrix factorization.
    """
    if recipe.layers < 1:
        raise ValueError("lightgcn needs layers of 1 or more in its recipe")
    return fit_embeddings("lightgcn", graph, recipe, seed, watch)
