"""RecBole's side; runs in RecBole's environment and imports nothing of ours."""

import json
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from recbole.config import Config
from recbole.data import create_dataset, data_preparation
from recbole.evaluator import metrics
from recbole.model.general_recommender import BPR
from recbole.trainer import Trainer


def ranking(folder: Path, rounds: int, rows: int) -> dict[str, Any]:
    users, items = np.load(folder / "users.npy"), np.load(folder / "items.npy")
    variants = {
        "data_path": str(folder), "benchmark_filename": ["train", "valid", "test"],
        "load_col": {"inter": ["user_id", "item_id"]}, "embedding_size": users.shape[1],
        "metrics": ["Recall", "NDCG", "Precision", "Hit", "MRR", "MAP"], "topk": [5, 10, 20, 50, 100],
        "metric_decimal_place": 12, "eval_batch_size": rows * (len(items) + 1), "use_gpu": False,
        "show_progress": False, "state": "ERROR", "checkpoint_dir": str(folder / "saved"),
        "valid_metric": "Recall@20",
        "eval_args": {"split": {"RS": [8, 1, 1]}, "group_by": "user", "order": "RO", "mode": "full"},
    }  # fmt: skip
    config = Config(model="BPR", dataset="race", config_dict=variants)
    data = create_dataset(config)
    train, _, test = data_preparation(config, data)
    model = BPR(config, train.dataset)
    for embedding, field, table in (
        (model.user_embedding, "user_id", users),
        (model.item_embedding, "item_id", items),
    ):
        own = data.field2id_token[field][1:].astype(int)
        embedding.weight.data[1:] = torch.from_numpy(table[own])
    trainer = Trainer(config, model)
    times = []
    for _ in range(rounds):
        start = time.perf_counter()
        result = trainer.evaluate(test, load_best_model=False, show_progress=False)
        times.append(time.perf_counter() - start)
    return {"seconds": times, "metrics": {name: float(value) for name, value in result.items()}}


def definitions(folder: Path) -> dict[str, Any]:
    cases = np.load(folder / "cases.npz")
    np.float = np.float64  # type: ignore[attr-defined]  # noqa: NPY001  # RecBole's own Config restores it.
    config = {"metric_decimal_place": 12, "topk": [5, 10, 20]}
    found = {}
    for name in ("Recall", "NDCG", "MAP", "Precision", "Hit", "MRR"):
        metric = getattr(metrics, name)(config)
        known = (cases["hits"], cases["n_test"]) if name in ("Recall", "NDCG", "MAP") else (cases["hits"],)
        found[name] = metric.metric_info(*known)
    np.savez(folder / "recbole.npz", **found)
    return {}


folder = Path(sys.argv[2])
answer = definitions(folder) if sys.argv[1] == "definitions" else ranking(folder, *map(int, sys.argv[3:5]))
print(json.dumps(answer))
