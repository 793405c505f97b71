"""Seconds of training to a peer's quality: LightGCN of RecBole on ML-100K, and of LightGCN-PyTorch on Gowalla.

    python race_training.py recbole --python recbole/bin/python
    python race_training.py lgn --code LightGCN-PyTorch/code --data gowalla

Both sides use the same cores, one after the other, and the same split. `recbole` trains RecBole's LightGCN as it comes
(until its own early stopping) and then ours by the training config of the set, on train alone, and asks when ours
reaches the best NDCG@10 on valid that RecBole's had. Only training is counted on either side, not the scorings.

`lgn` runs steps of LightGCN-PyTorch's own code, and multiplies: its README asks for 1,000 epochs. What ours take to the
same figures is what `recpress train --dataset gowalla --protocol paper` says.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import common
import numpy as np
import torch

from recpress.backbones.base import Session, Tables
from recpress.backbones.catalogue import backbone
from recpress.backbones.config import read_training_config
from recpress.data import load
from recpress.data.graph import Graph
from recpress.data.splits import Split
from recpress.evaluation import evaluable, means, per_user
from recpress.serve import topk

CUT = 10


def write(folder: Path, split: Split) -> None:
    (folder / "race").mkdir()
    for name in ("train", "valid", "test"):
        part = getattr(split, name)
        lines = [f"{u}\t{i}" for u, i in zip(part.users.tolist(), part.items.tolist(), strict=True)]
        (folder / "race" / f"race.{name}.inter").write_text("\n".join(["user_id:token\titem_id:token", *lines]) + "\n")


def ours(split: Split, seed: int) -> list[tuple[int, float, float]]:
    """Train on train; return epoch, seconds of training so far, and NDCG@10 on valid, after each epoch."""
    curve, scoring, started = [], 0.0, time.perf_counter()
    who = evaluable(split.valid)

    def watch(epoch: int, loss: float, tables: Callable[[], Tables]) -> None:
        nonlocal scoring
        now = time.perf_counter()
        users, items = tables()
        lists = topk.rank_tables(
            lambda some: users[torch.from_numpy(some)], items, who.astype(np.int64), split.train, CUT
        )
        score = means(per_user(lists, who, split.valid, (CUT,)))[f"ndcg@{CUT}"]
        curve.append((epoch, now - started - scoring, score))
        scoring += time.perf_counter() - now

    backbone("lightgcn").fit(
        Graph(split.train), read_training_config("ml-100k", "lightgcn").config, seed, watch, Session()
    )
    return curve


def recbole(options: argparse.Namespace) -> None:
    split = load("ml-100k").split
    ours(split, seed=1)  # warm up: kernels are compiled once per machine
    with tempfile.TemporaryDirectory() as folder:
        write(Path(folder), split)
        peer = common.run(options.python, "recbole_training.py", folder, str(options.epochs))
    goal = peer["ndcg@10"]
    first = next(seconds for _, seconds, score in peer["curve"] if score >= goal)
    print(f"RecBole: NDCG@10 {goal:.4f} on valid after {first:.1f} s of training; {peer['epochs']} epochs, "
          f"{peer['seconds']:.1f} s until it stopped")  # fmt: skip
    for seed in range(options.seeds):
        curve = ours(split, seed)
        reached = next((point for point in curve if point[2] >= goal), None)
        best = max(curve, key=lambda point: point[2])
        print(f"recpress, seed {seed}: best {best[2]:.4f} after {best[1]:.1f} s; ", end="")
        if reached:
            sooner, of_all = first / reached[1], peer["seconds"] / reached[1]
            print(f"{goal:.4f} in epoch {reached[0]} after {reached[1]:.1f} s: ", end="")
            print(f"{sooner:.1f} × faster to it, {of_all:.1f} × of all it trained")
        else:
            print("never as good")


def lgn(options: argparse.Namespace) -> None:
    with tempfile.TemporaryDirectory() as folder:
        for part in ("train.txt", "test.txt"):
            (Path(folder) / part).symlink_to((options.data / part).resolve())
        peer = common.run(sys.executable, "lgn_training.py", folder, str(options.steps), cwd=options.code)
    step = statistics.median(peer["step"][2:])
    epoch = step * peer["steps"] + peer["sampling"]
    print(f"LightGCN-PyTorch: {step:.3f} s a step, {peer['steps']} steps and {peer['sampling']:.1f} s of sampling")
    print(f"an epoch: {epoch:.0f} s; {options.epochs} epochs: {epoch * options.epochs / 3600:.0f} h")
    for seconds in options.against:
        print(f"against {seconds:g} s of ours: {epoch * options.epochs / seconds:.0f} ×")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    races = parser.add_subparsers(required=True)
    one = races.add_parser("recbole")
    one.add_argument("--python", required=True, help="of an environment that has RecBole")
    one.add_argument("--epochs", type=int, default=300, help="at most; RecBole's default")
    one.add_argument("--seeds", type=int, default=3)
    one.set_defaults(race=recbole)
    other = races.add_parser("lgn")
    other.add_argument("--code", required=True, help="the `code` folder of a checkout of LightGCN-PyTorch")
    other.add_argument("--data", type=Path, required=True, help="folder with train.txt and test.txt")
    other.add_argument("--steps", type=int, default=12)
    other.add_argument("--epochs", type=int, default=1000, help="what its README trains")
    other.add_argument("--against", type=float, nargs="*", default=[], help="seconds that ours took")
    other.set_defaults(race=lgn)
    options = parser.parse_args()
    options.race(options)


main()
