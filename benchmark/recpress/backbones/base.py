"""The frozen backbone, and how one is trained."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import torch
from torch import Tensor

from recpress.backbones.config import TrainingConfig
from recpress.backbones.model import Linear, Model
from recpress.backbones.training.footprint import require_memory
from recpress.backbones.training.snapshot import Snapshots
from recpress.backbones.training.train import optimise
from recpress.core.hashing import sha256_json
from recpress.data.graph import Graph

Tables = tuple[Tensor, Tensor]
# Called after each epoch with its number, mean loss and a function that makes the final tables, on the device of the
# training; True stops.
Watch = Callable[[int, float, Callable[[], Tables]], bool | None]


@dataclass(frozen=True)
class Backbone:
    """A trained, frozen recommender whose scores are inner products of its final tables.

    Attributes
    ----------
    name : str
    users, items : float32 Tensor of shape (n_users, d) and (n_items, d)
        Final tables: what a `table` artefact stores.
    base_users, base_items : float32 Tensor of shape (n_users, config.dim) and (n_items, config.dim)
        Tables before propagation (those of `mf` are the final ones).
    config : TrainingConfig
    seed : int
    train_seconds : float
    weights : dict of str to Tensor
        Dense weights by name, of backbones that have any.
    """

    name: str
    users: Tensor
    items: Tensor
    base_users: Tensor
    base_items: Tensor
    config: TrainingConfig
    seed: int
    train_seconds: float
    weights: dict[str, Tensor] = field(default_factory=dict)

    def sha256(self) -> str:
        """Return the hash of the content of tables and weights."""
        digest = hashlib.sha256()
        weights = [self.weights[name] for name in sorted(self.weights)]
        for table in (self.users, self.items, self.base_users, self.base_items, *weights):
            digest.update(str(tuple(table.shape)).encode())
            digest.update(table.numpy().tobytes())
        return digest.hexdigest()


@dataclass(frozen=True)
class Session:
    """Options of a training that don't change its result.

    Attributes
    ----------
    state : Path, optional
        File that keeps the state of the training, so that a killed one goes on from there.
    save_seconds : float
        Between two writes of it.
    device : str
        As torch names it. Final tables are bitwise reproducible on a CPU only.
    engine : {"torch", "dgl"}
        What computes sparse products. Engines agree within rounding.
    """

    state: Path | None = None
    save_seconds: float = 60.0
    device: str = "cpu"
    engine: Literal["torch", "dgl"] = "torch"


def fit_model(
    name: str,
    model: type[Model],
    graph: Graph,
    config: TrainingConfig,
    seed: int,
    watch: Watch | None = None,
    session: Session | None = None,
) -> Backbone:
    """Train a model.

    Parameters
    ----------
    name : str
        Of the backbone.
    model : type
        Its subclass of `Model`.
    graph : Graph
        Training interactions.
    config : TrainingConfig
    seed : int
        The same seed gives bitwise the same tables on the same machine and number of threads.
    watch : callable, optional
        Sees each epoch; see `Watch`.
    session : Session, optional

    Raises
    ------
    UserError
        When the training config has a value that the model can't work with, or the training would not fit into memory.
    FloatingPointError
        When training diverges.
    """
    session = session or Session()
    if session.device == "cpu":
        require_memory(name, model.footprint, graph, config)
    started = time.perf_counter()
    generator = torch.Generator(session.device).manual_seed(seed)
    net = model(graph, config, generator)
    if session.engine == "dgl":
        from recpress.backbones.training import dgl_engine

        dgl_engine.install(net, graph)
    objective = net.objective
    snapshots = None
    if session.state:
        key = sha256_json([name, config.model_dump(), seed, graph.user_items.sha256()])
        snapshots = Snapshots(session.state, key, session.save_seconds)

    def tables() -> Tables:
        net.eval()
        with torch.no_grad():
            users, items = objective.split(net.final().detach())
        net.train()
        return users.clone(), items.clone()

    def on_epoch(epoch: int, mean: float) -> bool | None:
        return watch(epoch, mean, tables) if watch else None

    optimise(net.parameters(), net.loss, objective.sampler, config, on_epoch, snapshots=snapshots)
    state = {key: value.detach().cpu().clone() for key, value in net.state_dict().items()}
    base_users, base_items = (table.clone() for table in objective.split(state.pop("base")))
    seconds = time.perf_counter() - started + (snapshots.earlier if snapshots else 0.0)
    users, items = (table.cpu() for table in tables())
    return Backbone(name, users, items, base_users, base_items, config, seed, seconds, state)


def fit_embeddings(name: str, graph: Graph, config: TrainingConfig, seed: int, watch: Watch | None = None) -> Backbone:
    """Train embedding tables, propagated over the graph `config.layers` times; see `fit_model`."""
    return fit_model(name, Linear, graph, config, seed, watch)
