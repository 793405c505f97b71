"""Columns of different bits: packed without gaps, as good as a search can tell, scored as decoded."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from recpress.codecs import Dense, LowRank
from recpress.codecs.artefact import Artefact, folder_breakdown
from recpress.codecs.base import nbytes
from recpress.codecs.tables.columns import ColumnUniform, steps
from recpress.core.errors import UserError
from recpress.data.interactions import UserItems
from recpress.serve import topk


def random(rows: int, columns: int, seed: int) -> Tensor:
    return torch.randn(rows, columns, generator=torch.Generator().manual_seed(seed))


@given(st.lists(st.integers(0, 8), min_size=1, max_size=12).filter(any), st.integers(1, 40), st.integers(0, 2**32 - 1))
@settings(max_examples=40, deadline=None)
def test_every_column_is_on_its_own_grid(bits: list[int], rows: int, seed: int) -> None:
    table = random(rows, len(bits), seed)
    codec = ColumnUniform.encode(table, bits)
    assert codec.codes.shape == (rows, -(-sum(bits) // 8))
    decoded = codec.decode()
    for column, count in enumerate(bits):
        levels = (torch.arange(2**count) - (2**count - 1) / 2) * codec.scale[column].float() + codec.offset[
            column
        ].float()
        nearest = levels[(table[:, column, None] - levels).abs().argmin(1)]
        torch.testing.assert_close(decoded[:, column], nearest, atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(codec.decode(torch.tensor([rows - 1])), decoded[-1:])


def test_a_bit_takes_three_quarters_of_the_error() -> None:
    values = random(20_000, 1, 0)
    errors = [float(steps(values, bits)[1]) for bits in range(1, 9)]
    # Max 1960, table II: the least error of a uniform quantizer of 2, 4, 8 and 16 levels for a normal variable.
    assert errors[:4] == pytest.approx([0.3634, 0.1188, 0.03744, 0.01154], rel=0.05)
    assert all(after < before / 2.5 for before, after in pairwise(errors))


def test_scores_lists_disk_and_nesting(tmp_path: Path) -> None:
    bits = [5, 3, 3, 1, 0, 2]
    made = Artefact(
        LowRank(ColumnUniform.encode(random(20, 6, 0), bits), Dense.encode(random(6, 9, 5))),
        LowRank(ColumnUniform.encode(random(300, 6, 1) + 0.5, bits), Dense.encode(random(6, 9, 6))),
    )
    assert made.breakdown().total() == sum(nbytes(tensor) for tensor in made.tensors().values())
    made.save(tmp_path / "a")
    loaded = Artefact.load(tmp_path / "a")
    assert torch.equal(loaded.items.decode(), made.items.decode())
    on_disk = sum(file.stat().st_size for file in (tmp_path / "a").iterdir())
    assert folder_breakdown(tmp_path / "a").total() == on_disk
    queries = random(4, 9, 3)
    expected = queries @ made.items.decode().T
    torch.testing.assert_close(loaded.items.scorer().scores(queries), expected, atol=1e-4, rtol=1e-4)
    seen, users = UserItems.from_pairs(np.array([0, 1, 3]), np.array([5, 7, 9]), 4, 300), np.arange(4)
    items, scores = loaded.items.scorer().top(queries, seen, users, 10)
    lists, best = topk.select(expected, seen, users, 10)
    np.testing.assert_allclose(scores, best, rtol=1e-4, atol=1e-4)
    assert (items == lists).mean() > 0.9  # rows of equal codes tie


@pytest.mark.parametrize("columns", [6, 7])
def test_stretched_rows_have_one_length_and_are_scored_so(columns: int, tmp_path: Path) -> None:
    table = torch.nn.functional.normalize(random(200, columns, 1) + 0.3)
    made = ColumnUniform.encode(table, [2, 2, 1, 1, 1, 1, 1][:columns], length=1.5)
    torch.testing.assert_close(made.decode().norm(dim=1), torch.full((200,), 1.5), rtol=1e-3, atol=0)
    Artefact(Dense.encode(random(2, columns, 0)), made).save(tmp_path / "a")
    loaded = Artefact.load(tmp_path / "a").items
    assert torch.equal(loaded.decode(), made.decode())
    queries = random(4, columns, 3)
    torch.testing.assert_close(loaded.scorer().scores(queries), queries @ made.decode().T, atol=1e-4, rtol=1e-4)
    zeros = ColumnUniform.encode(torch.zeros(3, columns), [1] * columns, length=1.0)
    assert torch.equal(zeros.decode(), torch.zeros(3, columns))


@pytest.mark.parametrize("columns", [6, 7])
def test_rows_of_their_own_lengths_are_scored_and_ranked_so(columns: int, tmp_path: Path) -> None:
    lengths = torch.rand(200, generator=torch.Generator().manual_seed(4)) * 3
    lengths[7] = 0
    made = ColumnUniform.encode(random(200, columns, 1), [2, 2, 1, 1, 1, 1, 1][:columns], own=lengths)
    torch.testing.assert_close(made.decode().norm(dim=1), lengths, rtol=1e-3, atol=0.5 * 3 / 255)
    Artefact(Dense.encode(random(4, columns, 0)), made).save(tmp_path / "a")
    assert folder_breakdown(tmp_path / "a").total() == sum(file.stat().st_size for file in (tmp_path / "a").iterdir())
    loaded = Artefact.load(tmp_path / "a").items
    assert torch.equal(loaded.decode(), made.decode())
    assert torch.equal(loaded.decode(torch.tensor([3, 7])), made.decode()[[3, 7]])
    queries, expected = random(4, columns, 3), random(4, columns, 3) @ made.decode().T
    torch.testing.assert_close(loaded.scorer().scores(queries), expected, atol=1e-3, rtol=1e-3)
    seen, users = UserItems.from_pairs(np.array([0, 1, 3]), np.array([5, 7, 9]), 4, 200), np.arange(4)
    scores = loaded.scorer().top(queries, seen, users, 10)[1]
    np.testing.assert_allclose(scores, topk.select(expected, seen, users, 10)[1], rtol=1e-3, atol=1e-3)
    for wrong in (made.lengths[:-1], made.lengths.float()):
        broken = ColumnUniform(made.codes, made.scale, made.offset, made.bits, made.length, wrong)
        with pytest.raises(ValueError, match="a byte a row"):
            ColumnUniform.restore(broken.options(), broken.tensors())


def test_degenerate_tables(tmp_path: Path) -> None:
    for table in (torch.zeros(3, 4), torch.full((1, 4), 0.25), torch.full((5, 4), -2.0)):
        assert torch.equal(ColumnUniform.encode(table, [2, 0, 8, 1]).decode(), table)
    for bits in ([0, 0, 0], [1, 1], [9, 1, 1]):
        with pytest.raises(ValueError, match="0 to 8"):
            ColumnUniform.encode(torch.zeros(2, 3), bits)
    with pytest.raises(ValueError, match="not finite"):
        ColumnUniform.encode(torch.tensor([[float("nan"), 1.0]]), [1, 1])
    made = ColumnUniform.encode(random(9, 3, 0), [3, 2, 1])
    Artefact(Dense.encode(random(2, 3, 1)), ColumnUniform(made.codes, made.scale, made.offset, (8, 8, 8))).save(
        tmp_path / "a"
    )
    with pytest.raises(UserError, match="24 bits"):
        Artefact.load(tmp_path / "a")
