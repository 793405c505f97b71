"""What every trained backbone must do, generated from the catalogue; a new one is tested without a line added here."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from recpress.backbones import checkpoint
from recpress.backbones.base import Backbone
from recpress.backbones.catalogue import backbone, backbones
from recpress.backbones.config import TrainingConfig, read_training_config
from recpress.backbones.model import Model
from recpress.backbones.propagate import Propagation
from recpress.backbones.training.retrain import linear_config
from recpress.codecs.tables.dense import Dense
from recpress.compression.graph_form import network_of
from recpress.core.errors import UserError
from recpress.data.graph import Graph, Links

TRAINED = list(backbones())


def config_of(name: str) -> TrainingConfig:
    """The default training config, small and fast."""
    small = {"dim": 8, "epochs": 30, "batch_size": 512, "learning_rate": 2e-2, "negatives": 16}
    return read_training_config("default", name).config.model_copy(update=small)


def losses_and_backbone(name: str, graph: Graph, seed: int = 0, **changes: object) -> tuple[list[float], Backbone]:
    seen: list[float] = []
    made = backbone(name).fit(
        graph, config_of(name).model_copy(update=changes), seed, lambda epoch, loss, tables: seen.append(loss)
    )
    return seen, made


def model_of(name: str, graph: Graph, config: TrainingConfig) -> Model:
    return backbone(name).build(graph, config, torch.Generator().manual_seed(0))


@pytest.mark.usefixtures("one_thread")
@pytest.mark.parametrize("name", TRAINED)
def test_it_learns_and_its_tables_are_finite(name: str, small: Graph) -> None:
    losses, made = losses_and_backbone(name, small)
    assert losses[-1] < losses[0]
    assert made.users.shape[0] == small.n_users
    assert made.items.shape[0] == small.n_items
    assert made.users.shape[1] == made.items.shape[1]
    assert all(bool(torch.isfinite(table).all()) for table in (made.users, made.items, *made.weights.values()))
    # Interactions of the training set score higher than random pairs.
    scores = made.users @ made.items.T
    own = torch.zeros_like(scores, dtype=torch.bool)
    own[torch.from_numpy(small.user_items.users).long(), torch.from_numpy(small.user_items.items).long()] = True
    assert scores[own].mean() > scores[~own].mean() + 0.2 * scores.std()


@pytest.mark.usefixtures("one_thread")
@pytest.mark.parametrize("name", TRAINED)
def test_a_seed_gives_the_same_bits_and_a_checkpoint_brings_them_back(name: str, small: Graph, tmp_path: Path) -> None:
    first, again, other = (losses_and_backbone(name, small, seed, epochs=2)[1] for seed in (5, 5, 6))
    assert first.sha256() == again.sha256() != other.sha256()
    checkpoint.write(tmp_path, first)
    back = checkpoint.read(tmp_path)
    assert back.sha256() == first.sha256()
    assert back.weights.keys() == first.weights.keys()
    assert back.config == first.config


@pytest.mark.parametrize("name", TRAINED)
def test_its_gradient_is_that_of_finite_differences(name: str, small: Graph) -> None:
    """In float64, along random directions, with the random numbers of the loss repeated."""
    model = model_of(name, small, config_of(name).model_copy(update={"dropout": 0.0, "precision": "fp32"})).double()
    batch = next(model.objective.sampler.epoch(256))
    state = model.generator.get_state()

    def loss() -> Tensor:
        model.generator.set_state(state)
        return model.loss(batch)

    parameters = list(model.parameters())
    gradients = torch.autograd.grad(loss(), parameters)
    draw = torch.Generator().manual_seed(1)
    directions = [torch.randn(each.shape, generator=draw, dtype=each.dtype) for each in parameters]
    expected = sum((a * b).sum() for a, b in zip(gradients, directions, strict=True))

    def shifted(step: float) -> float:
        with torch.no_grad():
            for parameter, direction in zip(parameters, directions, strict=True):
                parameter += step * direction
            value = float(loss())
            for parameter, direction in zip(parameters, directions, strict=True):
                parameter -= step * direction
        return value

    step = 1e-6
    found = (shifted(step) - shifted(-step)) / (2 * step)
    assert found == pytest.approx(float(expected), rel=2e-3, abs=1e-7)


@pytest.mark.parametrize(
    ("name", "changes"),
    [
        ("mf", {"layers": 1}),
        ("lightgcn", {"layers": 0}),
        ("xsimgcl", {"layers": 0}),
        ("xsimgcl", {"layers": 2, "contrast_layer": 3}),
        ("ultragcn", {"loss": "bpr"}),
    ],
)
def test_a_config_that_makes_no_sense_is_refused(name: str, changes: dict[str, object], small: Graph) -> None:
    with pytest.raises(UserError, match=name):
        model_of(name, small, config_of(name).model_copy(update=changes))


@pytest.fixture(scope="module")
def social(small: Graph) -> Graph:
    """The small graph with friends of users and genres of items."""
    rng = np.random.default_rng(0)
    friends = rng.integers(small.n_users, size=(2, 200))
    n = small.n_users + small.n_items
    genres = np.stack([np.arange(small.n_users, n), rng.integers(n, n + 5, small.n_items)])
    return replace(small, links=Links(np.concatenate([friends, genres], axis=1), n_added=5))


@pytest.mark.usefixtures("one_thread")
@pytest.mark.parametrize("name", TRAINED)
def test_links_take_part_in_propagation_and_are_never_served(name: str, social: Graph, small: Graph) -> None:
    if not config_of(name).layers:
        with pytest.raises(UserError, match="relations have no part"):
            losses_and_backbone(name, social)
        return
    losses, made = losses_and_backbone(name, social, epochs=10, relations=("trusts",))
    assert losses[-1] < losses[0]
    assert (len(made.users), len(made.items)) == (social.n_users, social.n_items)
    assert (len(made.base_users), len(made.base_items)) == (social.n_users, social.n_items)
    # Methods see the interactions: they take such tables as they are, and store no graph.
    assert linear_config(made, small) is None
    with pytest.raises(UserError, match="more edges than the interactions, trusts"):
        network_of(made, small, Dense.encode)


def test_propagation_with_links_is_pygs(social: Graph) -> None:
    from torch_geometric.nn.models import LightGCN

    adjacency = social.adjacency()
    theirs = LightGCN(social.n_nodes, 8, num_layers=2)
    rows = torch.arange(social.n_nodes).repeat_interleave(torch.from_numpy(np.diff(adjacency.indptr)).long())
    edges = torch.stack([rows, torch.from_numpy(adjacency.indices).long()])
    base = theirs.embedding.weight.detach()
    torch.testing.assert_close(Propagation(adjacency, 2).apply(base), theirs.get_embedding(edges), atol=1e-6, rtol=1e-5)


@pytest.mark.usefixtures("one_thread")
@pytest.mark.parametrize(
    ("name", "changes"),
    [
        ("mf", {"loss": "ccl", "negatives": 20, "negative_weight": 20.0, "margin": 0.4, "dropout": 0.1}),
        ("lightgcn", {"loss": "ccl", "negatives": 20, "negative_weight": 20.0, "margin": 0.4}),
        ("mf", {"loss": "softmax"}),
        ("mf", {"loss": "bpr", "negatives": 2}),
        ("lightgcn", {"precision": "bf16"}),
        ("lightgcn", {"decay": "cosine", "loss": "softmax"}),
        ("xsimgcl", {"contrast_layer": 0}),
        ("ultragcn", {"negative_scaling": "uniform"}),
        ("ultragcn", {"item_weight": 0.1}),
    ],
)
def test_settings_learn_too(name: str, changes: dict[str, object], small: Graph) -> None:
    losses, plain = losses_and_backbone(name, small, **changes)
    assert losses[-1] < losses[0]
    assert bool(torch.isfinite(plain.users).all())
