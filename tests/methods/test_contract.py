"""What every registered method must do; a new method is tested without a line added here."""

from __future__ import annotations

from contextlib import suppress
from fractions import Fraction
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import torch

from recpress import registry
from recpress.api import (
    METADATA_BYTES,
    TOLERANCE,
    Artefact,
    BudgetUnreachable,
    Graph,
    Method,
    Shape,
    Task,
    make_generator,
    method_class,
)
from recpress.backbones.base import Backbone
from recpress.codecs import KINDS
from recpress.compression.rotation import principal
from recpress.serve.recommender import Recommender

BUDGETS = [Fraction(1, 2**power) for power in range(7)]


def make(name: str) -> Method[Any]:
    return method_class(registry.method(name).module())()


def compress(name: str, graph: Graph, backbone: Backbone, budget: Fraction | None = None) -> Artefact:
    method = make(name)
    shape = Shape(graph.n_users, graph.n_items, backbone.users.shape[1], graph.user_items.nnz)
    params = method.Params() if budget is None else method.params_for(int(budget * shape.dense_bytes), shape)
    if budget is not None and "epochs" in method.Params.model_fields:
        params = params.model_copy(update={"epochs": 1})  # bytes don't depend on how long it trains
    return method.compress(Task(graph, backbone, params, 0, make_generator(0), lambda share: None))


@pytest.mark.parametrize("name", registry.methods())
def test_the_card_is_complete(name: str) -> None:
    card = registry.method(name).card
    assert all((card.title, card.formula, card.license))


@pytest.mark.parametrize("name", registry.methods())
def test_params_have_defaults_and_descriptions(name: str) -> None:
    params = make(name).Params
    params()
    assert all(field.description for field in params.model_fields.values())


@pytest.mark.parametrize("name", registry.methods())
def test_reloads_to_the_same_lists_and_leaves_the_backbone_alone(
    name: str, graph: Graph, backbone: Backbone, tmp_path: Path
) -> None:
    before = backbone.sha256()
    made = compress(name, graph, backbone)
    made.save(tmp_path / "a")
    assert backbone.sha256() == before
    lists = Recommender(made, graph.user_items).recommend_all(20)
    again = Recommender(Artefact.load(tmp_path / "a"), graph.user_items).recommend_all(20)
    assert (lists == again).all()
    assert not any(set(graph.user_items.of(user)) & set(lists[user]) for user in range(graph.n_users))


@pytest.mark.parametrize("name", registry.methods())
def test_one_seed_gives_the_same_bytes(name: str, graph: Graph, backbone: Backbone, tmp_path: Path) -> None:
    for folder in ("a", "b"):
        compress(name, graph, backbone).save(tmp_path / folder)
    for file in (tmp_path / "a").iterdir():
        assert file.read_bytes() == (tmp_path / "b" / file.name).read_bytes()


@pytest.mark.parametrize("budget", BUDGETS, ids=str)
@pytest.mark.parametrize("name", registry.methods())
def test_budgets_are_met_or_refused(
    name: str, budget: Fraction, graph: Graph, backbone: Backbone, tmp_path: Path
) -> None:
    method, shape = make(name), Shape(100_000, 50_000, 64)
    if budget == 1:
        method.params_for(shape.dense_bytes + METADATA_BYTES, shape)
    else:
        with pytest.raises(BudgetUnreachable, match="bytes"):
            method.params_for(1, shape)
    small = Shape(graph.n_users, graph.n_items, backbone.users.shape[1])
    try:
        made = compress(name, graph, backbone, budget)
    except BudgetUnreachable:
        return
    made.save(tmp_path / "a")
    size = sum(file.stat().st_size for file in (tmp_path / "a").iterdir())
    assert size <= TOLERANCE * budget * small.dense_bytes


@pytest.mark.parametrize("name", registry.methods())
def test_artefacts_are_made_of_declared_codecs_alone(name: str, graph: Graph, backbone: Backbone) -> None:
    declared = set(registry.method(name).card.codecs or KINDS)
    for budget in (None, Fraction(1, 2), Fraction(1, 4), Fraction(1, 16)):
        with suppress(BudgetUnreachable):
            assert compress(name, graph, backbone, budget).kinds() <= declared


def test_pruning_is_exact_and_keeps_the_shape(backbone: Backbone) -> None:
    from recpress.methods.pruning.magnitude.method import prune

    tables = [backbone.users, backbone.items]
    size = sum(table.numel() for table in tables)
    for sparsity in (0.0, 0.5, 0.813, 0.99):
        pruned = prune(tables, sparsity, "global")
        assert [table.shape for table in pruned] == [table.shape for table in tables]
        assert sum(int((table == 0).sum()) for table in pruned) == round(sparsity * size)
        rows = prune(tables, sparsity, "row")[0]
        assert ((rows == 0).sum(1) == round(sparsity * rows.shape[1])).all()


def test_svd_is_the_best_joint_projection(backbone: Backbone) -> None:
    stacked = torch.cat([backbone.users, backbone.items])
    shared = principal(stacked, 5)
    kept = (stacked @ shared).square().sum()
    best = torch.linalg.svdvals(stacked)[:5].square().sum()
    torch.testing.assert_close(kept, best, rtol=1e-4, atol=1e-4)


def test_soft_labels_agree_with_their_definition() -> None:
    from recpress.methods.distillation.distill.method import soft_label_loss

    generator = torch.Generator().manual_seed(0)
    teacher, student = torch.randn(3, 7, generator=generator), torch.randn(3, 7, generator=generator)
    p, q = torch.softmax(teacher / 4, 1), torch.softmax(student / 4, 1)
    by_hand = 16 * (p * (p / q).log()).sum(1).mean()
    torch.testing.assert_close(soft_label_loss(teacher, student, 4.0), by_hand)
    assert soft_label_loss(teacher, teacher, 4.0).abs() < 1e-6


@pytest.mark.parametrize("page", ["tutorial/first-method.md", "how-to/add-a-method.md"])
def test_the_worked_example_meets_its_budget_and_reloads(
    page: str, graph: Graph, backbone: Backbone, tmp_path: Path
) -> None:
    text = (Path(__file__).parents[2] / "benchmark" / "docs" / page).read_text(encoding="utf-8")
    module = ModuleType("example")
    exec(text.split("```python\n")[1].split("```")[0], module.__dict__)
    method = method_class(module)()
    shape = Shape(graph.n_users, graph.n_items, backbone.users.shape[1])
    params = method.params_for(shape.dense_bytes // 4, shape)
    made = method.compress(Task(graph, backbone, params, 0, make_generator(0), lambda share: None))
    made.save(tmp_path / "a")
    assert sum(file.stat().st_size for file in (tmp_path / "a").iterdir()) <= TOLERANCE * shape.dense_bytes / 4
    lists, again = (
        Recommender(each, graph.user_items).recommend_all(20) for each in (made, Artefact.load(tmp_path / "a"))
    )
    assert (lists == again).all()
