"""Distillation within groups of items of like popularity."""

from __future__ import annotations

import math

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from recpress.api import Artefact, Batch, Dense, Field, Method, Shape, StudentParams, Task, widest
from recpress.backbones.training.listed import listed_scores
from recpress.backbones.training.retrain import Student, teacher_lists


class PopularityDistillParams(StudentParams):
    """The student and the lesson."""

    weight: float = Field(0.5, ge=0, description="λ: weight of the teacher's order; 0 is training without a teacher.")
    groups: int = Field(4, ge=1, description="Groups of items with about the same number of interactions in all.")
    teacher_items: int = Field(50, ge=2, description="The teacher's best unseen items of a user in each group.")
    pairs: int = Field(10, ge=1, description="Pairs of them per user and group in each step.")
    decay: float = Field(10.0, gt=0, description="Places after which an item is drawn e times less often.")


def popularity_groups(popularity: Tensor, groups: int) -> Tensor:
    """Return the group of each item, 0 the most popular ones, so that all have about the same popularity in all.

    Parameters
    ----------
    popularity : int64 Tensor of shape (n_items,)
    groups : int
    """
    order = popularity.argsort(descending=True, stable=True)
    before = popularity[order].cumsum(0) - popularity[order]
    groups_in_order = (before * groups // popularity.sum().clamp(min=1)).clamp(max=groups - 1)
    return torch.empty_like(order).scatter_(0, order, groups_in_order)


def group_lists(task: Task[PopularityDistillParams]) -> tuple[Tensor, Tensor]:
    """Return the teacher's lists within each group and how many items of each are real ones.

    Shapes (groups, n_users, K) and (groups, n_users); K is `teacher_items`, or fewer where a group is smaller.
    """
    params, graph, teacher = task.params, task.graph, task.backbone
    popularity = torch.from_numpy(np.bincount(graph.user_items.items, minlength=graph.n_items))
    of = popularity_groups(popularity, params.groups)
    lists, lengths = [], []
    for group in range(params.groups):
        best, scores = teacher_lists(teacher, graph, params.teacher_items, among=of == group)
        lists.append(best)
        lengths.append(torch.isfinite(scores).sum(1))
    return torch.stack(lists), torch.stack(lengths)


class PopularityDistill(Method[PopularityDistillParams]):
    """Train a thinner backbone that learns the frozen one's order of items, popular ones and others apart.

    A teacher's list is full of popular items, and a student that learns it learns mostly that (Chen et al. 2023). Pairs
    are therefore drawn within groups: both places of a pair by ``e^(-place / decay)``, the earlier one to win.
    """

    Params = PopularityDistillParams

    def params_for(self, budget: int, shape: Shape) -> PopularityDistillParams:
        """See `Method.params_for`: the widest student that fits."""
        return widest(PopularityDistillParams, budget, shape)

    def compress(self, task: Task[PopularityDistillParams]) -> Artefact:
        """See `Method.compress`."""
        params = task.params
        student = Student(task.backbone, task.graph, params.dim, task.generator, params.start)
        lists, lengths = group_lists(task)
        places = torch.exp(-torch.arange(lists.shape[2]) / params.decay)

        def lesson(batch: Batch, users: Tensor, items: Tensor) -> Tensor:
            owners = torch.unique(batch.users)
            shape = (params.groups, len(owners), 2 * params.pairs)
            drawn = torch.multinomial(places, math.prod(shape), True, generator=task.generator).view(shape)
            first, second = drawn.view(*shape[:2], params.pairs, 2).sort(3).values.unbind(3)
            real = (first < second) & (second < lengths[:, owners, None])
            ids = torch.cat([lists[:, owners].gather(2, place) for place in (first, second)], 2).transpose(0, 1)
            query = F.embedding(owners, users) * student.sharpness
            scores = listed_scores(query, items, ids.reshape(len(owners), -1)).view_as(ids).transpose(0, 1)
            better, worse = scores.chunk(2, 2)
            return params.weight * (F.softplus(worse - better) * real).sum() / real.sum().clamp(min=1)

        users, items = student.fit(lesson if params.weight else None, params.epochs, params.rate, task.progress)
        return Artefact(Dense.encode(users, params.values), Dense.encode(items, params.values))
