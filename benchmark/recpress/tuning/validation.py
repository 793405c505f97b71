"""Training on train and scoring on valid, in a process that has no test data."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch

from recpress.backbones.base import Session, Tables
from recpress.backbones.catalogue import backbone
from recpress.backbones.config import TrainingConfig
from recpress.data.dataset import Dataset
from recpress.data.graph import Graph
from recpress.data.interactions import UserItems
from recpress.data.relations import linked
from recpress.evaluation import evaluable, means, per_user
from recpress.experiments.worker import Report
from recpress.headline import BOTH, HEADLINE
from recpress.serve import topk

CUT = 20
# Scorings of one training.
LOOKS = 10


@dataclass(frozen=True)
class Held:
    """Data for choosing training configs: train, and valid to score on. There is no test data in it.

    Attributes
    ----------
    graph : Graph
        Of train.
    valid : UserItems
    """

    graph: Graph
    valid: UserItems

    @classmethod
    def out_of(cls, dataset: Dataset, relations: Sequence[str] = ()) -> Held:
        """Take train, with the edges of some relations, and valid out of a data set."""
        graph = Graph(dataset.split.train, dataset.card.task == "user-item")
        return cls(linked(graph, dataset, relations), dataset.split.valid)

    def score(self, tables: Tables) -> dict[str, float]:
        """Return recall and NDCG on valid, with train masked, means over users with valid items."""
        users, items = tables
        who = evaluable(self.valid)
        lists = topk.rank_tables(
            lambda chosen: users[torch.from_numpy(chosen)], items, who.astype(np.int64), self.graph.user_items, CUT
        )
        found = means(per_user(lists, who, self.valid, (CUT,)))
        return {name: found[name] for name in BOTH}


@dataclass(frozen=True)
class Look:
    """One scoring of a training.

    Attributes
    ----------
    epoch : int
        From 1.
    loss : float
        Mean of the epoch.
    scores : dict of str to float
        On valid.
    """

    epoch: int
    loss: float
    scores: dict[str, float]


class TooLongError(Exception):
    """A training would take more time than is allowed.

    Attributes
    ----------
    epochs : int
        How many fit, from 0.
    """

    def __init__(self, epochs: int) -> None:
        super().__init__(f"{epochs} epochs fit")
        self.epochs = epochs


def train(
    name: str,
    held: Held,
    config: TrainingConfig,
    seed: int,
    on_look: Callable[[Look], bool | None],
    device: str = "cpu",
    allowed: float | None = None,
) -> None:
    """Train a backbone on train and score it about `LOOKS` times on valid, the last time at its end.

    Parameters
    ----------
    on_look : callable
        Is called with each scoring; training ends when it returns True.
    allowed : float, optional
        CPU seconds that the epochs may take.

    Raises
    ------
    TooLongError
        After the second epoch, the first that isn't also preparation, when all of its length take more than allowed.
    """
    every = max(1, config.epochs // LOOKS)
    since = 0.0

    def watch(epoch: int, loss: float, tables: Callable[[], Tables]) -> bool | None:
        nonlocal since
        if epoch == 2 and allowed and (fit := int(allowed / (time.process_time() - since))) < config.epochs:
            raise TooLongError(fit)
        looked = epoch % every == 0 or epoch == config.epochs
        end = on_look(Look(epoch, loss, held.score(tables()))) if looked else None
        since = time.process_time()
        return end

    backbone(name).fit(held.graph, config, seed, watch, Session(device=device))


def follow(name: str, held: Held, config: TrainingConfig, seed: int, device: str, report: Report) -> dict[str, float]:
    """Train once and return the final scores on valid, telling those on the way."""
    last: dict[str, float] = {}

    def tell(look: Look) -> None:
        last.update(look.scores)
        report.note(described(look, config))
        report.send(look.epoch / config.epochs)

    train(name, held, config, seed, tell, device)
    return last


def described(look: Look, config: TrainingConfig) -> str:
    """Return a scoring as a line."""
    return f"epoch {look.epoch} of {config.epochs}, loss {look.loss:.4f}, valid {HEADLINE} {look.scores[HEADLINE]:.4f}"
