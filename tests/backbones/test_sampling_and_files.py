"""LightGCN against PyG, sampling, and checkpoints."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from recpress.backbones import checkpoint
from recpress.backbones.catalogue import backbone
from recpress.backbones.config import TrainingConfig
from recpress.backbones.propagate import Propagation
from recpress.backbones.training.objective import Embed, Objective
from recpress.backbones.training.sampling import Sampler
from recpress.core.errors import UserError
from recpress.data.graph import Graph
from recpress.data.interactions import UserItems


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


def test_users_with_most_items_have_no_false_negatives() -> None:
    counts = {0: 180, 1: 199, 2: 20, 3: 200}
    pairs = [(user, (7 * place + user) % 200) for user, count in counts.items() for place in range(count)]
    owned = UserItems.from_pairs(*np.array(pairs).T, 4, 200)
    sampler = Sampler(owned, torch.Generator().manual_seed(0))
    users = torch.tensor([0, 1, 2]).repeat(2000)
    for drawn in (
        sampler.negatives(users, 3),
        sampler.best(users, sampler.uniform(len(users), 2), torch.zeros(6000, 2)),
    ):
        drawn = drawn.view(len(users), -1)
        assert not sampler.contains(users[:, None].expand_as(drawn), drawn).any()
    often = torch.bincount(sampler.negatives(torch.zeros(40_000, dtype=torch.long), 1).flatten(), minlength=200)
    assert (often > 0).sum() == 20
    assert 1800 < often[often > 0].min() <= often.max() < 2200
    assert sampler.negatives(torch.full((5,), 3), 2).shape == (5, 2)


def test_nobody_below_the_share_draws_otherwise() -> None:
    owned = UserItems.from_pairs(np.zeros(150, int), np.arange(150), 1, 200)
    one, other = (torch.Generator().manual_seed(0) for _ in range(2))
    found = Sampler(owned, one).negatives(torch.zeros(100, dtype=torch.long), 1).flatten()
    expected = torch.randint(200, (100, 1), generator=other).flatten()
    for _ in range(16):
        again = (expected < 150).nonzero().flatten()
        expected[again] = torch.randint(200, (len(again),), generator=other)
    assert torch.equal(found, expected)


def test_a_user_without_negatives_gets_one_of_their_own() -> None:
    everything = UserItems.from_pairs(np.zeros(5, int), np.arange(5), 1, 5)
    sampler = Sampler(everything, torch.Generator().manual_seed(0))
    users = torch.zeros(7, dtype=torch.long)
    negatives = sampler.negatives(users, 2)
    assert negatives.shape == (7, 2)
    assert sampler.contains(users[:, None].expand_as(negatives), negatives).all()


def test_a_negative_is_the_candidate_that_scores_highest(graph: Graph) -> None:
    table = torch.randn(graph.n_nodes, 4, generator=torch.Generator().manual_seed(2))
    users, items = torch.split(table, [graph.n_users, graph.n_items])
    batch = torch.arange(graph.n_users)
    objective = Objective(graph, TrainingConfig(dim=4, negatives=2, candidates=5), torch.Generator().manual_seed(3))
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


@pytest.mark.parametrize("threads", [1, 3])
@pytest.mark.parametrize("drawn_for_each", [0, 1, 7])
def test_scores_of_drawn_items_are_products_of_rows(drawn_for_each: int, threads: int, graph: Graph) -> None:
    generator = torch.Generator().manual_seed(0)
    users, items = (torch.randn(size, 5, generator=generator) for size in (graph.n_users, graph.n_items))
    drawn = torch.randint(graph.n_items, (graph.n_users, drawn_for_each), generator=generator)
    objective = Objective(graph, TrainingConfig(dim=5), generator)
    expected = (users @ items.T).gather(1, drawn)
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        # Looked up in tables, and by functions: fewer items than there are, or more.
        for embed in (Embed.of(users, items), Embed(lambda ids: users[ids], lambda ids: items[ids])):
            for some in (3, graph.n_users):
                torch.testing.assert_close(objective.scores(users[:some], drawn[:some], embed), expected[:some])
    finally:
        torch.set_num_threads(before)


@pytest.mark.parametrize("dropout", [0.0, 0.5])
def test_the_contrastive_loss_is_that_of_all_negatives(dropout: float, graph: Graph) -> None:
    config = TrainingConfig(dim=4, loss="ccl", negatives=9, negative_weight=3.0, margin=0.3, dropout=dropout)
    objective = Objective(graph, config, torch.Generator().manual_seed(0))
    generator = torch.Generator().manual_seed(1)
    tables = [torch.randn(size, 4, generator=generator).requires_grad_() for size in (graph.n_users, graph.n_items)]
    batch = next(objective.sampler.epoch(32))
    replay = torch.Generator()
    replay.set_state(objective.sampler.generator.get_state())
    base = Embed.of(*tables)
    found = objective.loss(batch, objective.scored_rows(base), base)
    users, items = (F.normalize(table) for table in tables)
    users = users[batch.users]
    if dropout:
        users = users * (torch.rand(users.shape, generator=replay) >= dropout) / (1 - dropout)
    drawn = torch.randint(graph.n_items, (32, 9), generator=replay)
    cosines = torch.einsum("bd,bnd->bn", users, items[drawn])
    expected = 1 - (users * items[batch.items]).sum(1).mean() + 3.0 * (cosines - 0.3).relu().mean()
    torch.testing.assert_close(found, expected)
    one, two = (torch.autograd.grad(value, tables) for value in (found, expected))
    torch.testing.assert_close(one, two)


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
            graph, TrainingConfig(dim=4, loss=loss, negatives=3, regularisation=0.5), torch.Generator().manual_seed(0)
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
    made = backbone("mf").fit(graph, TrainingConfig(dim=4, epochs=1), 0)
    checkpoint.write(tmp_path, made)
    facts = (tmp_path / "backbone.json").read_text()
    (tmp_path / "backbone.json").write_text(facts.replace(made.sha256(), "0" * 64))
    with pytest.raises(UserError, match="damaged"):
        checkpoint.read(tmp_path)
