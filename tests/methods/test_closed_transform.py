"""Transform coding: the rate is kept, scores are what the rotation leaves, degenerate tables pass."""

from __future__ import annotations

import pytest
import torch
from recpress.methods.hybrid.transform_coding.method import TransformCoding, TransformParams, file_bytes
from torch import Tensor

from recpress.api import Artefact, Graph, Task, UserItems, make_generator
from recpress.backbones.base import Backbone
from recpress.backbones.config import TrainingConfig
from recpress.codecs import Uniform


def spread(rows: int, columns: int, seed: int) -> Tensor:
    """Columns of very different variance, hidden by a rotation: what trained tables look like."""
    generator = torch.Generator().manual_seed(seed)
    mix = torch.linalg.qr(torch.randn(columns, columns, generator=torch.Generator().manual_seed(99)))[0]
    return (torch.randn(rows, columns, generator=generator) * torch.logspace(0, -1.5, columns)) @ mix


def compress(users: Tensor, items: Tensor, params: TransformParams) -> Artefact:
    graph = Graph(
        UserItems.from_pairs(torch.zeros(1).long().numpy(), torch.zeros(1).long().numpy(), *map(len, (users, items)))
    )
    backbone = Backbone("given", users, items, users, items, TrainingConfig(dim=users.shape[1]), 0, 0.0)
    return TransformCoding().compress(Task(graph, backbone, params, 0, make_generator(0), lambda share: None))


def score_error(made: Artefact, users: Tensor, items: Tensor) -> float:
    return float((made.users.decode() @ made.items.decode().T - users @ items.T).square().mean())


def test_the_rate_is_kept_and_spent() -> None:
    users, items = spread(900, 32, 0), spread(600, 32, 1)
    for bits in (1.0, 2.0, 4.0):
        size = file_bytes(compress(users, items, TransformParams(bits=bits)))
        assert 0.98 * bits / 8 <= size / (1500 * 32) <= bits / 8


def test_errs_far_less_than_a_grid_of_the_same_bytes() -> None:
    users, items = spread(900, 32, 0), spread(600, 32, 1)
    made = compress(users, items, TransformParams(bits=2.5))
    grids = Artefact(Uniform.encode(users, 2), Uniform.encode(items, 2))
    assert file_bytes(made) < grids.breakdown().total()
    assert score_error(made, users, items) < score_error(grids, users, items) / 4


def test_the_ratio_of_steps_follows_the_norms() -> None:
    users, items = spread(900, 32, 0), 50 * spread(600, 32, 1)
    made = compress(users, items, TransformParams(bits=2.0))
    steps = [float(codec.tensors()["scale"]) for codec in (made.users, made.items)]
    assert steps[0] / steps[1] == pytest.approx(float(users.norm() / items.norm()), rel=2e-3)
    assert score_error(made, users, items) < 0.05 * float((users @ items.T).square().mean())


def test_degenerate_tables() -> None:
    zeros = compress(torch.zeros(500, 8), torch.zeros(400, 8), TransformParams(bits=8.0))
    assert torch.equal(zeros.items.decode(), torch.zeros(400, 1))
    one = compress(spread(500, 8, 0), spread(1, 8, 1), TransformParams(bits=8.0))
    assert one.items.shape[0] == 1
    constant = torch.full((400, 8), 0.5)
    assert score_error(compress(constant, constant, TransformParams(bits=8.0)), constant, constant) < 1e-3
    with pytest.raises(ValueError, match="not finite"):
        compress(torch.full((500, 8), float("nan")), spread(400, 8, 1), TransformParams())
    with pytest.raises(ValueError, match="too few"):
        compress(spread(5, 8, 0), spread(4, 8, 1), TransformParams())
