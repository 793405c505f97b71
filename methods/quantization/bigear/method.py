"""Learned binary codes of propagation layers."""

from __future__ import annotations

import math
from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from recpress.api import Artefact, Batch, Field, Method, Shape, Task, TrainingParams, largest
from recpress.backbones.propagate import Propagation
from recpress.backbones.training.listed import listed_scores
from recpress.backbones.training.retrain import Retraining, spread_directions, teacher_lists
from recpress.codecs import Binary, Grouped
from recpress.codecs.packing import row_bytes


class BigearParams(TrainingParams):
    """The codes, the lesson and the training."""

    dim: int = Field(64, ge=1, description="Bits of each layer.")
    layers: int = Field(0, ge=0, le=4, description="Steps over the graph; each, and the first rows, has its own bits.")
    weight: float = Field(0.1, ge=0, description="w: weight of the teacher's lists; 0 is training without a teacher.")
    teacher_items: int = Field(50, ge=1, description="The teacher's best unseen items of a user.")
    decay: float = Field(0.1, gt=0, description="κ: how much less each place of a list weighs than the one before.")
    sharpness: float = Field(1.0, gt=0, description="γ of the sign's gradient, for values scaled to mean 1.")


class _Binarised(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, sharpness: float) -> Tensor:
        scale = x.abs().mean(1, keepdim=True)
        ctx.save_for_backward(x, scale)
        ctx.sharpness = sharpness
        return _signs(x).mul_(scale)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None]:
        # In place wherever it can be: tables of hundreds of columns are made and read in every step.
        (gradient,), (x, scale) = gradients, ctx.saved_tensors
        safe = scale.clamp(min=1e-12)
        bell = (x * (ctx.sharpness / safe)).square_().neg_().exp_()
        by_sign = bell.mul_(gradient).mul_(2 * ctx.sharpness / math.sqrt(math.pi) * (scale / safe))
        along = torch.linalg.vecdot(gradient, _signs(x)).unsqueeze(1) / x.shape[1]
        return by_sign.addcmul_(x.sign(), along), None


def _signs(x: Tensor) -> Tensor:
    return (x >= 0).to(x.dtype).mul_(2).sub_(1)


def binarised(x: Tensor, sharpness: float) -> Tensor:
    """Return ``mean|x| · sign(x)`` by row, 1 being the sign of 0, with the gradient of ``erf(γ x / mean|x|)`` for it.

    Unlike a plain straight-through gradient that narrow bell fades for values far from 0, whose signs aren't about to
    change (Chen et al. 2022, section 3.4). The scale that divides x is a constant for the gradient, the other isn't.

    Parameters
    ----------
    x : float32 Tensor of shape (n, d)
    sharpness : float
        γ.
    """
    result: Tensor = _Binarised.apply(x, sharpness)  # type: ignore[no-untyped-call]  # torch leaves it untyped
    return result


def binarise(layers: list[Tensor], sharpness: float) -> Tensor:
    """Return the binary rows of all layers side by side, later ones weighted more: ``λ_l = (l + 1) / Σ``.

    Parameters
    ----------
    layers : list of float32 Tensor of shape (n, d)
    sharpness : float

    Returns
    -------
    float32 Tensor of shape (n, d · len(layers))
        Of one magnitude within a row and layer: what a sign and a scale store.
    """
    if len(layers) == 1:
        return binarised(layers[0], sharpness)
    total = sum(range(1, len(layers) + 1))
    return torch.cat([binarised(layer, sharpness) * (number / total) for number, layer in enumerate(layers, 1)], 1)


def tensor_bytes(params: BigearParams, shape: Shape) -> int:
    """Return the bytes of bits and scales."""
    return shape.entities * (params.layers + 1) * (row_bytes(params.dim, 1) + 2)


class Bigear(Method[BigearParams]):
    """Train binary codes with the backbone's own loss and its ranking of unseen items.

    As in BiGeaR, each layer has codes and scales of its own, gradients pass signs through a bell, and the teacher's
    list is learned with weights that fall by place (equations 6, 9 and 12). Codes may have more bits than the backbone
    has columns: rows start as an orthogonal rotation of the frozen ones, which spreads them over all bits.
    """

    Params = BigearParams

    def params_for(self, budget: int, shape: Shape) -> BigearParams:
        """See `Method.params_for`: as many bits as fit, in whole bytes."""
        candidates = [BigearParams(dim=8 * count) for count in range(4 * shape.dim // 8 + 1, 0, -1)]
        return largest(candidates, lambda params: tensor_bytes(params, shape), budget)

    def compress(self, task: Task[BigearParams]) -> Artefact:
        """See `Method.compress`."""
        params, teacher = task.params, task.backbone
        training = Retraining(teacher, task.graph, task.generator)
        objective, step = training.objective, Propagation(task.graph.adjacency(), 1, 1)
        start = objective.final(training.start) if params.layers == 0 else training.start
        base = (start @ spread_directions(start, params.dim, task.generator)).requires_grad_()
        lists, scores = teacher_lists(teacher, task.graph, params.teacher_items)
        places = torch.exp(-params.decay * torch.arange(lists.shape[1])) * torch.isfinite(scores)

        def table() -> Tensor:
            layers = [base]
            for _ in range(params.layers):
                layers.append(step(layers[-1]))
            return objective.scored(binarise(layers, params.sharpness))

        def loss(batch: Batch) -> Tensor:
            made = table()
            value = training.loss(batch, made, base)
            if params.weight == 0:
                return value
            users, items = objective.split(made)
            owners = torch.unique(batch.users)
            given = listed_scores(F.embedding(owners, users), items, lists[owners])
            weights = places[owners]
            return value + params.weight * (F.softplus(-given) * weights).sum() / weights.sum().clamp(
                min=torch.finfo().tiny
            )

        training.minimise([base], loss, params.epochs, params.rate, task.progress)
        with torch.no_grad():
            users, items = objective.split(table())
        encode = partial(Grouped.encode, size=params.dim, encode=Binary.encode)
        return Artefact(encode(users), encode(items))
