"""Pruning while training: exact counts, zeros that hold, values that may come back, kernels that agree."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from recpress.methods.control.continued.method import Continued, ContinuedParams
from recpress.methods.pruning.gradual.method import Gradual, GradualParams, sparsity_at
from recpress.methods.pruning.lottery.method import Lottery, LotteryParams, sparsity_after
from recpress.methods.pruning.pep.method import Pep, PepParams, soft_threshold

from recpress.api import Artefact, Graph, Method, Task, make_generator
from recpress.backbones.base import Backbone, fit_embeddings
from recpress.backbones.config import TrainingConfig
from recpress.backbones.training.retrain import Retraining
from recpress.compression.pruning import largest_mask


@pytest.fixture(scope="module")
def factors(graph: Graph) -> Backbone:
    config = TrainingConfig(dim=16, loss="softmax", negatives=64, learning_rate=0.02, epochs=5, batch_size=1024)
    return fit_embeddings("mf", graph, config, seed=0)


def compress(method: Method[Any], params: Any, graph: Graph, backbone: Backbone) -> Artefact:
    return method.compress(Task(graph, backbone, params, 0, make_generator(0), lambda share: None))


def tables(made: Artefact) -> torch.Tensor:
    return torch.cat([made.users.decode(), made.items.decode()])


PRUNERS = [
    pytest.param(Gradual(), lambda sparsity: GradualParams(sparsity=sparsity, epochs=2, values="fp32"), id="gradual"),
    pytest.param(Lottery(), lambda sparsity: LotteryParams(sparsity=sparsity, epochs=1, values="fp32"), id="lottery"),
    pytest.param(Pep(), lambda sparsity: PepParams(sparsity=sparsity, epochs=1, values="fp32"), id="pep"),
]


@pytest.mark.parametrize(("method", "params"), PRUNERS)
@pytest.mark.parametrize("which", ["backbone", "factors"])
def test_the_realised_sparsity_is_exact(
    method: Method[Any], params: Any, which: str, graph: Graph, request: pytest.FixtureRequest
) -> None:
    backbone = request.getfixturevalue(which)
    for sparsity in (0.5, 0.813):
        table = tables(compress(method, params(sparsity), graph, backbone))
        assert int((table == 0).sum()) == round(sparsity * table.numel())


@pytest.mark.parametrize("which", ["backbone", "factors"])
def test_without_sparsity_it_is_continued_training_bit_for_bit(
    which: str, graph: Graph, request: pytest.FixtureRequest
) -> None:
    backbone = request.getfixturevalue(which)
    plain = tables(compress(Continued(), ContinuedParams(epochs=2, rate=0.5), graph, backbone))
    same = compress(Gradual(), GradualParams(epochs=2, rate=0.5, sparsity=0, values="fp32"), graph, backbone)
    assert torch.equal(tables(same), plain)


@pytest.mark.parametrize(("method", "params"), PRUNERS)
def test_the_sparse_kernel_scores_as_the_masked_dense_table(
    method: Method[Any], params: Any, graph: Graph, backbone: Backbone
) -> None:
    made = compress(method, params(0.9), graph, backbone)
    queries = torch.randn(5, 16, generator=make_generator(3))
    dense = queries @ made.items.decode().T
    torch.testing.assert_close(made.items.scorer().scores(queries), dense, rtol=0, atol=1e-6)


def test_masked_values_get_no_gradient_and_keep_no_moments(graph: Graph, factors: Backbone) -> None:
    training = Retraining(factors, graph, make_generator(0))
    base = training.start.clone().requires_grad_()
    mask = largest_mask(base.detach().abs().view(1, -1), 0.5).view_as(base)
    training.minimise_masked(base, mask, 2, 1.0, lambda share: None)
    moved = base.detach() != training.start
    assert not moved[~mask].any()
    assert moved[mask].float().mean() > 0.9


def test_a_masked_value_may_come_back(graph: Graph, backbone: Backbone) -> None:
    training = Retraining(backbone, graph, make_generator(0))
    objective, base = training.objective, training.start.clone().requires_grad_()
    mask = torch.ones_like(base, dtype=torch.bool)
    ever, returned = torch.zeros_like(mask), torch.zeros_like(mask)

    def choose(step: int) -> None:
        returned.logical_or_(ever & largest_mask(objective.final(base).abs().view(1, -1), 0.5).view_as(mask))
        mask.copy_(largest_mask(objective.final(base).abs().view(1, -1), 0.5).view_as(mask))
        ever.logical_or_(~mask)

    with torch.no_grad():
        choose(0)
    training.minimise_masked(base, mask, 3, 1.0, lambda share: None, lambda step: torch.no_grad()(choose)(step))
    assert returned.any()


def test_masks_break_ties_by_place() -> None:
    ties = torch.ones(1, 7)
    assert largest_mask(ties, 3 / 7).tolist() == [[True] * 4 + [False] * 3]


def test_schedules_end_where_they_should() -> None:
    assert sparsity_at(0.0, 0.8) == 0
    assert sparsity_at(0.5, 0.8) == pytest.approx(0.7)
    assert sparsity_at(1.0, 0.8) == sparsity_at(3.0, 0.8) == 0.8
    assert [sparsity_after(done, 3, 0.875) for done in range(4)] == pytest.approx([0, 0.5, 0.75, 0.875])


def test_gradients_reach_thresholds_and_only_what_is_above_them() -> None:
    table = torch.tensor([[0.5, -2.0, 0.1], [1.0, 0.2, -0.3]], requires_grad=True)
    s = torch.full((2, 1), -1.0, requires_grad=True)
    thinned = soft_threshold(table, s)
    threshold = 1 / (1 + math.e)
    torch.testing.assert_close(thinned[0].detach(), torch.tensor([0.5 - threshold, threshold - 2.0, 0.0]))
    thinned.square().sum().backward()
    assert table.grad is not None
    assert s.grad is not None
    assert torch.equal(table.grad != 0, thinned != 0)
    assert (s.grad < 0).all()


def test_learned_thresholds_choose_other_values_than_magnitude_alone(graph: Graph, backbone: Backbone) -> None:
    learned = tables(compress(Pep(), PepParams(sparsity=0.8, epochs=3, rate=1.0, values="fp32"), graph, backbone))
    fixed = PepParams(sparsity=0.8, epochs=3, rate=1.0, start=-80.0, values="fp32")
    assert ((learned != 0) != (tables(compress(Pep(), fixed, graph, backbone)) != 0)).any()
