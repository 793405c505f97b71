"""Memory that a training needs; one that would not fit is refused before it starts."""

from __future__ import annotations

import psutil

from recpress.backbones.recipe import Recipe
from recpress.data.graph import Graph
from recpress.errors import UserError

# The graph in both directions (int32 neighbours, fp32 weights) and the sampler's users, items and keys (int64).
BYTES_PER_INTERACTION = 2 * 8 + 3 * 8
# GAT's loops, ends and reverse places of edges (int64), and what its softmax keeps for the gradient in each head.
BYTES_PER_ATTENDED = 2 * (3 * 8)
BYTES_PER_HEAD = 2 * (12 * 4)
# Kernels, threads and what the allocator keeps ahead.
FIXED_BYTES = 2**26
# Tables of the size of the base table that are alive at once (parameters, gradients, Adam's moments, the final table,
# products), and more for each layer; measured at the peak of a step with 90,000 nodes and a million interactions.
TABLES_WITHOUT_LAYERS, TABLES = 5, 8
TABLES_PER_LAYER = {"gat": 3, "ngcf": 13, "sage": 5, "xsimgcl": 2}
# Copies, with their gradients, of each row that a batch looks up, and of the scores of its positives against shared
# negatives; of an item that is drawn for a positive alone, its id and its score.
COPIES_OF_A_ROW, COPIES_OF_A_SCORE, NUMBERS_PER_DRAW = 2.5, 9, 3
# Share of a cosine contrastive loss's draws that are looked up: with margins of 0.9 it is below 0.01.
NEAR = 0.1


def training_bytes(name: str, graph: Graph, recipe: Recipe) -> int:
    """Return about how many bytes training a backbone takes beside the interactions, on a CPU."""
    tables = TABLES + TABLES_PER_LAYER.get(name, 0) * recipe.layers if recipe.layers else TABLES_WITHOUT_LAYERS
    per_interaction = BYTES_PER_INTERACTION
    if name == "gat":
        per_interaction += BYTES_PER_ATTENDED + BYTES_PER_HEAD * recipe.heads * recipe.layers
    batch = 4 * numbers_per_positive(name, recipe) * min(recipe.batch_size, graph.user_items.nnz)
    table = 4 * graph.n_nodes * recipe.dim
    edges = graph.user_items.nnz + (graph.links.ends.shape[1] if graph.links else 0)
    return int(FIXED_BYTES + tables * table + batch + per_interaction * edges)


def numbers_per_positive(name: str, recipe: Recipe) -> float:
    """Return about how many numbers a step holds for each positive of its batch."""
    columns = recipe.dim * (recipe.layers + 1) if name == "ngcf" else recipe.dim
    if recipe.loss == "bpr":
        drawn = recipe.negatives * recipe.candidates if recipe.candidates > 1 else 0
        return COPIES_OF_A_ROW * columns * (2 + recipe.negatives) + NUMBERS_PER_DRAW * drawn
    if recipe.loss == "ccl":
        return COPIES_OF_A_ROW * columns * (2 + NEAR * recipe.negatives) + NUMBERS_PER_DRAW * recipe.negatives
    near = recipe.item_neighbours if name == "ultragcn" and recipe.item_weight else 0
    return COPIES_OF_A_ROW * columns * (2 + near) + COPIES_OF_A_SCORE * recipe.negatives


def require_memory(name: str, graph: Graph, recipe: Recipe, available: int | None = None) -> None:
    """Refuse a training that would not fit into memory.

    Parameters
    ----------
    name : str
        Of the backbone.
    graph : Graph
    recipe : Recipe
    available : int, optional
        Bytes; default: what this machine has free.

    Raises
    ------
    UserError
        It says how much is needed, how much is there, and the largest `dim` that fits, if any does.
    """
    free = psutil.virtual_memory().available if available is None else available
    needed = training_bytes(name, graph, recipe)
    if needed <= free:
        return
    fitting = recipe.dim
    while fitting > 1 and training_bytes(name, graph, recipe.model_copy(update={"dim": fitting})) > free:
        fitting //= 2
    smaller = training_bytes(name, graph, recipe.model_copy(update={"dim": fitting})) <= free
    remedy = f"set dim = {fitting} in its recipe" if smaller else "no dim fits: use a machine with more memory"
    raise UserError(
        f"Training {name} on {graph.n_nodes:,} nodes and {graph.user_items.nnz:,} interactions with dim = {recipe.dim} "
        f"needs about {needed / 1e9:.1f} GB and {free / 1e9:.1f} GB are free: {remedy}."
    )
