"""asv: from interactions to a split, a graph and its adjacency, at the size of MovieLens-1M."""

from __future__ import annotations

from recpress.data import splits
from recpress.data.card import SplitSpec, Synthetic
from recpress.data.graph import Graph
from recpress.data.interactions import UserItems
from recpress.data.synthetic import generate

SIZE = Synthetic(users=6040, items=3706, interactions=1_000_000, seed=0)


class Data:
    number, repeat, timeout = 1, 3, 120

    def setup(self) -> None:
        self.made = generate(SIZE)
        self.pairs = UserItems.from_pairs(self.made.users, self.made.items, self.made.n_users, self.made.n_items)

    def time_generate(self) -> None:
        generate(SIZE)

    def time_split(self) -> None:
        splits.make(self.made, SplitSpec(protocol="random-per-user"))

    def time_adjacency(self) -> None:
        Graph(self.pairs).adjacency()

    def peakmem_split(self) -> None:
        splits.make(self.made, SplitSpec(protocol="random-per-user"))
