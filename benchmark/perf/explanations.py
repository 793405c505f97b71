"""Deletes what explanations name, by how the cases are drawn and by how the five items are chosen.

python benchmark/perf/explanations.py --dataset ml-100k --backbone lightgcn --cases 300
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from tabulate import tabulate

from recpress import data
from recpress.backbones import checkpoint
from recpress.backbones.catalogue import backbone as registered
from recpress.backbones.config import read_training_config
from recpress.evaluation.deletion import DELETED, SCHEMES, Chooser, at_random, draw_cases, fidelity, one_at_a_time
from recpress.evaluation.explain import LinearExplainer
from recpress.evaluation.messages import MessageExplainer


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--dataset", default="ml-100k")
    parser.add_argument("--backbone", default="lightgcn")
    parser.add_argument("--checkpoint", type=Path, help="Folder of a trained one; written if it isn't there.")
    parser.add_argument("--cases", type=int, default=300)
    parser.add_argument("--seed", type=int, default=11, help="Of the cases.")
    parser.add_argument("--one-at-a-time", type=int, default=0, metavar="CASES", help="Also choose by deleting each.")
    asked = parser.parse_args()

    graph = data.load(asked.dataset).graph()
    if asked.checkpoint and asked.checkpoint.is_dir():
        backbone = checkpoint.read(asked.checkpoint)
    else:
        backbone = registered(asked.backbone).fit(
            graph, read_training_config(asked.dataset, asked.backbone).config, seed=0
        )
        if asked.checkpoint:
            checkpoint.write(asked.checkpoint, backbone)

    items = backbone.items
    explainer = MessageExplainer(backbone, graph) if backbone.weights else LinearExplainer(backbone, graph)

    def to_be_overtaken(user: int, item: int) -> NDArray[np.int32]:
        """Choose for the rank itself: the five that put the item most above one of the 50 next in the list."""
        scores = items @ backbone.users[user]
        scores[torch.from_numpy(graph.user_items.of(user)).long()] = -torch.inf
        ranked = scores.argsort(descending=True).tolist()
        place = ranked.index(item)
        best, chosen = np.inf, explainer.explain(user, items[item]).top(DELETED)
        for rival in ranked[place + 1 : place + 51]:
            found = explainer.explain(user, items[item] - items[rival])
            left = found.score - np.sort(found.contributions)[-DELETED:].sum()
            if np.isfinite(float(scores[rival])) and left < best:
                best, chosen = left, found.top(DELETED)
        return chosen

    choosers: dict[str, Chooser] = {
        "parts of the score": lambda user, item: explainer.explain(user, items[item]).top(DELETED),
        "random": at_random(graph, asked.seed),
    }
    if not backbone.weights:
        choosers["parts against a rival"] = to_be_overtaken
    else:
        learned = MessageExplainer(backbone, graph, "gnnexplainer")
        choosers["GNNExplainer"] = lambda user, item: learned.explain(user, items[item]).top(DELETED)
    if asked.one_at_a_time:
        choosers["deleting each"] = lambda user, item: one_at_a_time(backbone, graph, user, item).top(DELETED)

    rows = []
    for scheme in SCHEMES:
        for how, choose in choosers.items():
            count = asked.one_at_a_time if how == "deleting each" else asked.cases
            started = time.perf_counter()
            found = fidelity(backbone, graph, draw_cases(backbone, graph, scheme, count, asked.seed), choose)
            seconds = (time.perf_counter() - started) / found.cases
            shares = (f"{share:.1%}" for share in (found.lowered, found.unchanged, found.raised, found.fell))
            rows.append([scheme, how, found.cases, *shares, f"{seconds:.2f}"])
            print(*rows[-1], sep=" | ", flush=True)
    print(
        tabulate(
            rows, ["drawn from", "chosen by", "cases", "lowered", "unchanged", "raised", "score fell", "s per case"]
        )
    )


if __name__ == "__main__":
    main()
