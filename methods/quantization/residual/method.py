"""Post-training residual quantization."""

from __future__ import annotations

from recpress.api import Artefact, Field, Method, Params, Shape, Task, largest
from recpress.codecs.packing import row_bytes
from recpress.codecs.tables.product import Residual

# Training and beam search take time with every level; more of them belong to other codecs.
MOST_LEVELS = 24


class ResidualParams(Params):
    """Number of words per row, and size of each codebook."""

    levels: int = Field(8, ge=1, le=64, description="Words that a row is the sum of.")
    bits: int = Field(4, ge=1, le=8, description="Codebooks have 2^bits words, one codebook per level and table.")


def tensor_bytes(params: ResidualParams, shape: Shape) -> int:
    """Return the bytes of codes and of both tables' codebooks."""
    words = 2 * params.levels * (1 << params.bits) * shape.dim
    return shape.entities * row_bytes(params.levels, params.bits) + 2 * words


class ResidualQuantization(Method[ResidualParams]):
    """Sum words level by level (Chen et al. 2010), with a beam search over the sums."""

    Params = ResidualParams

    def params_for(self, budget: int, shape: Shape) -> ResidualParams:
        """See `Method.params_for`: the most bits per row that fit beside their codebooks, then the fewest levels."""
        made = [
            ResidualParams(levels=levels, bits=bits) for levels in range(1, MOST_LEVELS + 1) for bits in range(1, 9)
        ]
        made.sort(key=lambda params: (-params.levels * params.bits, params.levels))
        return largest(made, lambda params: tensor_bytes(params, shape), budget)

    def compress(self, task: Task[ResidualParams]) -> Artefact:
        """See `Method.compress`."""
        levels, bits = task.params.levels, task.params.bits
        users = Residual.encode(task.backbone.users, levels, bits, task.seed)
        task.progress(0.5)
        return Artefact(users, Residual.encode(task.backbone.items, levels, bits, task.seed))
