"""EASE with sparse weights."""

from __future__ import annotations

from recpress.api import Artefact, Field, Method, Params, Shape, Task, largest
from recpress.backbones.references import ease, matrix
from recpress.compression.histories import Values, encode_histories, encode_weights, history_bytes, weight_bytes

# Beyond this the gain is below the noise (valid of ml-100k; docs/reference/references.md).
MOST_NEIGHBOURS = 1000


class EaseParams(Params):
    """The ridge regression and what is kept of it."""

    neighbours: int = Field(100, ge=1, description="Weights kept for each item, by magnitude.")
    l2: float = Field(300.0, gt=0, description="λ, in interactions; more suits weights that are cut.")
    values: Values = Field("int8", description="How the weights are stored.")


class Ease(Method[EaseParams]):
    """Score by EASE's item-item weights (Steck 2019, equation 8); the backbone's tables are not used.

    The inverse of a dense matrix of items × items is made on the way: 16 bytes for each pair of items.
    """

    Params = EaseParams

    def params_for(self, budget: int, shape: Shape) -> EaseParams:
        """See `Method.params_for`: as many weights as fit beside the histories."""
        most = max(1, min(MOST_NEIGHBOURS, shape.n_items - 1))
        histories = history_bytes(shape.n_users, shape.n_items, shape.interactions)
        return largest(
            [EaseParams(neighbours=count) for count in range(most, 0, -1)],
            lambda params: histories + weight_bytes(shape.n_items, params.neighbours, params.values),
            budget,
        )

    def compress(self, task: Task[EaseParams]) -> Artefact:
        """See `Method.compress`."""
        interactions = matrix(task.graph.user_items)
        weights = ease(interactions, task.params.neighbours, task.params.l2)
        return Artefact(encode_histories(interactions), encode_weights(weights, task.params.values))
