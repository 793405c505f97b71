"""Variants of truncated SVD: stored factors, weights, sides."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from recpress.methods.low_rank.svd.method import SVD, SVDParams
from torch import Tensor

from recpress.api import Artefact, Graph, Task, UserItems, make_generator
from recpress.backbones.base import Backbone
from recpress.backbones.config import TrainingConfig


def random(rows: int, seed: int) -> Tensor:
    return torch.randn(rows, 12, generator=torch.Generator().manual_seed(seed))


def compress(users: Tensor, items: Tensor, **params: object) -> Artefact:
    # Every user has item 0, and nobody any other.
    rows = np.arange(len(users))
    graph = Graph(UserItems.from_pairs(rows, np.zeros_like(rows), len(users), len(items)))
    backbone = Backbone("given", users, items, users, items, TrainingConfig(dim=12), 0, 0.0)
    return SVD().compress(Task(graph, backbone, SVDParams(**params), 0, make_generator(0), lambda share: None))


@pytest.mark.parametrize("joint", [True, False])
@pytest.mark.parametrize(("values", "bound"), [("fp32", 1e-6), ("fp16", 1e-3), ("int8", 2e-2), ("int4", 0.4)])
def test_full_rank_leaves_only_what_the_values_lose(values: str, bound: float, joint: bool) -> None:
    users, items = random(40, 0), random(30, 1)
    made = compress(users, items, rank=12, joint=joint, values=values)
    scores = made.users.decode() @ made.items.decode().T
    error = (scores - users @ items.T).square().mean() / (users @ items.T).square().mean()
    assert error.sqrt() < bound
    assert values == "fp32" or error.sqrt() > bound / 100


def test_weights_turn_the_basis_towards_frequent_rows() -> None:
    users, items = random(40, 0), random(30, 1)
    errors = []
    for popularity in (0.0, 1.0):
        made = compress(users, items, rank=1, joint=False, popularity=popularity, values="fp32")
        errors.append(float((made.items.decode()[0] - items[0]).square().sum()))
    assert errors[1] < 0.5 * errors[0]
