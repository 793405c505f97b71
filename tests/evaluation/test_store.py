"""The local store: what comes back is what went in, or one sentence says why not."""

from __future__ import annotations

import numpy as np
import pytest

from recpress.core.errors import UserError
from recpress.evaluation import store


@pytest.fixture
def scored():
    rng = np.random.default_rng(0)
    return store.PerUser(
        users=np.array([1, 4, 7]),
        metrics={"recall@20": rng.random(3), "ndcg@20": rng.random(3)},
        topk=np.array([[3, 1], [2, -1], [0, 5]], np.int32),
    )


def test_round_trip(tmp_path, scored):
    path = tmp_path / "deep" / "cell.parquet"
    sha256 = store.save(path, scored)
    back = store.load(path, sha256)
    np.testing.assert_array_equal(back.users, scored.users)
    np.testing.assert_array_equal(back.topk, scored.topk)
    assert back.topk.dtype == np.int32
    assert back.metrics.keys() == scored.metrics.keys()
    for name, values in scored.metrics.items():
        np.testing.assert_array_equal(back.metrics[name], values)
    assert [file.name for file in path.parent.iterdir()] == ["cell.parquet"]


def test_no_users(tmp_path):
    empty = store.PerUser(np.zeros(0, np.int64), {"recall@5": np.zeros(0)}, np.zeros((0, 5), np.int32))
    path = tmp_path / "cell.parquet"
    assert store.load(path, store.save(path, empty)).topk.shape == (0, 5)


def test_the_hash_is_of_the_content(scored):
    reordered = store.PerUser(scored.users, dict(reversed(scored.metrics.items())), scored.topk)
    assert reordered.sha256() == scored.sha256()
    topk = scored.topk.copy()
    topk[0, 0] = 4
    assert store.PerUser(scored.users, scored.metrics, topk).sha256() != scored.sha256()


def test_missing_broken_and_foreign_files(tmp_path, scored):
    path = tmp_path / "cell.parquet"
    with pytest.raises(UserError, match="are not here"):
        store.load(path)
    path.write_bytes(b"not parquet")
    with pytest.raises(UserError, match="not a readable parquet"):
        store.load(path)
    store.save(path, scored)
    with pytest.raises(UserError, match="hash differs"):
        store.load(path, "0" * 64)
