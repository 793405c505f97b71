"""asv: exact masked top-100 at the size of Gowalla, beside the bare product that it can't do without."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from recpress.data.interactions import UserItems
from recpress.serve import topk

USERS, ITEMS, WIDTH, SEEN = 29_858, 40_981, 64, 27


class Tables:
    """Random tables, and as many seen items per user as Gowalla has on average, some far more popular."""

    def __init__(self, n_users: int = USERS, n_items: int = ITEMS) -> None:
        rng = np.random.default_rng(0)
        generator = torch.Generator().manual_seed(0)
        self.users = torch.randn((n_users, WIDTH), generator=generator)
        self.items = torch.randn((n_items, WIDTH), generator=generator)
        rows = np.repeat(np.arange(n_users), SEEN)
        columns = (rng.random(len(rows)) ** 3 * n_items).astype(np.int64)
        self.seen = UserItems.from_pairs(rows, columns, n_users, n_items)

    def score(self, users: NDArray[np.int64], out: Tensor | None) -> Tensor:
        return torch.mm(self.users[users[0] : users[-1] + 1], self.items.T, out=out)

    def rank(self, k: int = 100) -> topk.Items:
        n_users, n_items = len(self.users), len(self.items)
        return topk.rank(self.score, np.arange(n_users), self.seen, k, n_items)

    def rank_tables(self, k: int = 100) -> topk.Items:
        everybody = np.arange(len(self.users))
        return topk.rank_tables(lambda users: self.users[torch.from_numpy(users)], self.items, everybody, self.seen, k)

    def product(self, rows: int = 256) -> None:
        """Multiply block by block into one buffer and look at nothing."""
        buffer = torch.empty((rows, len(self.items)))
        for start in range(0, len(self.users), rows):
            block = self.users[start : start + rows]
            torch.mm(block, self.items.T, out=buffer[: len(block)])


class FullRanking:
    number, repeat, timeout = 1, 3, 300

    def setup(self) -> None:
        self.tables = Tables()
        topk.select(torch.zeros(2, 40), None, np.arange(2), 5)  # compiled before the clock starts
        Tables(n_users=2).rank_tables()

    def time_rank_tables(self) -> None:
        self.tables.rank_tables()

    def time_rank(self) -> None:
        self.tables.rank()

    def time_bare_product(self) -> None:
        self.tables.product()


class Memory:
    timeout = 300

    def peakmem_tables_alone(self) -> None:
        Tables()

    def peakmem_rank(self) -> None:
        Tables().rank_tables()

    def peakmem_rank_a_million_items(self) -> None:
        Tables(n_users=10_000, n_items=1_000_000).rank_tables()


class Selection:
    """One block of scores that is already there."""

    params = ([1, 256], [20, 100])
    param_names = ("rows", "k")

    def setup(self, rows: int, k: int) -> None:
        self.scores = torch.randn((rows, ITEMS), generator=torch.Generator().manual_seed(0))
        self.rows = np.arange(rows)
        topk.select(self.scores, None, self.rows, k)

    def time_select(self, rows: int, k: int) -> None:
        topk.select(self.scores, None, self.rows, k)

    def time_torch_topk(self, rows: int, k: int) -> None:
        self.scores.topk(k)
