"""Soft-label knowledge distillation into a smaller dimension."""

from __future__ import annotations

from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor

from recpress.api import (
    Artefact,
    Batch,
    Dense,
    Field,
    Method,
    Params,
    Sampler,
    Shape,
    Task,
    largest,
    optimise,
)
from recpress.backbones.training.listed import listed_scores
from recpress.backbones.training.retrain import teacher_lists
from recpress.codecs.tables.dense import FLOATS

# A logit that leaves a softmax no share to speak of, and finite: 0 times an infinite difference would be NaN.
NEVER = -1e9


class DistillParams(Params):
    """The student, the loss and the training."""

    dim: int = Field(16, ge=1, description="Columns of the student's tables.")
    alpha: float = Field(0.5, ge=0, le=1, description="Weight of the teacher; 0 is training without one.")
    temperature: float = Field(2.0, gt=0, description="T: above 1 it shows more of the teacher's order.")
    teacher_items: int = Field(50, ge=1, description="The teacher's best unseen items among each user's candidates.")
    negatives: int = Field(128, ge=1, description="Random items among the candidates, shared by a batch.")
    epochs: int = Field(20, ge=1, description="Passes over the interactions.")
    batch_size: int = Field(4096, ge=1, description="Interactions per step.")
    learning_rate: float = Field(2e-2, gt=0, description="Of Adam, with cosine decay.")
    decay: Literal["constant", "cosine"] = Field("cosine", description="Course of the learning rate.")
    values: Literal["fp32", "fp16"] = Field("fp16", description="How the student's tables are stored.")


def soft_label_loss(teacher: Tensor, student: Tensor, temperature: float) -> Tensor:
    """Return ``T² KL(softmax(t/T) ‖ softmax(s/T))``, mean over rows (Hinton et al. 2015)."""
    target = F.log_softmax(teacher / temperature, 1)
    answer = F.log_softmax(student / temperature, 1)
    return temperature**2 * F.kl_div(answer, target, log_target=True, reduction="batchmean")


class Distill(Method[DistillParams]):
    """Train a thinner student on the interactions and on the teacher's scores of shared candidates.

    The task loss is a sampled softmax over a batch's interactions. The soft labels are over each of its users: the
    candidates are the teacher's best unseen items and the batch's random ones. The teacher is read, never trained, and
    gives the student nothing but scores: the student starts from random tables.
    """

    Params = DistillParams

    def params_for(self, budget: int, shape: Shape) -> DistillParams:
        """See `Method.params_for`: the widest student that fits."""
        candidates = [DistillParams(dim=dim) for dim in range(shape.dim, 0, -1)]
        return largest(candidates, lambda params: shape.entities * params.dim * FLOATS[params.values].itemsize, budget)

    def compress(self, task: Task[DistillParams]) -> Artefact:
        """See `Method.compress`."""
        params, teacher = task.params, task.backbone
        sampler = Sampler(task.graph.user_items, task.generator)
        users, items = (
            torch.empty(size, params.dim).normal_(std=0.1, generator=task.generator).requires_grad_()
            for size in (task.graph.n_users, task.graph.n_items)
        )
        lists, list_scores = teacher_lists(teacher, task.graph, params.teacher_items)
        # Users with fewer unseen items than a list has places: the rest is nobody's candidate.
        short = bool(torch.isinf(list_scores).any())
        # A teacher of cosines was trained on logits of cosine / temperature: those are what it has learned.
        sharpness = 1 / teacher.config.temperature if teacher.config.loss == "softmax" else 1.0

        def loss(batch: Batch) -> Tensor:
            shared = sampler.uniform(params.negatives)
            query, shared_items = F.embedding(batch.users, users), F.embedding(shared, items)
            positive = (query * F.embedding(batch.items, items)).sum(1, keepdim=True)
            logits = torch.cat([positive, query @ shared_items.T], 1)
            task_loss = (torch.logsumexp(logits, 1) - logits[:, 0]).mean()
            if params.alpha == 0:
                return task_loss
            owners = torch.unique(batch.users)
            target = torch.cat([list_scores[owners], teacher.users[owners] @ teacher.items[shared].T], 1) * sharpness
            query = F.embedding(owners, users)
            own = listed_scores(query, items, lists[owners])
            student = torch.cat([own, query @ shared_items.T], 1)
            if short:
                missing = torch.isinf(target)
                target, student = target.masked_fill(missing, NEVER), student.masked_fill(missing, NEVER)
            return (1 - params.alpha) * task_loss + params.alpha * soft_label_loss(target, student, params.temperature)

        optimise([users, items], loss, sampler, params, lambda epoch, _: task.progress(epoch / params.epochs))
        return Artefact(Dense.encode(users.detach(), params.values), Dense.encode(items.detach(), params.values))
