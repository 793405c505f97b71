"""A small graph and a backbone trained on it, which the tests of all methods share."""

from __future__ import annotations

import pytest

from recpress.api import Graph
from recpress.backbones.base import Backbone, fit_embeddings
from recpress.backbones.config import TrainingConfig
from recpress.data.card import Synthetic
from recpress.data.interactions import UserItems
from recpress.data.synthetic import generate


@pytest.fixture(scope="session")
def graph() -> Graph:
    made = generate(Synthetic(users=300, items=400, interactions=6000, seed=1))
    return Graph(UserItems.from_pairs(made.users, made.items, made.n_users, made.n_items))


@pytest.fixture(scope="session")
def backbone(graph: Graph) -> Backbone:
    config = TrainingConfig(dim=16, layers=2, learning_rate=0.02, epochs=5, batch_size=1024)
    return fit_embeddings("lightgcn", graph, config, seed=0)
