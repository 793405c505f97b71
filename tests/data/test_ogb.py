"""A tiny set in OGB's own layout, fetched as a zip, read by OGB's loader, judged by its Evaluator."""

from __future__ import annotations

import gzip
import hashlib
import io
import zipfile
from pathlib import Path

import numpy as np
import pytest

from recpress.core.errors import UserError
from recpress.data import ogb, sources
from recpress.data.card import dataset_card
from recpress.data.ogb import LinkSet
from recpress.data.splits import SplitSpec
from recpress.evaluation.ogb import evaluate

TRAIN = [(0, 1), (1, 2), (2, 3), (3, 3)]
VALID, TEST = [(0, 2)], [(1, 3), (0, 1)]
NEGATIVE = [(0, 3), *[(4, 4)] * 25]


def tiny_ddi() -> bytes:
    """Return a zip as OGB publishes them: a top folder, raw csv.gz, a split of torch pickles."""
    import torch

    parts = {
        "train": {"edge": np.array(TRAIN)},
        "valid": {"edge": np.array(VALID), "edge_neg": np.array(NEGATIVE)},
        "test": {"edge": np.array(TEST), "edge_neg": np.array(NEGATIVE)},
    }
    body = io.BytesIO()
    with zipfile.ZipFile(body, "w") as bundle:
        bundle.writestr("ddi/RELEASE_v1.txt", "v1")
        edges = "".join(f"{a},{b}\n" for a, b in TRAIN)
        for name, text in (("edge", edges), ("num-node-list", "5\n"), ("num-edge-list", f"{len(TRAIN)}\n")):
            bundle.writestr(f"ddi/raw/{name}.csv.gz", gzip.compress(text.encode(), mtime=0))
        for part, arrays in parts.items():
            pickled = io.BytesIO()
            torch.save(arrays, pickled)
            bundle.writestr(f"ddi/split/target/{part}.pt", pickled.getvalue())
    return body.getvalue()


@pytest.fixture
def ddi(server, cache):
    """The card of ogbl-ddi with the address of the local server."""
    server.files["/ddi.zip"] = tiny_ddi()
    card = dataset_card("ogbl-ddi")
    (file,) = card.files
    file = file.model_copy(update={"sources": (f"{server.url}/ddi.zip",)})
    return card.model_copy(update={"files": (file,), "statistics": None})


def test_a_set_is_fetched_unpacked_and_read_twice(ddi, server) -> None:
    folder = ogb.locate("ogbl-ddi", ddi)
    assert ogb.locate("ogbl-ddi", ddi) == folder
    assert len(server.requests) == 1
    for _ in range(2):  # the second time OGB reads back what it saved, which torch 2.6 refuses by default
        links = ogb.read_links("ogbl-ddi", folder)
        assert links.n_nodes == 5
        assert links.positive["train"].tolist() == [list(edge) for edge in TRAIN]
        assert links.negative["test"].shape == (26, 2)


def test_a_read_only_folder_of_the_users_is_enough(ddi, tmp_path: Path) -> None:
    unpacked = ogb.locate("ogbl-ddi", ddi)
    mine = tmp_path / "mine" / "ogbl_ddi"
    mine.parent.mkdir()
    unpacked.rename(mine)
    assert ogb.locate("ogbl-ddi", ddi, mine.parent) == mine
    before = sorted(mine.rglob("*"))
    assert ogb.read_links("ogbl-ddi", mine).n_nodes == 5
    assert sorted(mine.rglob("*")) == before


def test_what_ogb_keeps_of_one_set_is_not_another_s(ddi) -> None:
    folder = ogb.locate("ogbl-ddi", ddi)
    assert ogb.read_links("ogbl-ddi", folder).n_nodes == 5
    (folder / "raw" / "num-node-list.csv.gz").write_bytes(gzip.compress(b"6\n"))
    assert ogb.read_links("ogbl-ddi", folder).n_nodes == 6


def test_a_folder_filled_by_fetch_serves_the_archive(ddi, cache, tmp_path: Path) -> None:
    sources.fetch("ogbl-ddi", ddi, "interactions", tmp_path / "raw" / "ogbl-ddi")
    assert ogb.read_links("ogbl-ddi", ogb.locate("ogbl-ddi", ddi, tmp_path / "raw")).n_nodes == 5


def test_torch_load_is_as_strict_as_before_afterwards(ddi) -> None:
    import torch

    before = torch.load
    ogb.read_links("ogbl-ddi", ogb.locate("ogbl-ddi", ddi))
    assert torch.load is before


def test_a_hostile_archive_is_not_unpacked(ddi, server) -> None:
    body = io.BytesIO()
    with zipfile.ZipFile(body, "w") as bundle:
        bundle.writestr("ddi/raw/edge.csv.gz", b"")
        bundle.writestr("../../evil", b"x")
    server.files["/ddi.zip"] = body.getvalue()
    with pytest.raises(UserError, match="leaves the archive"):
        ogb.locate("ogbl-ddi", ddi)
    assert not (sources.cache_folder("ogbl-ddi") / "ogbl_ddi").exists()


def test_damaged_split_files_are_a_users_error(ddi) -> None:
    folder = ogb.locate("ogbl-ddi", ddi)
    (folder / "split" / "target" / "train.pt").write_bytes(b"")
    with pytest.raises(UserError, match="OGB's loader can't read"):
        ogb.read_links("ogbl-ddi", folder)


def edges(pairs: list[tuple[int, int]]) -> np.ndarray:
    return np.array(pairs, np.int64).reshape(-1, 2)


def test_undirected_parts_hold_both_directions_without_loops_and_repeats() -> None:
    links = LinkSet(5, {"train": edges(TRAIN), "valid": edges(VALID), "test": edges(TEST)}, {})
    interactions, split = ogb.build(dataset_card("ogbl-ddi"), links)
    assert split.train.nnz == 6
    assert split.train.of(2).tolist() == [1, 3]
    assert split.test.of(0).tolist() == []  # (0, 1) is in train: full ranking would mask it
    assert split.test.of(3).tolist() == [1]
    assert len(interactions) == split.train.nnz + split.valid.nnz + split.test.nnz


def test_directed_edges_keep_their_direction() -> None:
    links = LinkSet(5, {"train": edges(TRAIN), "valid": edges(VALID), "test": edges(TEST)}, {})
    _, split = ogb.build(dataset_card("ogbl-citation2"), links)
    assert split.train.of(1).tolist() == [2]
    assert split.train.of(2).tolist() == [3]


def test_a_set_without_link_split_is_split_by_edges() -> None:
    rng = np.random.default_rng(0)
    both = rng.integers(0, 40, (900, 2))
    card = dataset_card("ogbn-products").model_copy(
        update={"split": SplitSpec(protocol="random-per-user", valid=0.2, test=0.2)}
    )
    _, split = ogb.build(card, LinkSet(40, {"train": np.concatenate([both, both[:, ::-1]])}, {}))
    parts = [set(zip(p.users.tolist(), p.items.tolist(), strict=True)) for p in (split.train, split.valid, split.test)]
    for part in parts:
        assert part == {(b, a) for a, b in part}
        assert part
    assert sum(map(len, parts)) == len(set().union(*parts))
    assert set().union(*parts) == {(a, b) for a, b in both.tolist() + both[:, ::-1].tolist() if a != b}


def test_hits_are_those_of_the_evaluator(ddi) -> None:
    links = ogb.read_links("ogbl-ddi", ogb.locate("ogbl-ddi", ddi))
    # 26 negatives score 0 … 25; a positive counts when it beats the 20th best, which is 6.
    scores = {(1, 3): 7.0, (0, 1): 6.0}

    def scorer(left: np.ndarray, right: np.ndarray) -> np.ndarray:
        pairs = list(zip(left.tolist(), right.tolist(), strict=True))
        return np.arange(26.0) if len(pairs) == 26 else np.array([scores[pair] for pair in pairs])

    assert evaluate("ogbl-ddi", links, "test", scorer) == {"hits@20": 0.5}


def test_mrr_is_that_of_the_evaluator() -> None:
    links = LinkSet(9, {"test": edges([(0, 1), (2, 3)])}, {"test": np.array([[4, 5, 6], [4, 5, 7]])})
    # Source 0 ranks its target second, source 2 ranks it first.
    scores = {(0, 1): 2.0, (0, 4): 3.0, (0, 5): 1.0, (0, 6): 0.0, (2, 3): 9.0, (2, 4): 1.0, (2, 5): 2.0, (2, 7): 3.0}

    def scorer(left: np.ndarray, right: np.ndarray) -> np.ndarray:
        return np.array([scores[pair] for pair in zip(left.tolist(), right.tolist(), strict=True)])

    assert evaluate("ogbl-citation2", links, "test", scorer) == pytest.approx({"mrr": 0.75})


def test_the_archive_of_a_card_is_checked_like_any_other(ddi, server) -> None:
    (file,) = ddi.files
    wrong = file.model_copy(update={"checksums": ("sha256:" + hashlib.sha256(b"other").hexdigest(),)})
    with pytest.raises(UserError, match="does not have the checksum"):
        ogb.locate("ogbl-ddi", ddi.model_copy(update={"files": (wrong,)}))
