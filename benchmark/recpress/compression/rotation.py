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


def random_rotation(columns: int, generator: torch.Generator) -> Tensor:
    """Return a rotation drawn evenly from all, shape (d, d): the Q of a normal matrix, signs fixed (Mezzadri 2007)."""
    q, r = torch.linalg.qr(torch.randn(columns, columns, generator=generator, dtype=torch.float64))
    rotation: Tensor = q * r.diagonal().sign()
    return rotation.float()


def itq(table: Tensor, iterations: int, generator: torch.Generator) -> Tensor:
    """Return the rotation after which signs lose least, shape (d, d).

    Iterative quantization (Gong and Lazebnik 2011, section 2.2): from a random rotation R of the principal axes V, the
    signs ``B = sign(V R)`` and the rotation that brings V closest to B, ``min_R ‖B − V R‖²`` (orthogonal Procrustes,
    solved by an SVD of d × d), take turns.
    """
    axes = principal(table, table.shape[1])
    inside = table @ axes
    rotation = random_rotation(table.shape[1], generator)
    for _ in range(iterations):
        signs = torch.where(inside @ rotation >= 0, 1.0, -1.0)
        left, _, right = torch.linalg.svd((inside.T @ signs).double())
        rotation = (left @ right).float()
    return axes @ rotation
