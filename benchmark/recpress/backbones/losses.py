"""Losses that training minimises."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor


def bpr(users: Tensor, positives: Tensor, negatives: Tensor) -> Tensor:
    """Return the mean of ``-ln σ(u·i - u·j)`` (Rendle et al. 2009).

    Parameters
    ----------
    users, positives : Tensor of shape (B, d)
    negatives : Tensor of shape (B, N, d)
    """
    margin = (users * positives).sum(1, keepdim=True) - torch.einsum("bd,bnd->bn", users, negatives)
    return F.softplus(-margin).mean()


def sampled_softmax(users: Tensor, positives: Tensor, negatives: Tensor, temperature: float) -> Tensor:
    """Return the mean cross-entropy of each positive against the shared negatives.

    Parameters
    ----------
    users, positives : Tensor of shape (B, d)
        Rows of length 1, so that products are cosines.
    negatives : Tensor of shape (N, d)
        Shared by the batch; a user's own items among them are not removed.
    temperature : float
    """
    positive = (users * positives).sum(1, keepdim=True)
    logits = torch.cat([positive, users @ negatives.T], 1) / temperature
    return F.cross_entropy(logits, torch.zeros(len(logits), dtype=torch.long, device=logits.device))


def cosine_contrastive(
    users: Tensor, positives: Tensor, owners: Tensor, negatives: Tensor, margin: float, weight: float
) -> Tensor:
    """Return the mean of ``1 - cos(u, i) + w Σ_j max(0, cos(u, j) - m)`` (SimpleX, Mao et al. 2021, equation 2).

    Parameters
    ----------
    users, positives : Tensor of shape (B, d)
        Rows of length 1.
    owners, negatives : Tensor of shape (n, d)
        A user's row for each of its negatives. Those below the margin may be missing: they cost nothing.
    margin, weight : float
        ``m`` and ``w``, the weight of one negative.
    """
    attracted = 1 - (users * positives).sum(1).mean()
    return attracted + weight / len(users) * ((owners * negatives).sum(1) - margin).relu().sum()


def weighted_bce(
    positive: Tensor, negative: Tensor, positive_weights: Tensor, negative_weights: Tensor, negative_weight: float
) -> Tensor:
    """Return the mean of ``-w_i ln σ(s_i) - w/N Σ_j w_j ln σ(-s_j)`` (UltraGCN, Mao et al. 2021, equation 9).

    Parameters
    ----------
    positive : Tensor of shape (B,)
        Scores of positives.
    negative : Tensor of shape (B, N)
        Scores of negatives.
    positive_weights, negative_weights : Tensor of the same shapes, or such as broadcast to them
    negative_weight : float
        ``w``.
    """
    attracted = (positive_weights * F.softplus(-positive)).mean()
    return attracted + negative_weight * (negative_weights * F.softplus(negative)).mean()


def info_nce(first: Tensor, second: Tensor, temperature: float) -> Tensor:
    """Return the mean cross-entropy of each row's other view against the other views of all rows.

    ``-ln e^{cos(a_i, b_i)/τ} / Σ_j e^{cos(a_i, b_j)/τ}`` (SimGCL, Yu et al. 2022, equation 3).

    Parameters
    ----------
    first, second : Tensor of shape (n, d)
        Two views of the same n rows, of any length.
    temperature : float
    """
    logits = F.normalize(first) @ (F.normalize(second) / temperature).T
    return F.cross_entropy(logits, torch.arange(len(logits), device=logits.device))


def squared_lengths(table: Tensor, ids: Tensor) -> Tensor:
    """Return the sum of squares of the rows that ids name, each as often as it is named.

    The gradient is ``2 · count · row``: one product over the table, where looking the rows up would fill another table
    row by row.

    Parameters
    ----------
    table : Tensor of shape (n, d)
    ids : int64 Tensor of any shape
    """
    result: Tensor = _SquaredLengths.apply(  # type: ignore[no-untyped-call]  # torch leaves it untyped
        table, torch.bincount(ids.flatten(), minlength=len(table)).to(table.dtype)
    )
    return result


class _SquaredLengths(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, table: Tensor, counts: Tensor) -> Tensor:
        ctx.save_for_backward(table, counts)
        return torch.dot(torch.linalg.vector_norm(table, dim=1).square(), counts)

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
        table, counts = ctx.saved_tensors
        return table * (2 * gradient * counts)[:, None], None
