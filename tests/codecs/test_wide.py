"""Wide sparse tables: where non-zeros are, sets, sums, and the product with queries that are mostly zeros."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy import sparse

from recpress.codecs import Codec, Constant, Dense, LowRank, Sparse, Sum, Uniform, restore
from recpress.codecs.artefact import Artefact, folder_breakdown
from recpress.codecs.base import nbytes
from recpress.codecs.composite import elias_fano
from recpress.codecs.composite.sparse import LAYOUTS, WIDE, Layout, layout_bytes, smaller_layout


@given(st.sets(st.integers(0, 9_999), max_size=300), st.integers(0, 10_000))
@settings(max_examples=100, deadline=None)
def test_elias_fano_gives_back_its_numbers_in_the_bytes_it_claims(numbers: set[int], room: int) -> None:
    keys = np.array(sorted(numbers), np.int64)
    universe = (int(keys[-1]) + 1 if len(keys) else 0) + room
    stored = elias_fano.encode(keys, universe)
    assert len(stored) == sum(elias_fano.part_bytes(len(keys), universe))
    np.testing.assert_array_equal(elias_fano.decode(stored, len(keys), universe), keys)


def test_elias_fano_is_within_two_bits_of_the_logarithm() -> None:
    keys = np.sort(np.random.default_rng(0).choice(10**7, 20_000, replace=False))
    assert 8 * len(elias_fano.encode(keys, 10**7)) / 20_000 <= 2 + np.log2(10**7 / 20_000) + 0.01


def test_elias_fano_by_hand() -> None:
    # 3 numbers below 16: 2 low bits. High parts 0, 1, 3 set bits 0, 2 and 5; low parts 1, 0, 3 follow.
    np.testing.assert_array_equal(elias_fano.encode(np.array([1, 4, 15]), 16), [0b100101, 0b110001])


@pytest.mark.parametrize(
    "damaged",
    [np.array([0b100101], np.uint8), np.array([0b101, 0], np.uint8), np.array([0b1000101, 0b110001], np.uint8)],
    ids=["short", "too few numbers", "out of range"],
)
def test_elias_fano_refuses_what_is_not_its_code(damaged: NDArray[np.uint8]) -> None:
    with pytest.raises(ValueError, match="numbers"):
        elias_fano.decode(damaged, 3, 16)


def wide_table(rows: int, columns: int, share: float, seed: int = 0) -> sparse.csr_array:
    made = sparse.random_array((rows, columns), density=share, format="csr", rng=seed, dtype=np.float32)
    made.sort_indices()
    return made


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("columns", [90, 300, WIDE + 500, 70_000])
def test_layouts_hold_the_same_table_in_the_bytes_they_claim(layout: Layout, columns: int) -> None:
    table = wide_table(40, columns, 0.02)
    codec = Sparse.from_csr(table, layout=layout)
    assert nbytes(codec.where) + (0 if codec.counts is None else nbytes(codec.counts)) == layout_bytes(
        layout, 40, columns, table.nnz
    )
    again = restore(codec.spec(), codec.tensors())
    dense = torch.from_numpy(table.toarray())
    assert torch.equal(again.decode(), dense)
    assert torch.equal(again.decode(torch.tensor([7, 0, 7])), dense[[7, 0, 7]])
    assert again.nonzero() == table.nnz
    queries = torch.zeros(3, columns)
    queries[0, 5], queries[2, [1, columns - 1]] = 1.0, torch.tensor([2.0, -1.0])
    for given_queries in (queries, torch.randn(3, columns, generator=torch.Generator().manual_seed(0))):
        out = torch.full((3, 40), torch.nan)
        again.scorer().scores(given_queries, out)
        torch.testing.assert_close(out, given_queries @ dense.T, atol=1e-4, rtol=1e-4)
        assert torch.equal(out, again.scorer().scores(given_queries))


@given(st.integers(1, 30), st.integers(1, 300), st.floats(0, 1), st.integers(0, 99))
@settings(max_examples=60, deadline=None)
def test_the_smallest_layout_is_chosen(rows: int, columns: int, share: float, seed: int) -> None:
    table = wide_table(rows, columns, share, seed)
    codec = Sparse.from_csr(table)
    assert codec.layout == smaller_layout(rows, columns, table.nnz)
    assert codec.breakdown()["indices"] == min(layout_bytes(each, rows, columns, table.nnz) for each in LAYOUTS)
    assert torch.equal(restore(codec.spec(), codec.tensors()).decode(), torch.from_numpy(table.toarray()))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"rows": 41}, "rows"),
        ({"layout": "heap"}, "layout"),
        ({"layout": "elias-fano"}, "layout"),
        ({"columns": 3}, "outside"),
    ],
)
def test_a_table_that_does_not_fit_together_is_refused(change: dict[str, object], message: str) -> None:
    codec = Sparse.from_csr(wide_table(40, 90, 0.1), layout="csr")
    with pytest.raises(ValueError, match=message):
        restore({**codec.spec(), **change}, codec.tensors())


def test_a_set_takes_no_bytes_for_its_ones() -> None:
    table = wide_table(40, 300, 0.1)
    table.data[:] = 1
    codec = Sparse.from_csr(table, Constant.encode)
    assert codec.breakdown()["values"] == 4
    assert torch.equal(restore(codec.spec(), codec.tensors()).decode(), torch.from_numpy(table.toarray()))
    with pytest.raises(ValueError, match="one finite number"):
        Constant.encode(torch.tensor([[1.0, 2.0]]))
    with pytest.raises(ValueError, match="one finite number"):
        Constant.encode(torch.tensor([[torch.nan]]))
    assert torch.equal(Constant.encode(torch.full((5, 2), 3.0)).decode(torch.tensor([1, 4])), torch.full((2, 2), 3.0))
    assert Constant.encode(torch.full((5, 2), 3.0)).decode(slice(1, 4)).shape == (3, 2)


def test_a_sum_scores_what_it_decodes_and_survives_the_disk(tmp_path: Path) -> None:
    generator = torch.Generator().manual_seed(0)
    left, right = torch.randn(60, 4, generator=generator), torch.randn(4, 2000, generator=generator)
    low_rank = LowRank(Uniform.encode(left), Dense.encode(right))
    items: Codec = Sum(Sparse.from_csr(wide_table(60, 2000, 0.05), partial(Dense.encode, values="fp16")), low_rank)
    histories = wide_table(30, 2000, 0.01)
    histories.data[:] = 1
    Artefact(Sparse.from_csr(histories, Constant.encode), items).save(tmp_path / "a")
    loaded = Artefact.load(tmp_path / "a")
    queries = loaded.users.decode()
    expected = torch.from_numpy(histories.toarray()) @ items.decode().T
    torch.testing.assert_close(loaded.items.scorer().scores(queries), expected, atol=1e-4, rtol=1e-4)
    assert folder_breakdown(tmp_path / "a").total() == sum(file.stat().st_size for file in (tmp_path / "a").iterdir())
    assert items.nominal() == items.first.nominal() + 60 * 4 + 4 * 2000
    with pytest.raises(ValueError, match="can't be added"):
        Sum(low_rank, Dense.encode(left))
