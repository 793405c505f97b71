"""From a graph network to plain tables: distillation of its scores and of its vectors."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from recpress.api import Artefact, Batch, Dense, Field, Method, Shape, StudentParams, Task, widest
from recpress.backbones.training.retrain import Student, leading_directions


class GraphlessParams(StudentParams):
    """The student and the two lessons."""

    score_weight: float = Field(10.0, ge=0, description="λ₁: weight of the teacher's score differences.")
    score_temperature: float = Field(1.0, gt=0, description="τ₁: divides the differences.")
    vector_weight: float = Field(0.1, ge=0, description="λ₂: weight of the teacher's directions.")
    vector_temperature: float = Field(0.1, gt=0, description="τ₂: divides the cosines.")
    vectors: int = Field(1024, ge=2, description="Users and items of a batch whose directions are contrasted.")


def score_loss(teacher: Tensor, student: Tensor) -> Tensor:
    """Return the mean cross-entropy of ``σ(student)`` for targets ``σ(teacher)``: the KL but for a constant.

    Both are differences between the scores of two items for the same user, divided by the temperature.
    """
    return F.binary_cross_entropy_with_logits(student, torch.sigmoid(teacher))


def contrast(vectors: Tensor, targets: Tensor, temperature: float) -> Tensor:
    """Return InfoNCE between rows: each vector's own target against those of the others (van den Oord et al. 2018).

    Parameters
    ----------
    vectors, targets : Tensor of shape (B, d)
        Of distinct entities.
    temperature : float
    """
    logits = F.normalize(vectors) @ F.normalize(targets).T / temperature
    return F.cross_entropy(logits, torch.arange(len(logits)))


class Graphless(Method[GraphlessParams]):
    """Train tables without propagation on the task, on the teacher's scores and on its smoothed vectors.

    After SimRec (Xia et al. 2023, equations 5 to 7), but for its third term, which pushes unrelated vectors apart. A
    thinner student is compared with the teacher's vectors on their own leading directions, which keep their scores
    best.
    """

    Params = GraphlessParams

    def params_for(self, budget: int, shape: Shape) -> GraphlessParams:
        """See `Method.params_for`: the widest student that fits."""
        return widest(GraphlessParams, budget, shape)

    def compress(self, task: Task[GraphlessParams]) -> Artefact:
        """See `Method.compress`."""
        params, teacher = task.params, task.backbone
        student = Student(teacher, task.graph, params.dim, task.generator, params.start, propagate=False)
        sampler = student.objective.sampler
        basis = leading_directions(torch.cat([teacher.users, teacher.items]), params.dim)
        thin_users, thin_items = teacher.users @ basis, teacher.items @ basis

        def lesson(batch: Batch, users: Tensor, items: Tensor) -> Tensor:
            value = torch.zeros(())
            if params.score_weight:
                # Any two items, seen or not: the teacher has an opinion of all of them.
                pair = sampler.uniform(2, len(batch.users))
                wanted = teacher.users[batch.users] * (teacher.items[pair[0]] - teacher.items[pair[1]])
                query = F.embedding(batch.users, users)
                given = query * (F.embedding(pair[0], items) - F.embedding(pair[1], items))
                scale = student.sharpness / params.score_temperature
                value = value + params.score_weight * score_loss(wanted.sum(1) * scale, given.sum(1) * scale)
            if params.vector_weight:
                for ids, table, target in ((batch.users, users, thin_users), (batch.items, items, thin_items)):
                    some = torch.unique(ids[: params.vectors])
                    contrasted = contrast(F.embedding(some, table), target[some], params.vector_temperature)
                    value = value + params.vector_weight * contrasted
            return value

        taught = params.score_weight or params.vector_weight
        users, items = student.fit(lesson if taught else None, params.epochs, params.rate, task.progress)
        return Artefact(Dense.encode(users, params.values), Dense.encode(items, params.values))
