"""Training on a CUDA device: the same products and gradients as on the CPU, within rounding. Skips without one."""

from __future__ import annotations

import pytest
import torch

from recpress.backbones.base import Session
from recpress.backbones.catalogue import backbone, backbones
from recpress.backbones.config import read_training_config
from recpress.backbones.propagate import neighbour_mean, symmetric
from recpress.backbones.training.sampling import Batch
from recpress.data.graph import Graph
from recpress.experiments.worker import Report
from recpress.isolation.processes import call
from recpress.tuning.validation import Held

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")

TRAINED = list(backbones())


@pytest.mark.parametrize("make", [symmetric, neighbour_mean])
@pytest.mark.parametrize("transpose", [False, True])
def test_a_product_is_the_one_of_the_cpu(make, transpose: bool, small: Graph) -> None:
    x = torch.randn(small.n_nodes, 16, generator=torch.Generator().manual_seed(0))
    here = make(small.adjacency()).apply(x, transpose)
    there = make(small.adjacency(), torch.device("cuda")).apply(x.cuda(), transpose)
    torch.testing.assert_close(there.cpu(), here, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("name", ["mf", "lightgcn", "ngcf", "sage", "gat", "ultragcn"])
def test_loss_and_gradient_are_those_of_the_cpu(name: str, small: Graph, monkeypatch) -> None:
    config = read_training_config("default", name).config.model_copy(update={"dim": 8, "dropout": 0.0})
    models = [backbone(name).build(small, config, torch.Generator(device)) for device in ("cpu", "cuda")]
    state = models[0].state_dict()
    users = torch.from_numpy(small.user_items.users[:256]).long()
    items = torch.from_numpy(small.user_items.items[:256]).long()
    drawn = torch.randint(small.n_items, (256, 4), generator=torch.Generator().manual_seed(1))
    gradients = []
    for model in models:
        device = model.generator.device
        model.load_state_dict(state)
        sampler = model.objective.sampler
        monkeypatch.setattr(sampler, "negatives", lambda users, count, device=device: drawn.to(device))
        monkeypatch.setattr(sampler, "uniform", lambda *shape, device=device: drawn.flatten().to(device))
        loss = model.loss(Batch(users.to(device), items.to(device)))
        loss.backward()
        gradients.append((loss.item(), model.base.grad.cpu()))
    assert gradients[1][0] == pytest.approx(gradients[0][0], rel=1e-4)
    torch.testing.assert_close(gradients[1][1], gradients[0][1], rtol=1e-3, atol=1e-5)


def fitted(name: str, graph: Graph, report: Report) -> list[float]:
    config = read_training_config("default", name).config.model_copy(update={"dim": 8, "epochs": 8, "batch_size": 512})
    losses, scores = [], []
    held = Held(graph, graph.user_items)

    def watch(epoch: int, loss: float, tables) -> None:
        losses.append(loss)
        scores.append(held.score(tables())["ndcg@20"])

    made = backbone(name).fit(graph, config, 0, watch, Session(device="cuda"))
    assert made.users.device.type == made.items.device.type == "cpu"
    assert all(0 < score <= 1 for score in scores)
    return losses


@pytest.mark.parametrize("name", TRAINED)
def test_it_learns_in_a_stage_of_its_own(name: str, small: Graph) -> None:
    losses = call(fitted, name, small, timeout=300.0)
    assert losses[-1] < losses[0]
