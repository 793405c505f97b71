"""Distillation: no weight is plain training, a shuffled teacher is no teacher, and losses are what papers say."""

from __future__ import annotations

import dataclasses
import itertools
from typing import Any

import numpy as np
import pytest
import torch
from recpress.methods.control.small.method import Small, SmallParams
from recpress.methods.distillation.distill.method import Distill, DistillParams
from recpress.methods.distillation.graphless.method import Graphless, GraphlessParams, contrast, score_loss
from recpress.methods.distillation.popularity_distill.method import (
    PopularityDistill,
    PopularityDistillParams,
    popularity_groups,
)
from recpress.methods.distillation.ranking_distill.method import (
    RankingDistill,
    RankingDistillParams,
    relaxed_ranking_loss,
)

from recpress.api import Artefact, Graph, Method, Task, UserItems, make_generator
from recpress.backbones.base import Backbone, fit_embeddings
from recpress.backbones.config import TrainingConfig
from recpress.backbones.training.retrain import teacher_lists

METHODS = [
    pytest.param(RankingDistill(), RankingDistillParams, {"weight": 3.0}, id="ranking_distill"),
    pytest.param(PopularityDistill(), PopularityDistillParams, {"weight": 3.0}, id="popularity_distill"),
    pytest.param(Graphless(), GraphlessParams, {"score_weight": 10.0}, id="graphless"),
]
SCRATCH = {"start": "random", "epochs": None, "rate": 1.0}
OFF: dict[str, float] = {"weight": 0.0, "score_weight": 0.0, "vector_weight": 0.0}


def compress(method: Method[Any], params: Any, graph: Graph, backbone: Backbone) -> Artefact:
    return method.compress(Task(graph, backbone, params, 0, make_generator(0), lambda share: None))


def communities() -> tuple[Graph, torch.Tensor, Backbone]:
    """Users who like the items of their own one of six communities, what they will like, and a teacher who knows."""
    generator = make_generator(0)
    of_user, of_item = torch.arange(240) % 6, torch.arange(180) % 6
    likes = of_user[:, None] == of_item
    seen = likes & (torch.rand(likes.shape, generator=generator) < 0.15)
    users, items = seen.nonzero().numpy().T
    graph = Graph(UserItems.from_pairs(users, items, 240, 180))
    tables = [4 * torch.eye(6)[of] + 0.1 * torch.randn(len(of), 6, generator=generator) for of in (of_user, of_item)]
    config = TrainingConfig(dim=6, learning_rate=0.02, batch_size=128, epochs=4)
    return graph, likes & ~seen, Backbone("mf", *tables, *tables, config, 0, 0.0)


@pytest.mark.parametrize(("method", "params", "lesson"), METHODS)
def test_without_a_lesson_it_is_plain_training_bit_for_bit(
    method: Method[Any], params: Any, lesson: dict[str, float], graph: Graph, backbone: Backbone
) -> None:
    off = {name: value for name, value in OFF.items() if name in params.model_fields}
    made = compress(method, params(dim=4, values="fp32", **off, **SCRATCH), graph, backbone)
    if isinstance(method, Graphless):
        plain = fit_embeddings("mf", graph, backbone.config.model_copy(update={"dim": 4, "layers": 0}), 0)
        assert torch.equal(made.users.decode(), plain.users)
    else:
        small = compress(Small(), SmallParams(dim=4, values="fp32"), graph, backbone)
        assert torch.equal(made.users.decode(), small.users.decode())
        assert torch.equal(made.items.decode(), small.items.decode())


def shuffled(teacher: Backbone) -> Backbone:
    order = torch.randperm(len(teacher.users), generator=make_generator(5))
    return dataclasses.replace(teacher, users=teacher.users[order])


def recall(method: Method[Any], params: Any, teacher: Backbone, graph: Graph, unseen: torch.Tensor) -> float:
    made = compress(method, params, graph, teacher)
    scores = made.users.decode() @ made.items.decode().T
    scores[torch.from_numpy(graph.user_items.users).long(), torch.from_numpy(graph.user_items.items).long()] = -9e9
    return float(unseen.gather(1, scores.topk(5).indices).float().mean())


@pytest.mark.parametrize(("method", "params", "lesson"), METHODS)
def test_a_shuffled_teacher_teaches_nothing(method: Method[Any], params: Any, lesson: dict[str, float]) -> None:
    graph, unseen, teacher = communities()
    with_lesson = params(dim=6, start="random", rate=1.0, epochs=4, **lesson)
    plain = with_lesson.model_copy(update={name: 0.0 for name in OFF if name in params.model_fields})
    untaught = recall(method, plain, teacher, graph, unseen)
    assert recall(method, with_lesson, teacher, graph, unseen) > untaught + 0.1
    assert recall(method, with_lesson, shuffled(teacher), graph, unseen) < untaught + 0.05


def test_soft_labels_of_a_shuffled_teacher_teach_nothing_and_without_alpha_there_is_no_teacher() -> None:
    graph, unseen, teacher = communities()
    plain = DistillParams(dim=6, alpha=0, epochs=4, batch_size=128, values="fp32")
    taught = plain.model_copy(update={"alpha": 0.7})
    untaught = recall(Distill(), plain, teacher, graph, unseen)
    assert recall(Distill(), taught, teacher, graph, unseen) > untaught + 0.1
    assert recall(Distill(), taught, shuffled(teacher), graph, unseen) < untaught + 0.05
    alone, misled = (compress(Distill(), plain, graph, each).users.decode() for each in (teacher, shuffled(teacher)))
    assert torch.equal(alone, misled)


def test_the_relaxed_order_is_that_of_the_paper() -> None:
    ranked, others = torch.tensor([[1.0, 0.5, -0.2]]), torch.tensor([[0.3, -1.0]])
    e, rest = ranked[0].exp(), float(others.exp().sum())
    by_hand = sum(float((e[k] / (e[k:].sum() + rest)).log()) for k in range(3))
    torch.testing.assert_close(relaxed_ranking_loss(ranked, others).item(), -by_hand / 3)
    # With nothing below, it is the likelihood of a permutation: those of all orders add up to 1.
    nothing = torch.full((1, 1), -torch.inf)
    orders = [ranked[:, list(order)] for order in itertools.permutations(range(3))]
    total = sum(float((-3 * relaxed_ranking_loss(order, nothing)).exp()) for order in orders)
    assert total == pytest.approx(1.0, abs=1e-5)


def test_missing_places_of_a_short_list_neither_count_nor_blow_up() -> None:
    ranked = torch.tensor([[1.0, 0.5, -torch.inf], [0.2, 0.1, 0.0]], requires_grad=True)
    others = torch.zeros(2, 4)
    loss = relaxed_ranking_loss(ranked, others)
    loss.backward()
    assert ranked.grad is not None
    assert torch.isfinite(ranked.grad).all()
    short = relaxed_ranking_loss(ranked[:1, :2].detach(), others[:1])
    long = relaxed_ranking_loss(ranked[1:].detach(), others[1:])
    torch.testing.assert_close(loss.detach(), (2 * short + 3 * long) / 5)


def test_groups_share_popularity_evenly() -> None:
    popularity = torch.tensor([1, 8, 1, 2, 4, 0, 8, 8])
    groups = popularity_groups(popularity, 4)
    assert groups.tolist() == [3, 0, 3, 3, 3, 3, 1, 2]


def test_lists_among_some_items_hold_no_others(graph: Graph, backbone: Backbone) -> None:
    among = torch.zeros(graph.n_items, dtype=torch.bool)
    among[::7] = True
    items, scores = teacher_lists(backbone, graph, 10, among)
    assert among[items[torch.isfinite(scores)]].all()
    assert torch.equal(scores, scores.sort(1, descending=True).values)


def test_score_and_vector_lessons_are_least_where_student_and_teacher_agree() -> None:
    generator = make_generator(0)
    teacher, other = torch.randn(40, generator=generator), torch.randn(40, generator=generator)
    assert score_loss(teacher, teacher) < score_loss(teacher, other)
    vectors, noise = torch.randn(20, 8, generator=generator), torch.randn(20, 8, generator=generator)
    assert contrast(3 * vectors, vectors, 0.1) < contrast(noise, vectors, 0.1)


def test_users_who_have_seen_nearly_everything_are_taught_without_trouble(backbone: Backbone) -> None:
    everything = [(user, item) for user in range(6) for item in range(12) if (user, item) != (0, 0)]
    users, items = np.array(everything).T
    graph = Graph(UserItems.from_pairs(users, items, 6, 12))
    small = fit_embeddings("lightgcn", graph, TrainingConfig(dim=8, layers=1, epochs=2, batch_size=16), 0)
    for case in METHODS:
        method, params, lesson = case.values
        made = compress(method, params(dim=2, **lesson), graph, small)  # type: ignore[operator,arg-type]  # untyped
        assert torch.isfinite(made.items.decode()).all()
