"""What every method makes of fixed tables, which nobody has trained: with default parameters, and at budgets."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

import numpy as np
import torch
from scipy import sparse
from torch import Tensor

from examples import (
    Near,
    Outcome,
    config_of,
    fixed_weights,
    graph,
    on_kinds,
    sample_of,
    sha256_form,
    sha256_tensors,
    table,
)
from recpress import registry
from recpress.api import (
    Artefact,
    Backbone,
    BudgetUnreachable,
    Method,
    Params,
    Shape,
    Task,
    make_generator,
    method_class,
)
from recpress.backbones.catalogue import backbone
from recpress.codecs import NETWORKS
from recpress.core.errors import UserError
from recpress.serve.recommender import Recommender

K = 20
BUDGETS = {"1/4": 1 / 4, "1/16": 1 / 16}
# Bytes don't depend on how long it trains.
SHORT = {"epochs": 1, "mask_epochs": 1, "rounds": 2, "iterations": 3}
# Beside the default and the budgets: parameters of other codecs, or of code that they don't run.
ALSO: dict[str, list[dict[str, Any]]] = {
    "binary": [{"rerank": 50, "users": "int8"}, {"users": "fp16", "scale": "tensor"}],
    "channels": [{"values": "int8", "criterion": "magnitude", "refit": False}],
    "edge_mask": [{"chosen": "resistance"}],
    "edge_sparsify": [{"score": "resistance", "degrees": "original"}],
    "fp16": [{"values": "bf16"}],
    "graph_quantization": [{"activations": "int8"}],
    "layer_drop": [{"coefficients": "mean"}],
    "magnitude": [{"scope": "row", "values": "int8"}],
    "qr": [{"operation": "add"}],
    "residual": [{"levels": 3, "bits": 3}],
    "svd": [{"joint": False}, {"values": "int4", "popularity": 0.5}],
    "uniform": [{"granularity": "group", "bits": 4}, {"clip": True, "bits": 3}, {"symmetric": True, "bits": 4}],
    "zstd": [{"clip": True, "granularity": "row"}],
}
# With more words, those of other processors have nothing in common with these: each level's hang on the one before.
UNSTABLE: dict[str, dict[str, Any]] = {"residual": {"levels": 4, "bits": 2}}
BACKBONES = {
    "channels": ("lightgcn", "gat", "ngcf", "sage"),
    "graph_quantization": ("lightgcn", "gat", "ngcf", "sage"),
}


@dataclass(frozen=True)
class Tolerance:
    """What may differ by processor.

    Attributes
    ----------
    why : str
    scores : float
        How far scores may be from the recorded ones, as a share of their norm.
    lists : float
        How many of the places of lists may hold other items.
    stored : bool
        Whether what is stored may differ too, and not only what is served.
    """

    why: str
    scores: float = 2e-3
    lists: float = 0.02
    stored: bool = True


TRAINS = Tolerance("It trains: sums, exponentials and products of matrices differ in their last bits.")
AXES = Tolerance("Axes are eigenvectors or singular vectors of LAPACK, whose last bits differ.")
CENTRES = Tolerance("FAISS finds centres with products of matrices, whose last bits differ.", scores=1e-2)
SOLVES = Tolerance("It solves linear equations with LAPACK, whose last bits differ.")
PROPAGATES = Tolerance("Final tables are made when serving, by sums whose last bits differ.", stored=False)
# What changed where kernels of torch, MKL, OpenBLAS, FAISS and numpy were those of other processors, and what is made
# of the same calls. All methods that train are near, too.
NEAR_METHODS = {
    "binary": AXES,
    "channels": SOLVES,
    "deep_compression": AXES,
    # Rounding errors of a network that has hardly been trained move all scores of a user alike.
    "dhe": replace(TRAINS, scores=0.15),
    "ease": SOLVES,
    "edge_sparsify": replace(PROPAGATES, stored=True, why=f"{PROPAGATES.why} Its coefficients are of LAPACK."),
    "gfcf": AXES,
    "graph_quantization": PROPAGATES,
    "ivf": CENTRES,
    "layer_drop": replace(PROPAGATES, stored=True, why=f"{PROPAGATES.why} Its coefficients are of LAPACK."),
    "product": CENTRES,
    "residual": CENTRES,
    "svd": AXES,
    "transform_coding": AXES,
    "water_filling": AXES,
}


@cache
def fixed_backbone(name: str) -> Backbone:
    """Return a backbone whose tables and weights are fixed."""
    made = graph()
    weights = dict(fixed_weights(name))
    base = weights.pop("base")
    sizes = [made.n_users, made.n_items]
    if weights:
        # Of any values, but as wide as the layers make it.
        net = backbone(name).build(made, config_of(name), make_generator(0))
        final = table(made.n_nodes, net.eval().final().shape[1], seed=11)
    else:
        final = propagated(base)
    (users, items), (base_users, base_items) = final.split(sizes), base.split(sizes)
    return Backbone(name, users, items, base_users, base_items, config_of(name), 0, 0.0, weights)


def propagated(base: Tensor) -> Tensor:
    """Return the mean of a table and of two steps from it, in doubles and one after another: the same everywhere."""
    adjacency = graph().adjacency()
    matrix = sparse.csr_array((adjacency.weights.astype(np.float64), adjacency.indices, adjacency.indptr))
    steps = [base.double().numpy()]
    for _ in range(2):
        steps.append(matrix @ steps[-1])
    return torch.from_numpy(((steps[0] + steps[1] + steps[2]) / 3).astype(np.float32))


def cases(name: str, method: Method[Any], frozen: Backbone) -> Iterator[tuple[str, Params]]:
    """Yield parameters, with a name for each: default ones, those of budgets, and others."""
    short = {key: value for key, value in SHORT.items() if key in type(method).Params.model_fields}
    shape = Shape.of(graph(), frozen)
    first = UNSTABLE.get(name, {})
    found = {named(first) or "default": method.Params(**short | first)}
    for title, budget in BUDGETS.items() if name not in UNSTABLE else ():
        try:
            params = method.params_for(int(budget * shape.dense_bytes), shape)
        except BudgetUnreachable:
            continue
        found[title] = params.model_copy(update=short)
    for extra in ALSO.get(name, []):
        found[named(extra)] = method.Params(**short | extra)
    seen: list[Params] = []
    for title, params in found.items():
        if params not in seen:
            seen.append(params)
            yield title, params


def named(params: dict[str, Any]) -> str:
    """Return a case's name by its parameters."""
    return ", ".join(f"{key} {value}" for key, value in params.items())


def compressed(name: str, frozen: Backbone, params: Params) -> Artefact:
    """Return what a method makes of a backbone."""
    method = method_class(registry.method(name).module())()
    return method.compress(Task(graph(), frozen, params, 0, make_generator(0), lambda share: None))


def method(name: str) -> Outcome:
    """Return what a method stores and serves."""
    entry = registry.method(name)
    near = NEAR_METHODS.get(name, TRAINS if entry.card.division == "open" else None)
    made = Outcome(why=near.why if near else "", rests={("ranking", "topk")})
    made.rests |= {("network" if kind in NETWORKS else "codec", kind) for kind in entry.card.codecs or ()}
    for which in BACKBONES.get(name, ("lightgcn",)):
        frozen = fixed_backbone(which)
        made.rests.add(("backbone", which))
        for title, params in cases(name, method_class(entry.module())(), frozen):
            artefact = compressed(name, frozen, params)
            case = f"{which}, {title}"
            spec, tensors = artefact.manifest(), artefact.tensors()
            lists = Recommender(artefact, graph().user_items).recommend_all(K)
            if undeclared := on_kinds(spec) - made.rests:
                kinds = ", ".join(kind for _, kind in sorted(undeclared))
                raise UserError(f"{entry.folder / 'card.toml'}: codecs lacks {kinds}, which its artefacts are made of.")
            stored = sha256_form if near and near.stored else sha256_tensors
            made.facts[f"{case}: stored"] = stored(spec, tensors)
            if near:
                scores = sample_of(artefact.users.decode(), artefact.items.decode(), near.scores)
                some = Near(lists[::15].astype(np.int64), near.lists)
                made.facts |= {f"{case}: scores": scores, f"{case}: lists": some}
            else:
                made.facts[f"{case}: lists"] = sha256_tensors(None, {"lists": torch.from_numpy(lists)})
    return made
