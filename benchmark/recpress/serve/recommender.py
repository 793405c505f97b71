"""An artefact, loaded and ready to answer."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from recpress.codecs.artefact import Artefact
from recpress.codecs.base import TopKScorer
from recpress.codecs.tables.dense import DenseScorer
from recpress.data.interactions import UserItems
from recpress.serve import topk


class Recommender:
    """Answers top-K queries from an artefact, with each user's seen items left out.

    Parameters
    ----------
    artefact : Artefact
    seen : UserItems
        Items that are not recommended again, of every user.
    """

    def __init__(self, artefact: Artefact, seen: UserItems) -> None:
        if (artefact.users.shape[0], artefact.items.shape[0]) != (seen.n_users, seen.n_items):
            raise ValueError(
                f"the artefact is of {artefact.users.shape[0]} users and {artefact.items.shape[0]} items, the seen "
                f"items of {seen.n_users} and {seen.n_items}"
            )
        self.users = artefact.users
        self.scorer = artefact.items.scorer()
        self.seen = seen
        self._buffer = torch.empty(0, seen.n_items)

    def score(self, users: NDArray[np.int64], out: Tensor | None = None) -> Tensor:
        """Return the scores of all items for some users, float32 of shape (len(users), n_items)."""
        return self.scorer.scores(self._queries(users), out)

    def recommend(self, users: NDArray[np.int64], k: int) -> NDArray[np.int32]:
        """Return the k best unseen items of each user, int32 of shape (len(users), k), best first."""
        return self.best(users, k)[0]

    def best(self, users: NDArray[np.int64], k: int) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
        """Return the k best unseen items of each user and their scores; see `recpress.serve.topk.select`."""
        if isinstance(self.scorer, TopKScorer):
            return self.scorer.top(self._queries(users), self.seen, users, k)
        if len(self._buffer) < len(users):
            self._buffer = torch.empty(len(users), self.seen.n_items)
        scores = self.score(users, self._buffer[: len(users)])
        return topk.select(scores, self.seen, users, k)

    def recommend_all(self, k: int) -> NDArray[np.int32]:
        """Return the k best unseen items of every user, int32 of shape (n_users, k), in bounded memory."""
        users = np.arange(self.seen.n_users, dtype=np.int64)
        if isinstance(self.scorer, TopKScorer):
            blocks = [users[start : start + topk.ROWS] for start in range(0, len(users), topk.ROWS)]
            return np.concatenate([np.empty((0, k), np.int32), *(self.recommend(block, k) for block in blocks)])
        if isinstance(self.scorer, DenseScorer):
            return topk.rank_tables(self._queries, self.scorer.values, users, self.seen, k)
        return topk.rank(self.score, users, self.seen, k, self.seen.n_items)

    def _queries(self, users: NDArray[np.int64]) -> Tensor:
        # A slice of one row is a view, for which a user who asks alone waits less than for a gathered copy.
        if len(users) == 1 and users[0] >= 0:
            return self.users.decode(slice(int(users[0]), int(users[0]) + 1))
        return self.users.decode(torch.from_numpy(users))
