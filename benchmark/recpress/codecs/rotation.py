"""Rotations of tables. One rotation of both users and items changes no score, so nothing of it need be stored."""

from __future__ import annotations

import torch
from torch import Tensor


def principal(table: Tensor, rank: int) -> Tensor:
    """Return the first right singular vectors of a table, shape (d, rank).

    They are the eigenvectors of the d × d Gram matrix with the largest eigenvalues, computed in float64; the sign of
    each is fixed by its largest entry, so that the same table gives the same bytes.
    """
    gram = table.double().T @ table.double()
    vectors = torch.linalg.eigh(gram).eigenvectors.flip(1)[:, :rank]
    signs = vectors.gather(0, vectors.abs().argmax(0, keepdim=True)).sign()
    oriented: Tensor = vectors * signs
    return oriented.float()
