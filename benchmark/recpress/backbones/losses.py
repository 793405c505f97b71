"""What training minimises."""

from __future__ import annotations

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
    return (torch.logsumexp(logits, 1) - logits[:, 0]).mean()
