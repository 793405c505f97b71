"""The hits in a results folder: one row a run, whoever else writes, and nothing read that isn't ours."""

from __future__ import annotations

import zlib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from recpress.core.errors import UserError
from recpress.data.interactions import UserItems
from recpress.evaluation import evaluable, means, per_user
from recpress.evaluation.store import PerUser
from recpress.experiments import per_user_hits
from recpress.records.record import Identity, Provenance, Quality, Record

N_USERS, N_ITEMS = 30, 50
SHA = "ab" * 32


@pytest.fixture(scope="module")
def held_out() -> UserItems:
    rng = np.random.default_rng(0)
    return UserItems.from_pairs(rng.integers(0, N_USERS - 2, 200), rng.integers(0, N_ITEMS, 200), N_USERS, N_ITEMS)


def served(test: UserItems, seed: int, variant: str = "1/4") -> tuple[Record, PerUser]:
    """What a run of this seed leaves."""
    rng = np.random.default_rng(seed)
    users = evaluable(test)
    topk = np.stack([rng.permutation(N_ITEMS)[:20] for _ in users]).astype(np.int32)
    scored = PerUser(users, per_user(topk, users, test, [20]), topk)
    quality = Quality(
        metrics=means(scored.metrics), retention={}, users=len(users), users_left_out=2, topk_sha256=f"{seed:064x}"
    )
    return record(seed, variant, quality), scored


def record(seed: int, variant: str = "1/4", quality: Quality | None = None) -> Record:
    who = Identity(
        key=SHA,
        dataset="made-up",
        split=SHA,
        protocol="standard",
        backbone="mf",
        checkpoint=None,
        family="sharing",
        method="hashing",
        division="closed",
        serve_form="table",
        variant=variant,
        budget=None,
        params={},
        seed=seed,
    )
    made = Provenance(
        started="2026-10-01T00:00:00Z",
        seconds=1,
        recpress="0.1.0",
        commit=None,
        dirty=None,
        command="recpress run",
        python="3.11",
        packages={},
        machine="0" * 16,
        load_average=None,
    )
    return Record(status="ok" if quality else "failed", identity=who, quality=quality, provenance=made)


def test_jobs_that_end_together_lose_nothing_and_what_is_read_is_what_was_scored(
    tmp_path: Path, held_out: UserItems
) -> None:
    runs = [served(held_out, seed, variant) for variant in ("1/4", "1/8") for seed in range(8)]
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda run: per_user_hits.keep(tmp_path, *run, held_out), runs))
    store = per_user_hits.Store(tmp_path)
    for made, scored in runs:
        for name, values in scored.metrics.items():
            np.testing.assert_array_equal(store.hits(made).values(name), values)
    np.testing.assert_array_equal(store.users(runs[0][0].identity).users, evaluable(held_out))
    kept = sorted(path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*") if path.is_file())
    assert kept == ["per-user/made-up/mf/hashing.parquet", "per-user/made-up/users-abababababab.parquet"]


def test_a_run_again_replaces_its_row_and_a_failed_one_removes_it(tmp_path: Path, held_out: UserItems) -> None:
    first, scored = served(held_out, 0)
    beside = served(held_out, 1)
    for run in ((first, scored), beside):
        per_user_hits.keep(tmp_path, *run, held_out)
    again, scored = served(held_out, 7)
    again = again.model_copy(update={"identity": first.identity})
    per_user_hits.keep(tmp_path, again, scored, held_out)
    assert per_user_hits.Store(tmp_path).has(again)
    assert not per_user_hits.Store(tmp_path).has(first)
    per_user_hits.keep(tmp_path, record(0), None, held_out)
    assert not per_user_hits.Store(tmp_path).has(again)
    assert per_user_hits.Store(tmp_path).has(beside[0])
    per_user_hits.keep(tmp_path, record(1), None, held_out)
    assert not (tmp_path / per_user_hits.rows_place(first.identity)).exists()
    per_user_hits.keep(tmp_path, record(1), None, held_out)


def test_the_same_runs_make_the_same_file_in_any_order(tmp_path: Path, held_out: UserItems) -> None:
    runs = [served(held_out, seed) for seed in range(3)]
    for folder, order in (("a", runs), ("b", runs[::-1])):
        for run in order:
            per_user_hits.keep(tmp_path / folder, *run, held_out)
    place = per_user_hits.rows_place(runs[0][0].identity)
    assert (tmp_path / "a" / place).read_bytes() == (tmp_path / "b" / place).read_bytes()


@pytest.mark.parametrize(
    ("table", "said"),
    [
        (pa.table({"user": [1, 1], "n_test": [3, 3]}, per_user_hits.USERS), "out of order"),
        (pa.table({"user": [1, 2], "n_test": [3, 0]}, per_user_hits.USERS), "without test items"),
        (pa.table({"user": [1, 2]}), "doesn't have the columns user, n_test"),
        (pa.table({"user": [1.5, 2], "n_test": [3, 3]}), "doesn't have the columns"),
        (pa.table({"user": pa.array([1, None]), "n_test": [3, 3]}), "doesn't have the columns"),
        (pa.table([np.arange(10**7), np.ones(10**7, int)], per_user_hits.USERS), "doesn't have the columns"),
    ],
)
def test_users_that_are_not_ours_are_refused(tmp_path: Path, held_out: UserItems, table: pa.Table, said: str) -> None:
    made, scored = served(held_out, 0)
    per_user_hits.keep(tmp_path, made, scored, held_out)
    pq.write_table(table, tmp_path / per_user_hits.users_place(made.identity), compression="zstd", use_dictionary=False)
    with pytest.raises(UserError, match=said):
        per_user_hits.Store(tmp_path).hits(made)


def test_hits_that_unfold_to_more_than_there_are_places_are_refused(tmp_path: Path, held_out: UserItems) -> None:
    made, scored = served(held_out, 0)
    per_user_hits.keep(tmp_path, made, scored, held_out)
    path = tmp_path / per_user_hits.rows_place(made.identity)
    rows = pq.read_table(path).to_pylist()
    pq.write_table(pa.Table.from_pylist([rows[0] | {"hits": zlib.compress(bytes(10**7))}], per_user_hits.ROWS), path)
    with pytest.raises(UserError, match="don't have the means"):
        per_user_hits.Store(tmp_path).hits(made)
