"""Evaluation protocols: the training data of a final model, and the items masked on test."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from recpress.core.errors import UserError
from recpress.data.dataset import Dataset
from recpress.data.graph import Graph
from recpress.data.interactions import UserItems

Protocol = Literal["standard", "paper"]


@dataclass(frozen=True)
class Target:
    """The parts that a protocol fixes.

    Attributes
    ----------
    graph : Graph
        To train on.
    seen : UserItems
        Masked in the lists that are scored against test.
    """

    graph: Graph
    seen: UserItems


def target(dataset: Dataset, protocol: Protocol) -> Target:
    """Return what a final model is trained on and evaluated with.

    ``standard`` trains on train and valid (rules of fair measurement, 1). ``paper`` trains on the published train
    file as it is, for comparison with published figures. Where valid was held out of that file, which is so for all
    sets that were published in two files, the two are the same; the difference then lies in how the training config was
    chosen.

    Raises
    ------
    UserError
        When a paper protocol is asked for and the split isn't a published one.
    """
    split, card = dataset.split, dataset.card
    bipartite = card.task == "user-item"
    if protocol == "standard":
        return Target(Graph(split.fit, bipartite), split.fit)
    if card.split.protocol != "official":
        raise UserError(
            f"{dataset.name} has no published split, so there are no published figures to compare with: "
            "use the standard protocol."
        )
    train = split.train if card.loader == "ogb" or card.alternatives("valid") else split.fit
    return Target(Graph(train, bipartite), split.fit)
