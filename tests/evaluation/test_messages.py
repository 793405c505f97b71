"""PyG's explainers over layers with weights: what matters is found, parts add up, deletion bears them out."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from recpress.backbones.base import Backbone
from recpress.backbones.catalogue import backbone as registered
from recpress.backbones.config import TrainingConfig, read_training_config
from recpress.core.errors import UserError
from recpress.data.card import Synthetic
from recpress.data.graph import Graph
from recpress.data.interactions import UserItems
from recpress.data.synthetic import generate
from recpress.evaluation.deletion import DELETED, at_random, draw_cases, fidelity
from recpress.evaluation.messages import Algorithm, MessageExplainer

NAMES = ("gat", "ngcf", "sage")


def trained(name: str, graph: Graph, **changes: object) -> Backbone:
    variants = {"dim": 16, "batch_size": 256, "dropout": 0.0} | changes
    return registered(name).fit(graph, read_training_config("default", name).config.model_copy(update=variants), 0)


@pytest.fixture(scope="module")
def planted() -> Graph:
    """Two groups that share nothing, 20 users and 20 items each, but for user 40: 7 items of one, 3 of the other."""
    rng = np.random.default_rng(0)
    users, items = np.nonzero(np.kron(np.eye(2), np.ones((20, 20))) * (rng.random((40, 40)) < 0.6))
    mixed = np.array([0, 3, 7, 10, 11, 15, 18, 23, 27, 31])
    return Graph(UserItems.from_pairs(np.append(users, np.full(10, 40)), np.append(items, mixed), 42, 40))


@pytest.fixture(scope="module")
def real() -> Graph:
    made = generate(Synthetic(users=200, items=240, interactions=5000, seed=1))
    return Graph(UserItems.from_pairs(made.users, made.items, made.n_users, made.n_items))


@pytest.mark.parametrize("algorithm", ["integrated-gradients", "gnnexplainer"])
@pytest.mark.parametrize("name", NAMES)
def test_what_was_planted_is_found(name: str, algorithm: Algorithm, planted: Graph) -> None:
    backbone = trained(name, planted)
    explainer = MessageExplainer(backbone, planted, algorithm)
    for item in (1, 5, 12):
        found = explainer.explain(40, backbone.items[item])
        assert (found.top(5 if found.additive else 3) < 20).all()
        # It takes the items of the other group for what the score doesn't need, and gradients for what lowers it.
        others = found.contributions[found.items >= 20]
        assert (others < (0 if found.additive else found.contributions.max() / 2)).all()
    if algorithm == "integrated-gradients":
        assert (MessageExplainer(backbone, planted).explain(40, backbone.items[25]).top(3) >= 20).all()


@pytest.mark.parametrize("changes", [{"layers": 1}, {"layers": 3}, {"loss": "softmax"}, {"loss": "bpr"}])
@pytest.mark.parametrize("name", NAMES)
def test_parts_add_up_to_the_score_of_the_backbone(name: str, changes: dict[str, object], real: Graph) -> None:
    backbone = trained(name, real, epochs=2, **changes)
    explainer = MessageExplainer(backbone, real)
    for user, item in ((0, 3), (77, 150), (199, 239)):
        found = explainer.explain(user, backbone.items[item])
        np.testing.assert_array_equal(found.items, real.user_items.of(user))
        assert found.additive
        assert found.score == pytest.approx(float(backbone.users[user] @ backbone.items[item]), abs=1e-5)
        assert np.abs(found.contributions).sum() > 0
        served = explainer.explain(user, backbone.items[item], score=found.score + 0.5)
        assert served.rest == pytest.approx(found.rest + 0.5)


def test_parts_of_one_linear_layer_are_exact(real: Graph) -> None:
    backbone = trained("sage", real, layers=1, loss="bpr", epochs=2)
    user, item = 5, 9
    found = MessageExplainer(backbone, real).explain(user, backbone.items[item])
    messages = backbone.base_items[torch.from_numpy(found.items).long()] @ backbone.weights["near.0.weight"].T
    expected = messages @ backbone.items[item] / len(found.items)
    np.testing.assert_allclose(found.contributions, expected.numpy(), atol=1e-6)


@pytest.mark.parametrize("name", NAMES)
def test_deleting_what_gives_most_lowers_scores_and_ranks_far_more_often_than_random_items(
    name: str, real: Graph
) -> None:
    backbone = trained(name, real)
    explainer = MessageExplainer(backbone, real)
    cases = draw_cases(backbone, real, "top100", 60, seed=1)
    explained = fidelity(
        backbone, real, cases, lambda user, item: explainer.explain(user, backbone.items[item]).top(DELETED)
    )
    random = fidelity(backbone, real, cases, at_random(real, seed=2))
    assert explained.fell >= 0.9
    assert explained.lowered >= 0.8
    assert explained.lowered >= random.lowered + 0.2


def test_gnnexplainer_is_told_by_its_seed_and_leaves_other_draws_alone(planted: Graph) -> None:
    backbone = trained("sage", planted, epochs=2)
    torch.manual_seed(3)
    expected = torch.rand(2)
    torch.manual_seed(3)

    def masks(seed: int) -> np.ndarray:
        explainer = MessageExplainer(backbone, planted, "gnnexplainer", seed)
        return explainer.explain(40, backbone.items[1]).contributions

    first = masks(0)
    np.testing.assert_array_equal(masks(0), first)
    assert not np.array_equal(masks(1), first)
    assert (np.abs(first) <= 1).all()
    assert torch.equal(torch.rand(2), expected)


def test_a_user_without_history_has_the_rest_alone(planted: Graph) -> None:
    backbone = trained("ngcf", planted, epochs=1)
    for algorithm in ("integrated-gradients", "gnnexplainer"):
        found = MessageExplainer(backbone, planted, algorithm).explain(41, backbone.items[0])
        assert len(found.items) == 0
        assert found.rest == pytest.approx(float(backbone.users[41] @ backbone.items[0]), abs=1e-5)


def test_what_it_is_not_for_is_refused(planted: Graph, real: Graph) -> None:
    linear = registered("lightgcn").fit(planted, TrainingConfig(dim=4, layers=1, epochs=1), 0)
    with pytest.raises(UserError, match="are there for gat, ngcf, sage"):
        MessageExplainer(linear, planted)
    sage = trained("sage", planted, epochs=1)
    history = planted.user_items
    other = Graph(UserItems.from_pairs(history.users[5:], history.items[5:], 42, 40))
    with pytest.raises(UserError, match="don't come from this graph"):
        MessageExplainer(sage, other)
