"""The process that examines and serves what may be anything: `python server.py SCRATCH CORPUS`, a folder a line."""

from __future__ import annotations

import json
import sys
import traceback
from pathlib import Path

import numpy as np
import torch

from recpress.codecs import untrusted
from recpress.codecs.artefact import Artefact
from recpress.core.errors import UserError
from recpress.data.interactions import UserItems
from recpress.isolation import sandbox
from recpress.serve.recommender import Recommender

K = 10


def served(folder: Path, seen: UserItems) -> str:
    """Return "" where an artefact serves what its decoded table gives, else the sentence that refuses it."""
    try:
        artefact = untrusted.examine(folder, seen.n_users, seen.n_items)
    except UserError as error:
        return str(error)
    except MemoryError:
        return "there was not enough memory."
    recommender = Recommender(artefact, seen)
    lists = recommender.recommend_all(K)
    # Whoever searches a part of the rows, or orders by coarser ones, may miss some; what is listed has to be there.
    partly = bool(artefact.kinds() & {"inverted", "navigable", "reranked"})
    scores = (artefact.users.decode().double() @ artefact.items.decode().double().T).numpy()
    assert lists.shape == (seen.n_users, min(K, seen.n_items))
    assert lists.max(initial=-1) < seen.n_items
    for user, items in enumerate(lists):
        found = items[items >= 0]
        assert len(set(found.tolist())) == len(found)
        if not partly:
            best = np.sort(scores[user])[::-1][:K]
            scale = max(1e-3, float(np.abs(scores[user]).max()))
            # Kernels multiply by other roundings than float64 does: what is listed may be a tie of what is best.
            assert len(found) == K
            assert np.abs(scores[user][items] - best).max() <= 0.02 * scale, (user, scores[user][items], best)
    return ""


def main() -> None:
    scratch, corpus, users, items = Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4])
    torch.set_num_threads(1)
    seen = UserItems.from_pairs(np.zeros(0, np.int64), np.zeros(0, np.int64), users, items)
    for folder in sorted((corpus / "sound").iterdir()):  # Compiles every kernel before the walls go up.
        Recommender(Artefact.load(folder), seen).recommend_all(K)
    sandbox.enter(sandbox.Bounds(scratch, hidden=(corpus,), readable=(corpus,), memory=2 << 30))
    print("ready", flush=True)
    for line in sys.stdin:
        try:
            answer = {"refused": served(Path(line.strip()), seen)}
        except BaseException:
            answer = {"traceback": traceback.format_exc()[-3000:]}
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main()
