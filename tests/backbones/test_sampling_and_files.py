"""LightGCN against PyG, sampling, and checkpoints."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from recpress.backbones import checkpoint
from recpress.backbones.catalogue import backbone
from recpress.backbones.propagate import Propagation
from recpress.backbones.recipe import Recipe
from recpress.backbones.sampling import Sampler
from recpress.data.graph import Graph
from recpress.data.interactions import UserItems
from recpress.errors import UserError


@pytest.fixture(scope="module")
def graph() -> Graph:
    rng = np.random.default_rng(0)
    return Graph(UserItems.from_pairs(rng.integers(40, size=400), rng.integers(60, size=400), 40, 60))


def test_propagation_equals_pygs_lightgcn_and_its_gradient(graph: Graph) -> None:
    from torch_geometric.nn.models import LightGCN

    theirs = LightGCN(100, 8, num_layers=3)
    rows = torch.from_numpy(graph.user_items.users).long()
    columns = torch.from_numpy(graph.user_items.items).long() + graph.n_users
    edges = torch.cat([torch.stack([rows, columns]), torch.stack([columns, rows])], 1)
    expected = theirs.get_embedding(edges)
    x = theirs.embedding.weight.detach().clone().requires_grad_()
    found = Propagation(graph.adjacency(), 3)(x)
    torch.testing.assert_close(found, expected, atol=1e-6, rtol=1e-5)
    # The same gradient, for any downstream one.
    weights = torch.randn(100, 8, generator=torch.Generator().manual_seed(0))
    (expected * weights).sum().backward()
    (found * weights).sum().backward()
    torch.testing.assert_close(x.grad, theirs.embedding.weight.grad, atol=1e-6, rtol=1e-5)


def test_negatives_are_never_the_users_own(graph: Graph) -> None:
    sampler = Sampler(graph.user_items, torch.Generator().manual_seed(0))
    users = torch.arange(40).repeat(50)
    negatives = sampler.negatives(users, 3)
    assert not sampler.contains(users[:, None].expand_as(negatives), negatives).any()
    assert sampler.contains(sampler.users, sampler.items).all()


def test_a_damaged_checkpoint_is_refused(graph: Graph, tmp_path: Path) -> None:
    made = backbone("mf").fit(graph, Recipe(dim=4, epochs=1), 0)
    checkpoint.write(tmp_path, made)
    facts = (tmp_path / "backbone.json").read_text()
    (tmp_path / "backbone.json").write_text(facts.replace(made.sha256(), "0" * 64))
    with pytest.raises(UserError, match="damaged"):
        checkpoint.read(tmp_path)
