"""Relaxed ranking distillation into a smaller dimension."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from recpress.api import Artefact, Batch, Dense, Field, Method, Shape, StudentParams, Task, widest
from recpress.backbones.training.listed import listed_scores
from recpress.backbones.training.retrain import Student, teacher_lists

# A logit that adds nothing to a sum of exponentials; -inf would make gradients NaN.
NOTHING = -1e30


class RankingDistillParams(StudentParams):
    """The student and the lesson."""

    weight: float = Field(0.5, ge=0, description="λ: weight of the teacher's order; 0 is training without a teacher.")
    teacher_items: int = Field(40, ge=1, description="The teacher's best unseen items of a user, whose order counts.")
    others: int = Field(100, ge=1, description="Random items below them, shared by a batch; their order is free.")


def relaxed_ranking_loss(ranked: Tensor, others: Tensor) -> Tensor:
    """Return the negative log-likelihood of an order relaxed below its end, mean over rows and places.

    Parameters
    ----------
    ranked : Tensor of shape (B, K)
        Logits of the items whose order is given, the best first. One of -inf is left out.
    others : Tensor of shape (B, L)
        Logits of items that only have to be below all of them.

    Notes
    -----
    Kang et al. 2020, equation 8: the likelihood of drawing the K in their order from what is left and the others.
    """
    real = torch.isfinite(ranked)
    ranked = ranked.masked_fill(~real, NOTHING)
    below = torch.logsumexp(others, 1, keepdim=True)
    left = torch.logcumsumexp(ranked.flip(1), 1).flip(1)
    likelihood = torch.where(real, ranked - torch.logaddexp(left, below), 0.0)
    return -likelihood.sum() / real.sum().clamp(min=1)


class RankingDistill(Method[RankingDistillParams]):
    """Train a thinner backbone that also learns the order of each user's best items from the frozen one.

    It gets nothing but the teacher's lists. The paper draws the ranked items by place from a longer list; here they
    are the head of the list, which later work by the same authors found no worse.
    """

    Params = RankingDistillParams

    def params_for(self, budget: int, shape: Shape) -> RankingDistillParams:
        """See `Method.params_for`: the widest student that fits."""
        return widest(RankingDistillParams, budget, shape)

    def compress(self, task: Task[RankingDistillParams]) -> Artefact:
        """See `Method.compress`."""
        params = task.params
        student = Student(task.backbone, task.graph, params.dim, task.generator, params.start)
        lists, list_scores = teacher_lists(task.backbone, task.graph, params.teacher_items)
        missing = torch.isinf(list_scores)

        def lesson(batch: Batch, users: Tensor, items: Tensor) -> Tensor:
            owners = torch.unique(batch.users)
            query = F.embedding(owners, users) * student.sharpness
            ranked = listed_scores(query, items, lists[owners])
            others = query @ F.embedding(student.objective.sampler.uniform(params.others), items).T
            return params.weight * relaxed_ranking_loss(ranked.masked_fill(missing[owners], -torch.inf), others)

        users, items = student.fit(lesson if params.weight else None, params.epochs, params.rate, task.progress)
        return Artefact(Dense.encode(users, params.values), Dense.encode(items, params.values))
