"""A small graph with structure that a recommender can learn."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import torch

from recpress.data.card import Synthetic
from recpress.data.graph import Graph
from recpress.data.interactions import UserItems
from recpress.data.synthetic import generate


@pytest.fixture(scope="session")
def small() -> Graph:
    made = generate(Synthetic(users=120, items=150, interactions=2400, seed=1))
    return Graph(UserItems.from_pairs(made.users, made.items, made.n_users, made.n_items))


@pytest.fixture
def one_thread() -> Iterator[None]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)
