"""A navigable graph: exact with all rows in view, closer with more, charged for its lists."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from recpress.methods.search.hnsw.method import HnswParams, graph_bytes

from recpress.api import Artefact, Dense, Uniform, UserItems, make_generator
from recpress.codecs import restore
from recpress.codecs.search.navigable import Navigable, NavigableScorer, floors
from recpress.serve.recommender import Recommender

N, USERS, D = 3000, 30, 24

Tables = tuple[torch.Tensor, torch.Tensor]


@pytest.fixture(scope="module")
def tables() -> Tables:
    generator = make_generator(0)
    return torch.randn(USERS, D, generator=generator), torch.randn(N, D, generator=generator)


@pytest.fixture(scope="module")
def seen() -> UserItems:
    rng = np.random.default_rng(0)
    return UserItems.from_pairs(np.repeat(np.arange(USERS), 6), rng.integers(0, N, 6 * USERS), USERS, N)


@pytest.fixture(scope="module")
def made(tables: Tables) -> Navigable:
    return Navigable.encode(Dense.encode(tables[1]), 8, 40, 100)


def lists(made: Navigable, users: torch.Tensor, seen: UserItems, depth: int, k: int = 10) -> np.ndarray:
    again = restore(made.spec() | {"depth": depth}, made.tensors())
    return Recommender(Artefact(Dense.encode(users), again), seen).recommend_all(k)


def exact(tables: Tables, seen: UserItems, k: int = 10) -> np.ndarray:
    return Recommender(Artefact(*map(Dense.encode, tables)), seen).recommend_all(k)


def agreement(found: np.ndarray, right: np.ndarray) -> float:
    return float(np.mean([len(set(a) & set(b)) / len(a) for a, b in zip(found, right, strict=True)]))


def test_more_rows_in_view_come_closer_to_exact_search_and_seen_rows_stay_out(
    tables: Tables, seen: UserItems, made: Navigable
) -> None:
    right, agreed = exact(tables, seen), []
    for depth in (10, 20, 100, N):
        found = lists(made, tables[0], seen, depth)
        assert not any(set(seen.of(user)) & set(found[user]) for user in range(USERS))
        agreed.append(agreement(found, right))
    assert agreed[0] < agreed[1] < agreed[2] <= agreed[3]
    # A row that is nobody's neighbour is not found even so: about two in a hundred here, and none of them near a query.
    assert agreed[3] > 0.99


def test_who_has_seen_all_that_scores_best_still_gets_a_close_list(tables: Tables, made: Navigable) -> None:
    best = exact(tables, UserItems(np.zeros(USERS + 1, np.int64), np.empty(0, np.int32), N), 300)
    seen = UserItems.from_pairs(np.repeat(np.arange(USERS), 300), best.ravel(), USERS, N)
    assert agreement(lists(made, tables[0], seen, 100), exact(tables, seen)) > 0.9


def test_what_comes_first_does_not_depend_on_how_much_is_asked_for(
    tables: Tables, seen: UserItems, made: Navigable
) -> None:
    long = lists(made, tables[0], seen, 20, k=N + 5)
    for k in (0, 1, 10, 60):
        assert (lists(made, tables[0], seen, 20, k=k) == long[:, :k]).all()
    left = N - seen.counts
    for user in range(USERS):
        assert (long[user, left[user] :] == -1).all()
        unseen = np.setdiff1d(np.arange(N), seen.of(user))
        assert (np.sort(long[user, : left[user]]) == unseen).all()


def test_rows_that_no_walk_reaches_follow(seen: UserItems) -> None:
    users, items = torch.ones(USERS, 2), torch.zeros(N, 2)
    found = lists(Navigable.encode(Dense.encode(items), 4, 20, 100), users, seen, 100, k=N)
    assert all(len(set(found[user]) - {-1}) == N - seen.counts[user] for user in range(USERS))


def test_the_graph_is_charged_and_restores_to_the_same_bytes_and_lists(tables: Tables, seen: UserItems) -> None:
    users, items = tables
    inner = Uniform.encode(items)
    made, twin, other = (Navigable.encode(inner, 8, 40, 100, seed=seed) for seed in (3, 3, 4))
    assert all(torch.equal(a, b) for a, b in zip(made.tensors().values(), twin.tensors().values(), strict=True))
    assert not torch.equal(made.levels, other.levels)
    graph = (made.breakdown() - inner.breakdown())["graph"]
    assert graph == sum(tensor.nbytes for name, tensor in made.tensors().items() if not name.startswith("table."))
    assert 0 < graph <= graph_bytes(N, 8)
    # Fewer bytes than two for each neighbour: the lists are sets.
    assert graph < 2 * made.lists.values.shape[1]
    again = restore(made.spec(), made.tensors())
    first, second = (each.scorer().top(users, seen, np.arange(USERS), 7) for each in (made, again))  # type: ignore[attr-defined]  # a TopKScorer
    assert (first[0] == second[0]).all()
    assert (first[1] == second[1]).all()
    scorer = made.scorer()
    assert isinstance(scorer, NavigableScorer)
    torch.testing.assert_close(scorer.scores(users), users @ inner.decode().T, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("n", [1, 2, 40, 3000])
@pytest.mark.parametrize("m", [2, 16, 64])
def test_the_bound_on_bytes_holds(n: int, m: int, tables: Tables, tmp_path: Path) -> None:
    rows = Dense.encode(tables[1][:n])
    sizes = []
    for name, codec in (("plain", rows), ("walked", Navigable.encode(rows, m, 20, 100))):
        Artefact(Dense.encode(tables[0]), codec).save(tmp_path / name)
        sizes.append(sum(file.stat().st_size for file in (tmp_path / name).iterdir()))
    assert sizes[1] - sizes[0] <= graph_bytes(n, m)


def test_damage_is_refused(tables: Tables, made: Navigable) -> None:
    levels, inside = made.levels, made.tensors()
    top = levels.clone()
    top[int(levels.argmin())] = 9
    with pytest.raises(ValueError, match="aren't those"):
        restore(made.spec(), inside | {"levels": top})
    for entry in (int(levels.argmin()), -1, N):
        with pytest.raises(ValueError, match="where a walk starts"):
            restore(made.spec() | {"entry": entry}, inside)
    with pytest.raises(ValueError, match="room"):
        restore(made.spec() | {"m": 4}, inside)
    # The same number of lists, of other rows.
    order = torch.arange(N)
    low, high = int((levels == 1).nonzero()[0]), int((levels == 2).nonzero()[0])
    order[[low, high]] = order[[high, low]]
    with pytest.raises(ValueError, match=r"level of the list|room"):
        restore(made.spec(), inside | {"levels": levels[order]})
    with pytest.raises(ValueError, match="finite"):
        Navigable.encode(Dense.encode(torch.full((3, 2), torch.nan)), 4, 20, 100)
    with pytest.raises(ValueError, match="NaN"):
        made.scorer().top(
            torch.full((1, D), torch.nan), UserItems(np.zeros(2, np.int64), np.empty(0, np.int32), N), np.array([0]), 5
        )  # type: ignore[attr-defined]  # a TopKScorer


def test_lists_lie_in_the_order_of_rows_and_levels() -> None:
    assert floors(np.array([1, 3, 2])).tolist() == [0, 0, 1, 2, 0, 1]


def test_a_view_shorter_than_the_longest_list_is_refused() -> None:
    with pytest.raises(ValueError, match="100"):
        HnswParams(search=20)
