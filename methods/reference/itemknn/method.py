"""Item-based nearest neighbours."""

from __future__ import annotations

from recpress.api import Artefact, Field, Method, Params, Shape, Task, largest
from recpress.backbones.references import item_knn, matrix
from recpress.compression.histories import Values, encode_histories, encode_weights, history_bytes, weight_bytes

# More neighbours make it worse, even where they fit (valid of ml-100k; benchmark/docs/reference/references.md).
MOST_NEIGHBOURS = 200


class ItemKnnParams(Params):
    """The neighbourhood."""

    neighbours: int = Field(100, ge=1, description="History items kept for each item.")
    shrink: float = Field(10.0, ge=0, description="Users; how far pairs that few users have are trusted less.")
    values: Values = Field("int8", description="How the weights are stored.")


class ItemKnn(Method[ItemKnnParams]):
    """Score by shrunk cosines with the items of the user's history; the backbone's tables are not used."""

    Params = ItemKnnParams

    def params_for(self, budget: int, shape: Shape) -> ItemKnnParams:
        """See `Method.params_for`: as many neighbours as fit beside the histories."""
        most = max(1, min(MOST_NEIGHBOURS, shape.n_items - 1))
        histories = history_bytes(shape.n_users, shape.n_items, shape.interactions)
        return largest(
            [ItemKnnParams(neighbours=count) for count in range(most, 0, -1)],
            lambda params: histories + weight_bytes(shape.n_items, params.neighbours, params.values),
            budget,
        )

    def compress(self, task: Task[ItemKnnParams]) -> Artefact:
        """See `Method.compress`."""
        interactions = matrix(task.graph.user_items)
        weights = item_knn(interactions, task.params.neighbours, task.params.shrink)
        return Artefact(encode_histories(interactions), encode_weights(weights, task.params.values))
