"""The fast scan ranks exactly what the decoded table ranks, whatever is seen, tied or padded."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from recpress.codecs.kernels.fastscan import FastScanTopKScorer
from recpress.codecs.packing import pack
from recpress.codecs.tables.product import LEAST_SCANNED, Product
from recpress.data.interactions import UserItems
from recpress.serve import topk


def made(rows: int, parts: int, width: int, seed: int, distinct: int = 16) -> Product:
    generator = torch.Generator().manual_seed(seed)
    codes = torch.randint(0, distinct, (rows, parts), generator=generator).byte()
    words = torch.randn(parts, 16, width, generator=generator).half()
    return Product(pack(codes, 4), words, 4, parts * width - seed % width)


def histories(n_users: int, n_items: int, longest: int, seed: int) -> UserItems:
    generator = np.random.default_rng(seed)
    lengths = generator.integers(0, longest + 1, n_users)
    items = np.concatenate([generator.choice(n_items, length, replace=False) for length in lengths])
    return UserItems.from_pairs(np.repeat(np.arange(n_users), lengths), items, n_users, n_items)


def both(codec: Product, seen: UserItems, k: int, seed: int) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
    users = np.random.default_rng(seed).permutation(seen.n_users).astype(np.int64)
    queries = torch.randn(len(users), codec.columns, generator=torch.Generator().manual_seed(seed))
    items, scores = FastScanTopKScorer(codec).top(queries, seen, users, k)
    expected, best = topk.select(queries @ codec.decode().T, seen, users, k)
    np.testing.assert_allclose(scores, best, rtol=1e-4, atol=1e-4)
    return items, expected


@given(st.integers(2, 20), st.integers(1, 3), st.integers(0, 2**31 - 1))
@settings(max_examples=6, deadline=None)
def test_lists_are_those_of_the_decoded_table(parts: int, width: int, seed: int) -> None:
    codec = made(1500, parts, width, seed)
    items, expected = both(codec, histories(9, 1500, 40, seed), 20, seed)
    # Rows of equal codes tie; sums in another order may part them by a rounding error.
    assert (items == expected).mean() > 0.9


def test_without_near_ties_lists_are_identical() -> None:
    codec = made(20_000, 16, 2, 4)
    items, expected = both(codec, histories(30, 20_000, 300, 1), 20, 2)
    assert (items == expected).mean() > 0.995
    assert isinstance(codec.scorer(), FastScanTopKScorer)
    assert codec.shape[0] >= LEAST_SCANNED


def test_long_histories_short_tables_and_lists_longer_than_what_is_left() -> None:
    codec = made(50, 6, 2, 6)
    seen = histories(12, 50, 50, 3)
    items, expected = both(codec, seen, 60, 5)
    assert ((items == -1) == (expected == -1)).all()
    assert all(sorted(a) == sorted(b) for a, b in zip(items, expected, strict=True))


def test_of_equal_rows_the_lowest_come_first() -> None:
    codec = made(9000, 8, 2, 8, distinct=1)
    items, expected = both(codec, histories(3, 9000, 5, 0), 10, 0)
    assert (items == expected).all()


def test_what_does_not_fit_is_refused() -> None:
    codec = made(100, 4, 2, 0)
    top_k_scorer, seen = FastScanTopKScorer(codec), histories(3, 100, 5, 0)
    users = np.arange(3)
    with pytest.raises(ValueError, match="fit"):
        top_k_scorer.top(torch.zeros(2, 8), seen, users, 5)
    with pytest.raises(ValueError, match="user ids"):
        top_k_scorer.top(torch.zeros(3, 8), seen, users + 1, 5)
    with pytest.raises(ValueError, match="NaN"):
        top_k_scorer.top(torch.full((3, 8), float("nan")), seen, users, 5)
    with pytest.raises(ValueError, match="user 2 contain NaN"):
        top_k_scorer.top(torch.tensor([[3e38] * 8, [1.0] * 8, [float("nan")] * 8]), seen, users, 5)
    # Finite values whose sum isn't are no NaN.
    top_k_scorer.top(torch.tensor([[3e38, 3e38] + [0.0] * 6] * 3) / 4, seen, users, 5)
    assert top_k_scorer.top(torch.zeros(3, 8), seen, users, 0)[0].shape == (3, 0)
