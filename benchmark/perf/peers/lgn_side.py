"""LightGCN-PyTorch's side; runs in its `code` folder and imports nothing of ours."""

import json
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch

what, name, *rest = sys.argv[1:]
folder = Path(name)
# The peer reads its options from the command line when it is imported.
sys.argv = ["main", "--dataset", "gowalla", "--tensorboard", "0", "--topks", "[5,10,20,50,100]"]
sys.path.insert(0, str(Path.cwd()))
import dataloader  # noqa: E402
import model  # noqa: E402
import Procedure  # noqa: E402
import utils  # noqa: E402
import world  # noqa: E402


def ranking(kind: str) -> dict[str, Any]:
    data = dataloader.Loader(path=str(folder / "split"))
    net = (model.PureMF if kind == "mf" else model.LightGCN)(world.config, data)
    net.embedding_user.weight.data[:] = torch.from_numpy(np.load(folder / "users.npy"))
    net.embedding_item.weight.data[:] = torch.from_numpy(np.load(folder / "items.npy"))
    start = time.perf_counter()
    result = Procedure.Test(data, net, 0)
    seconds = time.perf_counter() - start
    ks = world.topks
    values = {f"{name}@{k}": float(v) for name, row in result.items() for k, v in zip(ks, row, strict=True)}
    return {"seconds": [seconds], "metrics": values}


def definitions() -> dict[str, Any]:
    cases = np.load(folder / "cases.npz")
    hits, n_test = cases["hits"].astype(float), cases["n_test"]
    found: dict[str, Any] = {}
    for k in (5, 10, 20):
        for user in range(len(hits)):
            test, row = [range(n_test[user])], hits[user : user + 1]
            both = utils.RecallPrecision_ATk(test, row, k)
            found.setdefault(f"recall@{k}", []).append(both["recall"])
            found.setdefault(f"precision@{k}", []).append(both["precision"])
            found.setdefault(f"ndcg@{k}", []).append(utils.NDCGatK_r(test, row, k))
    np.savez(folder / "lgn.npz", **found)
    return {}


print()
print(json.dumps(definitions() if what == "definitions" else ranking(rest[0])))
