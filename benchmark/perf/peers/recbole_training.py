"""RecBole's side of the race of trainings; runs in RecBole's environment and imports nothing of ours."""

import json
import sys
import time
from typing import Any

from recbole.config import Config
from recbole.data import create_dataset, data_preparation
from recbole.model.general_recommender import LightGCN
from recbole.trainer import Trainer

folder, epochs = sys.argv[1:3]
# What RecBole ships as LightGCN's variants and as general defaults, but for the split, the metric and the processor.
variants = {
    "data_path": folder, "benchmark_filename": ["train", "valid", "test"],
    "load_col": {"inter": ["user_id", "item_id"]}, "metrics": ["NDCG"], "topk": [10], "valid_metric": "NDCG@10",
    "metric_decimal_place": 12, "use_gpu": False, "show_progress": False, "state": "ERROR",
    "checkpoint_dir": f"{folder}/saved", "epochs": int(epochs),
    "eval_args": {"split": {"RS": [8, 1, 1]}, "group_by": "user", "order": "RO", "mode": "full"},
}  # fmt: skip
config = Config(model="LightGCN", dataset="race", config_dict=variants)
data = create_dataset(config)
train, valid, _ = data_preparation(config, data)
trainer = Trainer(config, LightGCN(config, train.dataset).to(config["device"]))
training, curve = 0.0, []
one_epoch = trainer._train_epoch


def timed(*arguments: Any, **named: Any) -> Any:
    global training
    start = time.perf_counter()
    loss = one_epoch(*arguments, **named)
    training += time.perf_counter() - start
    return loss


trainer._train_epoch = timed
best, _ = trainer.fit(
    train,
    valid,
    verbose=False,
    saved=False,
    show_progress=False,
    callback_fn=lambda epoch, score: curve.append((epoch + 1, training, float(score))),
)
print(json.dumps({"seconds": training, "epochs": curve[-1][0], "ndcg@10": float(best), "curve": curve}))
