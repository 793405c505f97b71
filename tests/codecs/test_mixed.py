"""Rows in buckets: every row comes back from its own codec, wherever it lies."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from recpress.codecs import Dense, Uniform
from recpress.codecs.artefact import Artefact
from recpress.codecs.base import nbytes
from recpress.codecs.composite.mixed import Mixed, head_and_tail
from recpress.core.errors import UserError

ENCODERS = [partial(Uniform.encode, bits=8), partial(Uniform.encode, bits=4), Dense.encode]


def random(rows: int, columns: int, seed: int) -> Tensor:
    return torch.randn(rows, columns, generator=torch.Generator().manual_seed(seed))


@given(st.lists(st.integers(0, 2), min_size=1, max_size=30), st.integers(0, 2**32 - 1))
@settings(max_examples=40, deadline=None)
def test_every_row_has_the_codec_of_its_bucket(buckets: list[int], seed: int) -> None:
    bucket = np.array(buckets, np.uint8)
    table = random(len(bucket), 7, seed)
    codec = Mixed.encode(table, bucket, ENCODERS)
    assert codec.shape == (len(bucket), 7)
    assert len(codec.parts) == len(set(buckets))
    for row, which in enumerate(buckets):
        assert torch.equal(codec.decode()[row], ENCODERS[which](table[row : row + 1]).decode()[0])
    some = torch.tensor([len(bucket) - 1, 0, 0])
    assert torch.equal(codec.decode(some), codec.decode()[some])


def test_nests_two_deep_scores_and_survives_the_disk(tmp_path: Path) -> None:
    generator = np.random.default_rng(0)
    outer = generator.integers(0, 2, 90).astype(np.uint8)
    inner = generator.integers(0, 2, int((outer == 0).sum())).astype(np.uint8)

    def nested(table: Tensor) -> Mixed:
        return Mixed.encode(table, outer, [lambda rows: Mixed.encode(rows, inner, ENCODERS), Dense.encode])

    made = Artefact(Dense.encode(random(5, 9, 1)), nested(random(90, 9, 2)))
    assert made.breakdown().total() == sum(nbytes(tensor) for tensor in made.tensors().values())
    made.save(tmp_path / "a")
    loaded = Artefact.load(tmp_path / "a")
    assert torch.equal(loaded.items.decode(), made.items.decode())
    queries = random(3, 9, 4)
    torch.testing.assert_close(
        loaded.items.scorer().scores(queries), queries @ made.items.decode().T, atol=1e-4, rtol=1e-4
    )
    assert loaded.items.work(1).bytes_read >= loaded.items.breakdown().total()


def test_an_index_of_other_rows_is_refused(tmp_path: Path) -> None:
    made = Mixed.encode(random(16, 4, 0), np.arange(16, dtype=np.uint8) % 2, ENCODERS)
    swapped = Mixed(made.parts, torch.zeros_like(made.index), 16)
    Artefact(Dense.encode(random(2, 4, 1)), swapped).save(tmp_path / "a")
    with pytest.raises(UserError, match="buckets"):
        Artefact.load(tmp_path / "a")


def test_the_head_is_the_most_frequent_share() -> None:
    counts = np.array([5, 9, 5, 0, 7])
    assert head_and_tail(counts, 0.4).tolist() == [1, 0, 1, 1, 0]
    assert head_and_tail(counts, 0.6).tolist() == [0, 0, 1, 1, 0]  # of the two fives the first
    assert head_and_tail(counts, 0).tolist() == [1] * 5
    assert head_and_tail(counts, 1).tolist() == [0] * 5
