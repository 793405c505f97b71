"""Matrix factorization: one vector per user and item, no graph."""

from __future__ import annotations

from recpress.backbones.base import Backbone, Watch, fit_embeddings
from recpress.backbones.recipe import Recipe
from recpress.data.graph import Graph


def fit(graph: Graph, recipe: Recipe, seed: int, watch: Watch | None = None) -> Backbone:
    """Train matrix factorization with the recipe's loss (BPR: Rendle et al. 2009).

    Raises
    ------
    ValueError
        When the recipe asks for propagation layers.
    """
    if recipe.layers:
        raise ValueError("mf has no propagation: set layers to 0 in its recipe, or use lightgcn")
    return fit_embeddings("mf", graph, recipe, seed, watch)
