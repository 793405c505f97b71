"""asv: metrics and statistics for 30,000 users."""

from __future__ import annotations

import numpy as np

from recpress import evaluation as evaluate
from recpress.data.interactions import UserItems

USERS, ITEMS = 30_000, 40_981


def lists_and_test(n_users: int = USERS, n_items: int = ITEMS) -> tuple[np.ndarray, UserItems]:
    """Return random top-100 lists and test items, of which about a fifth are in the lists."""
    rng = np.random.default_rng(0)
    starts, steps = rng.integers(0, n_items, (2, n_users))
    steps = steps // 100 + 1
    topk = ((starts[:, None] + steps[:, None] * np.arange(100)) % n_items).astype(np.int32)
    rows = np.repeat(np.arange(n_users), 8)
    columns = rng.integers(0, n_items, len(rows))
    listed = rng.random(len(rows)) < 0.2
    columns[listed] = topk[rows[listed], rng.integers(0, 100, listed.sum())]
    return topk, UserItems.from_pairs(rows, columns, n_users, n_items)


class Metrics:
    number, repeat = 1, 5

    def setup(self) -> None:
        self.topk, self.test = lists_and_test()
        self.users = evaluate.evaluable(self.test)
        self.deciles = evaluate.popularity_deciles(self.test)
        self.time_all_at_all_cutoffs()
        self.time_agreement()

    def time_all_at_all_cutoffs(self) -> None:
        evaluate.per_user(self.topk[self.users], self.users, self.test)

    def time_agreement(self) -> None:
        evaluate.agreement(self.topk, self.topk[:, ::-1], 20, ITEMS)

    def time_recall_by_popularity_decile(self) -> None:
        evaluate.recall_by_item_group(self.topk, self.users, self.test, self.deciles, 20)

    def time_gini(self) -> None:
        evaluate.gini(self.topk, ITEMS)


class Statistics:
    number, repeat = 1, 3

    def setup(self) -> None:
        rng = np.random.default_rng(0)
        self.before = np.where(rng.random(USERS) < 0.5, 0, rng.beta(1, 4, USERS))
        self.after = np.where(rng.random(USERS) < 0.5, self.before, rng.beta(1, 4, USERS))
        evaluate.resampled_means(np.ones((4, 2)), 10, 0)

    def time_bootstrap_10k(self) -> None:
        evaluate.ratio_interval(self.before, self.after, 0.95, 10_000, 0)

    def time_sign_flip_10k(self) -> None:
        evaluate.sign_flip(self.after - self.before, 10_000, 0)

    def time_compare(self) -> None:
        evaluate.compare(self.before, self.after, "ndcg@20")
