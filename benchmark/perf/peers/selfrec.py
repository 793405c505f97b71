"""Recall and NDCG at 20 of trained backbones by the ranking and the metrics of a checkout of SELFRec, and by ours."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import common
import numpy as np
import torch
from torch import Tensor

from recpress import evaluation as evaluate
from recpress.backbones import checkpoint
from recpress.data.interactions import UserItems
from recpress.serve import topk

K = 20


def by_checkout(users: Tensor, items: Tensor, seen: UserItems, test: UserItems) -> dict[str, float]:
    """Rank and score with the code of the checkout on `sys.path`: some minutes."""
    from util.algorithm import find_k_largest
    from util.evaluation import ranking_evaluation

    wanted = {user: dict.fromkeys(own.tolist(), 1.0) for user, own in enumerate(test.rows()) if len(own)}
    lists = {}
    for user in wanted:
        scores = (items @ users[user]).numpy()
        scores[seen.of(user)] = -10e8
        lists[user] = list(zip(*find_k_largest(K, scores), strict=True))
    found = dict(line.strip().split(":") for line in ranking_evaluation(wanted, lists, [K])[1:])
    return {name: float(found[name]) for name in ("Recall", "NDCG")}


def by_us(users: Tensor, items: Tensor, seen: UserItems, test: UserItems) -> tuple[dict[str, float], dict[str, float]]:
    """Return the means of our lists, and of the same lists if each of the first K items fills two places.

    So do SELFRec's until January 2023. Items are numbered as the training file first names them. Recall then counts
    different items, NDCG places.
    """
    who = evaluate.evaluable(test).astype(np.int64)
    lists = topk.rank_tables(lambda chosen: users[torch.from_numpy(chosen)], items, who, seen, K)
    means = evaluate.means(evaluate.per_user(lists, who, test, (K,)))
    gain = 1 / np.log2(np.arange(K) + 2)
    recall, ndcg = [], []
    for user, listed in zip(who.tolist(), lists, strict=True):
        own = test.of(user)
        filled = np.repeat(listed, 1 + (listed < K))[:K]
        hits = np.isin(filled, own)
        recall.append(len(np.unique(filled[hits])) / len(own))
        ndcg.append(gain[hits].sum() / gain[: len(own)].sum())
    twice = {"Recall": float(np.mean(recall)), "NDCG": float(np.mean(ndcg))}
    return {"Recall": means[f"recall@{K}"], "NDCG": means[f"ndcg@{K}"]}, twice


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--code", help="a checkout of SELFRec")
    parser.add_argument("--data", required=True, type=Path, help="folder with train.txt and test.txt")
    parser.add_argument("backbones", nargs="+", type=Path, help="where `recpress train` says that it kept them")
    options = parser.parse_args()
    seen, test = common.read_split(options.data)
    if options.code:
        sys.path.insert(0, options.code)
    for folder in options.backbones:
        trained = checkpoint.read(folder)
        arguments = trained.users, trained.items, seen, test
        right, twice = by_us(*arguments)
        print(folder.name[:12], trained.name)
        print("  ours                     ", right)
        print(f"  ours, the first {K} twice  ", twice)
        if options.code:
            print("  the checkout's           ", by_checkout(*arguments))


if __name__ == "__main__":
    main()
