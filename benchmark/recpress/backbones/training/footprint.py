"""Memory that a training needs; one that would not fit is refused before it starts."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import psutil

from recpress.backbones.config import TrainingConfig
from recpress.core.errors import UserError
from recpress.data.graph import Graph

# The graph in both directions (int32 neighbours, fp32 weights) and the sampler's users, items and keys (int64).
BYTES_PER_INTERACTION = 2 * 8 + 3 * 8
# Kernels, threads and what the allocator keeps ahead.
FIXED_BYTES = 2**26
# Tables of the size of the base table that are alive at once (parameters, gradients, Adam's moments, the final table,
# products); measured at the peak of a step with 90,000 nodes and a million interactions.
TABLES_WITHOUT_LAYERS, TABLES = 5, 8
# Copies, with their gradients, of each row that a batch looks up, and of the scores of its positives against shared
# negatives; of an item that is drawn for a positive alone, its id and its score.
COPIES_OF_A_ROW, COPIES_OF_A_SCORE, NUMBERS_PER_DRAW = 2.5, 9, 3
# Share of a cosine contrastive loss's draws that are looked up: with margins of 0.9 it is below 0.01.
NEAR = 0.1


@dataclass(frozen=True)
class Footprint:
    """What training one model holds in memory beside what training any model does.

    Attributes
    ----------
    tables_per_layer : int
        Tables of the size of the base table that each layer keeps alive, measured as `TABLES` is.
    bytes_per_interaction : int
    columns : int, optional
        Of the final table; by default as many as the base table has.
    rows_per_positive : int
        Rows that a batch looks up for each of its positives, beside the user, the item and the negatives.
    """

    tables_per_layer: int = 0
    bytes_per_interaction: int = 0
    columns: int | None = None
    rows_per_positive: int = 0


# From a training config to the footprint of a model that is trained by it.
FootprintOf = Callable[[TrainingConfig], Footprint]


def training_bytes(own: FootprintOf, graph: Graph, config: TrainingConfig) -> int:
    """Return about how many bytes training a model takes beside the interactions, on a CPU."""
    needs = own(config)
    tables = TABLES + needs.tables_per_layer * config.layers if config.layers else TABLES_WITHOUT_LAYERS
    per_interaction = BYTES_PER_INTERACTION + needs.bytes_per_interaction
    batch = 4 * numbers_per_positive(needs, config) * min(config.batch_size, graph.user_items.nnz)
    table = 4 * graph.n_nodes * config.dim
    edges = graph.user_items.nnz + (graph.links.ends.shape[1] if graph.links else 0)
    return int(FIXED_BYTES + tables * table + batch + per_interaction * edges)


def numbers_per_positive(needs: Footprint, config: TrainingConfig) -> float:
    """Return about how many numbers a step holds for each positive of its batch."""
    columns = config.dim if needs.columns is None else needs.columns
    rows = 2 + needs.rows_per_positive
    if config.loss == "bpr":
        drawn = config.negatives * config.candidates if config.candidates > 1 else 0
        return COPIES_OF_A_ROW * columns * (rows + config.negatives) + NUMBERS_PER_DRAW * drawn
    if config.loss == "ccl":
        return COPIES_OF_A_ROW * columns * (rows + NEAR * config.negatives) + NUMBERS_PER_DRAW * config.negatives
    return COPIES_OF_A_ROW * columns * rows + COPIES_OF_A_SCORE * config.negatives


def require_memory(
    name: str, own: FootprintOf, graph: Graph, config: TrainingConfig, available: int | None = None
) -> None:
    """Refuse a training that would not fit into memory.

    Parameters
    ----------
    name : str
        Of the backbone.
    own : callable
        What its model holds; see `Footprint`.
    graph : Graph
    config : TrainingConfig
    available : int, optional
        Bytes; default: what this machine has free.

    Raises
    ------
    UserError
        It says how much is needed, how much is there, and the largest `dim` that fits, if any does.
    """
    free = psutil.virtual_memory().available if available is None else available
    needed = training_bytes(own, graph, config)
    if needed <= free:
        return
    fitting = config.dim
    while fitting > 1 and training_bytes(own, graph, config.model_copy(update={"dim": fitting})) > free:
        fitting //= 2
    smaller = training_bytes(own, graph, config.model_copy(update={"dim": fitting})) <= free
    remedy = f"set dim = {fitting} in its training config" if smaller else "no dim fits: use a machine with more memory"
    raise UserError(
        f"Training {name} on {graph.n_nodes:,} nodes and {graph.user_items.nnz:,} interactions with dim = {config.dim} "
        f"needs about {needed / 1e9:.1f} GB and {free / 1e9:.1f} GB are free: {remedy}."
    )
