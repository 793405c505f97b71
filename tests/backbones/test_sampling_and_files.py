"""LightGCN against PyG, sampling, and checkpoints."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from recpress.backbones import checkpoint
from recpress.backbones import objective as objective_module
from recpress.backbones.catalogue import backbone
from recpress.backbones.objective import Embed, Objective
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


def test_a_user_without_negatives_gets_one_of_their_own() -> None:
    everything = UserItems.from_pairs(np.zeros(5, int), np.arange(5), 1, 5)
    sampler = Sampler(everything, torch.Generator().manual_seed(0))
    users = torch.zeros(7, dtype=torch.long)
    negatives = sampler.negatives(users, 2)
    assert negatives.shape == (7, 2)
    assert sampler.contains(users[:, None].expand_as(negatives), negatives).all()


@pytest.mark.parametrize("block", [1, 2**20])
def test_a_negative_is_the_candidate_that_scores_highest(
    block: int, graph: Graph, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(objective_module, "BLOCK", block)
    table = torch.randn(graph.n_nodes, 4, generator=torch.Generator().manual_seed(2))
    users, items = torch.split(table, [graph.n_users, graph.n_items])
    batch = torch.arange(graph.n_users)
    objective = Objective(graph, Recipe(dim=4, negatives=2, candidates=5), torch.Generator().manual_seed(3))
    chosen = objective.negatives(batch, Embed.of(users, items))
    assert chosen.shape == (graph.n_users, 2)
    # The same ten draws, five for each of the two negatives, without what the user has.
    drawn = torch.randint(graph.n_items, (graph.n_users, 10), generator=torch.Generator().manual_seed(3))
    own = objective.sampler.contains(batch[:, None].expand_as(drawn), drawn)
    scores = (users @ items.T).gather(1, drawn).masked_fill(own, -torch.inf).view(-1, 2, 5).amax(2)
    some = scores.isfinite()
    assert own.any()
    assert some.any()
    torch.testing.assert_close((users @ items.T).gather(1, chosen)[some], scores[some])
    assert not objective.sampler.contains(batch[:, None].expand_as(chosen), chosen).any()


def test_a_user_who_has_all_candidates_gets_another_negative() -> None:
    # The last item alone is no interaction.
    sampler = Sampler(
        UserItems.from_pairs(np.zeros(9, np.int64), np.arange(9), 1, 10), torch.Generator().manual_seed(0)
    )
    drawn = torch.arange(4).repeat(50, 1)
    chosen = sampler.best(torch.zeros(50, dtype=torch.long), drawn, torch.rand(50, 4))
    assert (chosen == 9).float().mean() > 0.7  # MAX_DRAWS tries find one item of ten nearly always


@pytest.mark.parametrize("loss", ["bpr", "softmax"])
def test_vectors_looked_up_once_cost_what_they_cost_looked_up_twice(loss: str, graph: Graph) -> None:
    found = []
    for once in (True, False):
        objective = Objective(
            graph, Recipe(dim=4, loss=loss, negatives=3, regularisation=0.5), torch.Generator().manual_seed(0)
        )
        generator = torch.Generator().manual_seed(1)
        tables = [torch.randn(size, 4, generator=generator).requires_grad_() for size in (graph.n_users, graph.n_items)]
        final = Embed.of(*tables)
        value = objective.loss(next(objective.sampler.epoch(64)), final, final if once else Embed.of(*tables))
        value.backward()
        found.append([value, *(table.grad for table in tables)])
    for one, two in zip(*found, strict=True):
        torch.testing.assert_close(one, two)


def test_a_damaged_checkpoint_is_refused(graph: Graph, tmp_path: Path) -> None:
    made = backbone("mf").fit(graph, Recipe(dim=4, epochs=1), 0)
    checkpoint.write(tmp_path, made)
    facts = (tmp_path / "backbone.json").read_text()
    (tmp_path / "backbone.json").write_text(facts.replace(made.sha256(), "0" * 64))
    with pytest.raises(UserError, match="damaged"):
        checkpoint.read(tmp_path)
