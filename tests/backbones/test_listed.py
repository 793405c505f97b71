"""Scores of lists against a product of copied rows, values and gradients."""

from __future__ import annotations

import hypothesis.strategies as st
import torch
from hypothesis import given, settings
from torch import Tensor

from recpress.backbones.training.listed import listed_scores


def copied(queries: Tensor, items: Tensor, lists: Tensor) -> Tensor:
    return torch.einsum("bd,bkd->bk", queries, items[lists])


@settings(deadline=None)
@given(
    users=st.integers(1, 9),
    items=st.integers(1, 12),
    dim=st.integers(1, 70),
    length=st.integers(1, 7),
    seed=st.integers(0, 2**31),
)
def test_values_and_gradients_are_those_of_copied_rows(users: int, items: int, dim: int, length: int, seed: int):
    # Items come in any order, some twice, some never.
    generator = torch.Generator().manual_seed(seed)
    lists = torch.randint(items, (users, length), generator=generator)
    weights = torch.randn(users, length, generator=generator, dtype=torch.float64)
    found = []
    for score, dtype in ((listed_scores, torch.float32), (copied, torch.float64)):
        generator.manual_seed(seed)
        tables = [torch.randn(size, dim, generator=generator).to(dtype).requires_grad_() for size in (users, items)]
        scores = score(*tables, lists)
        (scores * weights.to(dtype)).sum().backward()
        found.append([scores, *(table.grad for table in tables)])
    for got, wanted in zip(*found, strict=True):
        torch.testing.assert_close(got.double(), wanted, rtol=1e-5, atol=1e-5)


def test_any_number_of_threads_gives_the_same_bits():
    generator = torch.Generator().manual_seed(3)
    queries, items = torch.randn(500, 33, generator=generator), torch.randn(300, 33, generator=generator)
    lists, threads = torch.randint(300, (500, 20), generator=generator), torch.get_num_threads()
    found = []
    try:
        for count in (1, 2):
            torch.set_num_threads(count)
            tables = [table.clone().requires_grad_() for table in (queries, items)]
            scores = listed_scores(*tables, lists)
            scores.square().sum().backward()
            found.append([scores, *(table.grad for table in tables)])
    finally:
        torch.set_num_threads(threads)
    for one, two in zip(*found, strict=True):
        assert torch.equal(one, two)
