"""A synthetic catalogue whose tables don't fit in a cache: where fewer bytes can be seen in time."""

from __future__ import annotations

import torch
from torch import Tensor

ROWS = 1_000_000
COLUMNS = 64


def catalogue(rows: int = ROWS, columns: int = COLUMNS, seed: int = 0) -> Tensor:
    """Return a random table, float32 of shape (rows, columns): normal directions, log-normal lengths.

    Trained item tables have lengths that spread with popularity; a spread of 0.4 in the logarithm makes the scores
    of one query as uneven as that, so that top-K isn't among equals. 1M × 64 takes 256 MB in fp32.
    """
    generator = torch.Generator().manual_seed(seed)
    table = torch.randn(rows, columns, generator=generator)
    lengths = torch.empty(rows, 1).log_normal_(0.0, 0.4, generator=generator)
    return table.mul_(lengths).div_(columns**0.5)
