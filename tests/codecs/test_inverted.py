"""Inverted lists: exact when all are visited, closer with more, charged for the index."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from recpress.api import Artefact, Dense, Uniform, UserItems, make_generator
from recpress.codecs import restore
from recpress.codecs.search.inverted import Inverted, InvertedScorer
from recpress.serve.recommender import Recommender

N, USERS, D = 400, 30, 12


@pytest.fixture(scope="module")
def tables() -> tuple[torch.Tensor, torch.Tensor]:
    generator = make_generator(0)
    return torch.randn(USERS, D, generator=generator), torch.randn(N, D, generator=generator)


@pytest.fixture(scope="module")
def seen() -> UserItems:
    rng = np.random.default_rng(0)
    return UserItems.from_pairs(np.repeat(np.arange(USERS), 6), rng.integers(0, N, 6 * USERS), USERS, N)


def lists(users: torch.Tensor, items: torch.Tensor, seen: UserItems, probes: int, k: int = 10) -> np.ndarray:
    made = Inverted.encode(items, Dense.encode(items), 20, probes)
    return Recommender(Artefact(Dense.encode(users), made), seen).recommend_all(k)


def test_visiting_every_list_is_exact(tables: tuple[torch.Tensor, torch.Tensor], seen: UserItems) -> None:
    users, items = tables
    exact = Recommender(Artefact(Dense.encode(users), Dense.encode(items)), seen).recommend_all(10)
    assert (lists(users, items, seen, 20) == exact).all()


def test_more_visits_come_closer_and_seen_items_stay_out(
    tables: tuple[torch.Tensor, torch.Tensor], seen: UserItems
) -> None:
    users, items = tables
    exact = lists(users, items, seen, 20)
    agreed = []
    for probes in (1, 4, 12):
        found = lists(users, items, seen, probes)
        assert not any(set(seen.of(user)) & set(found[user]) for user in range(USERS))
        agreed.append(np.mean([len(set(a) & set(b)) for a, b in zip(found, exact, strict=True)]))
    assert agreed[0] < agreed[1] < agreed[2] < 10


def test_lists_that_are_too_short_are_followed_by_the_others(
    tables: tuple[torch.Tensor, torch.Tensor], seen: UserItems
) -> None:
    users, items = tables
    long = lists(users, items, seen, 1, k=N + 5)
    left = N - seen.counts
    assert all(
        (long[user, : left[user]] >= 0).all() and (long[user, left[user] :] == -1).all() for user in range(USERS)
    )


def test_what_comes_first_does_not_depend_on_how_much_is_asked_for(
    tables: tuple[torch.Tensor, torch.Tensor], seen: UserItems
) -> None:
    users, items = tables
    long = lists(users, items, seen, 2, k=N)
    for k in (1, 10, 60):
        assert (lists(users, items, seen, 2, k=k) == long[:, :k]).all()


def test_equal_scores_are_ranked_by_row(seen: UserItems) -> None:
    users, items = torch.ones(USERS, 2), torch.ones(N, 2)
    found = lists(users, items, seen, 20, k=5)
    expected = [np.setdiff1d(np.arange(N), seen.of(user))[:5] for user in range(USERS)]
    assert (found == np.stack(expected)).all()


def test_the_index_is_charged_and_restores(tables: tuple[torch.Tensor, torch.Tensor], seen: UserItems) -> None:
    users, items = tables
    stored = Uniform.encode(items)
    made = Inverted.encode(items, stored, 20, 5, seed=3)
    assert made.breakdown() - stored.breakdown() == {"codebooks": 2 * 20 * D, "indices": N}
    assert all(
        torch.equal(a, b)
        for a, b in zip(
            made.tensors().values(), Inverted.encode(items, stored, 20, 5, seed=3).tensors().values(), strict=True
        )
    )
    again = restore(made.spec(), made.tensors())
    first, second = (each.scorer().top(users, seen, np.arange(USERS), 7) for each in (made, again))  # type: ignore[attr-defined]  # a TopKScorer
    assert (first[0] == second[0]).all()
    assert (first[1] == second[1]).all()
    scorer = made.scorer()
    assert isinstance(scorer, InvertedScorer)
    torch.testing.assert_close(scorer.scores(users), users @ stored.decode().T, rtol=1e-5, atol=1e-5)


def test_damage_and_wrong_sizes_are_refused(tables: tuple[torch.Tensor, torch.Tensor], tmp_path: Path) -> None:
    items = tables[1]
    made = Inverted.encode(items, Dense.encode(items), 20, 5)
    with pytest.raises(ValueError, match="isn't there"):
        restore(made.spec(), made.tensors() | {"lists": torch.full((N,), 20, dtype=torch.uint8)})
    with pytest.raises(ValueError, match="can't be visited"):
        restore(made.spec() | {"probes": 21}, made.tensors())
    with pytest.raises(ValueError, match="columns"):
        restore(made.spec(), made.tensors() | {"centres": made.centres[:, 1:]})
    for cells, probes in ((N + 1, 1), (4, 5), (0, 0)):
        with pytest.raises(ValueError, match="can't be visited"):
            Inverted.encode(items, Dense.encode(items), cells, probes)
    with pytest.raises(ValueError, match="finite"):
        Inverted.encode(torch.full((3, 2), torch.nan), Dense.encode(torch.zeros(3, 2)), 1, 1)
