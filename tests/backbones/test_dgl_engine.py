"""The DGL engine against ours, and against PyG's layer."""

from __future__ import annotations

import os

import pytest
import torch

from recpress.backbones import propagate
from recpress.backbones.base import Session
from recpress.backbones.catalogue import backbone
from recpress.backbones.config import TrainingConfig
from recpress.core.errors import UserError
from recpress.data.graph import Graph

os.environ.setdefault("DGLBACKEND", "pytorch")
pytest.importorskip("dgl", reason="needs the extra dgl")

from recpress.backbones.training import dgl_engine  # after the skip, as DGL may be missing


@pytest.mark.parametrize("kind", ["symmetric", "neighbour_mean"])
def test_products_and_gradients_agree(kind: str, small: Graph) -> None:
    adjacency = small.adjacency()
    ours, theirs = getattr(propagate, kind)(adjacency), getattr(dgl_engine, kind)(adjacency)
    x = torch.randn(small.n_nodes, 8, generator=torch.Generator().manual_seed(0), requires_grad=True)
    weights = torch.randn(small.n_nodes, 8, generator=torch.Generator().manual_seed(1))
    results = [product(x) for product in (ours, theirs)]
    torch.testing.assert_close(*results, atol=1e-5, rtol=1e-5)
    gradients = [torch.autograd.grad((result * weights).sum(), x)[0] for result in results]
    torch.testing.assert_close(*gradients, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("name", ["lightgcn", "sage", "xsimgcl", "ngcf"])
def test_a_training_by_dgl_is_that_of_torch(name: str, small: Graph) -> None:
    config = TrainingConfig(dim=8, layers=2, first_layer=int(name == "xsimgcl"), epochs=2, batch_size=512)
    ours, theirs = (backbone(name).fit(small, config, 0, session=Session(engine=each)) for each in ("torch", "dgl"))
    assert ours.sha256() != theirs.sha256()  # another order of sums, or it wasn't DGL
    torch.testing.assert_close(ours.users, theirs.users, atol=1e-4, rtol=1e-3)


def test_a_backbone_without_products_is_refused(small: Graph) -> None:
    with pytest.raises(UserError, match="no sparse products"):
        backbone("mf").fit(small, TrainingConfig(dim=8, epochs=1), 0, session=Session(engine="dgl"))
