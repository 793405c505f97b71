"""Deep hash embeddings: a network instead of a table."""

from __future__ import annotations

from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor

from recpress.api import Artefact, Field, HashedNetwork, Method, Params, Shape, Task, largest
from recpress.backbones.training.objective import Embed, Rows
from recpress.backbones.training.retrain import train_lookups
from recpress.codecs.tables.function import Layers, network, parameters
from recpress.codecs.tables.hashed import uniforms

# A step of a network that fills a quarter of ML-1M's tables takes an eighth of a second. Larger batches cost less and
# teach less: on valid of ml-100k the same epochs keep 69 and 67 % with four and eight times the batch, and 80 % so.
STEPS = 2500


class DheParams(Params):
    """The network and the training."""

    hashes: int = Field(128, ge=1, description="Hash functions, each of which gives a number in [-1, 1).")
    width: int = Field(64, ge=1, description="Units of a hidden layer.")
    hidden: int = Field(2, ge=1, le=5, description="Hidden layers.")
    dim: int = Field(32, ge=1, description="Columns.")
    epochs: int | None = Field(
        None,
        ge=1,
        description=f"Passes over the interactions; by default the config's, or fewer of no more than {STEPS:,} steps.",
    )


def widths_of(params: DheParams) -> tuple[int, ...]:
    """Return the inputs of the network and the outputs of each layer."""
    return (params.hashes, *[params.width] * params.hidden, params.dim)


def epochs_of(task: Task[DheParams]) -> int:
    """Return the epochs of the backbone's training config, or as many as `STEPS` are, but one at least."""
    config = task.backbone.config
    steps = -(-len(task.graph.user_items.items) // config.batch_size)
    return min(config.epochs, max(1, STEPS // steps))


class Dhe(Method[DheParams]):
    """Train one network for users and one for items (Kang et al. 2021, section 4, without batch normalisation).

    The number of bytes doesn't depend on the number of ids, and the number of operations does: making a row costs as
    many products as the network has weights. Ids that hash alike don't exist, but neither do rows of their own.
    """

    Params = DheParams

    def params_for(self, budget: int, shape: Shape) -> DheParams:
        """See `Method.params_for`: the widest network that fits."""
        dim = max(1, shape.dim // 2)
        candidates = [
            DheParams(width=width, hashes=hashes, dim=dim)
            for hashes, widths in ((128, range(1024, 15, -4)), (32, range(32, 3, -1)), (8, range(16, 0, -1)))
            for width in widths
        ]
        return largest(candidates, lambda each: 4 * parameters(widths_of(each)), budget)

    def compress(self, task: Task[DheParams]) -> Artefact:
        """See `Method.compress`."""
        params = task.params

        def layers() -> Layers:
            made = []
            for into, out in pairwise(widths_of(params)):
                weight = torch.empty(out, into).normal_(std=(2 / into) ** 0.5, generator=task.generator)
                made.append((weight.requires_grad_(), torch.zeros(out, requires_grad=True)))
            return made

        def rows(layers: Layers, n: int) -> Rows:
            # Hashed once: for a million ids and 64 functions that is what a table of 64 columns takes.
            features = uniforms(torch.arange(n), params.hashes)
            last: list[Tensor] = []

            def of(ids: Tensor) -> Tensor:
                # The loss of cosines asks twice, for scores and for the penalty, and the network is most of a step.
                if not last or last[0] is not ids:
                    distinct, places = torch.unique(ids, return_inverse=True)
                    last[:] = ids, F.embedding(places, network(features[distinct], layers))
                return last[1]

            return of

        users, items = layers(), layers()
        leaves = [leaf for layer in (*users, *items) for leaf in layer]
        train_lookups(
            task.backbone,
            task.graph,
            task.generator,
            Embed(rows(users, task.graph.n_users), rows(items, task.graph.n_items)),
            leaves,
            params.epochs or epochs_of(task),
            task.progress,
        )

        def encode(layers: Layers, n: int) -> HashedNetwork:
            return HashedNetwork.encode([(weight.detach(), bias.detach()) for weight, bias in layers], n)

        return Artefact(encode(users, task.graph.n_users), encode(items, task.graph.n_items), "function")
