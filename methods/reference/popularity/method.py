"""The floor: the same list for everybody."""

from __future__ import annotations

import torch

from recpress.api import Artefact, Constant, Dense, Method, Params, Shape, Task, largest
from recpress.backbones.references import matrix, popularity


class PopularityParams(Params):
    """Nothing to set."""


class Popularity(Method[PopularityParams]):
    """Score every item by how many users have it; the backbone's tables are not used."""

    Params = PopularityParams

    def params_for(self, budget: int, shape: Shape) -> PopularityParams:
        """See `Method.params_for`: four bytes per item, and one number for all users."""
        return largest([PopularityParams()], lambda _: 4 * (shape.n_items + 1), budget)

    def compress(self, task: Task[PopularityParams]) -> Artefact:
        """See `Method.compress`."""
        counts = torch.from_numpy(popularity(matrix(task.graph.user_items)))
        return Artefact(Constant.encode(torch.ones(task.graph.n_users, 1)), Dense.encode(counts[:, None]))
