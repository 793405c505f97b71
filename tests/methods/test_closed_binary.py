"""Rotations before signs: orthogonal, better for signs, and of no other effect."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from recpress.codecs.tables.binary import Binary
from recpress.compression.rotation import itq, principal, random_rotation


@pytest.fixture(scope="module")
def table() -> Tensor:
    """Correlated columns of uneven variance."""
    generator = torch.Generator().manual_seed(0)
    return torch.randn(2000, 16, generator=generator) * torch.logspace(0, -1, 16) @ random_rotation(16, generator)


def lost(table: Tensor) -> float:
    return float((Binary.encode(table).decode() - table).square().sum())


def test_rotations_are_orthogonal_and_seeded(table: Tensor) -> None:
    for seed in (0, 1):
        for make in (lambda g: random_rotation(16, g), lambda g: itq(table, 20, g)):
            rotation = make(torch.Generator().manual_seed(seed))
            torch.testing.assert_close(rotation.T @ rotation, torch.eye(16), atol=1e-5, rtol=0)
            assert torch.equal(rotation, make(torch.Generator().manual_seed(seed)))
    apart = [random_rotation(16, torch.Generator().manual_seed(seed)) for seed in (0, 1)]
    assert not torch.allclose(*apart)


def test_iterations_lower_what_signs_lose(table: Tensor) -> None:
    rows = torch.nn.functional.normalize(table)
    losses = [lost(rows @ itq(rows, iterations, torch.Generator().manual_seed(0))) for iterations in (0, 1, 5, 50)]
    assert losses == sorted(losses, reverse=True)
    assert losses[-1] < 0.9 * lost(rows @ principal(rows, 16))
