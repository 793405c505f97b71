"""Checkpoints of frozen backbones: safetensors for the tables, JSON for how they came about."""

from __future__ import annotations

import json
from pathlib import Path

from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

from recpress.backbones.base import Backbone
from recpress.backbones.config import TrainingConfig
from recpress.core.errors import UserError

TENSORS = "backbone.safetensors"
FACTS = "backbone.json"
TABLES = ("users", "items", "base_users", "base_items")
WEIGHT = "weight."


def write(folder: Path, backbone: Backbone) -> None:
    """Write a checkpoint into a folder, which is made if it isn't there."""
    folder.mkdir(parents=True, exist_ok=True)
    tensors = {name: getattr(backbone, name).contiguous() for name in TABLES}
    tensors |= {WEIGHT + name: weight.contiguous() for name, weight in backbone.weights.items()}
    save_file(tensors, folder / TENSORS)
    facts = {
        "name": backbone.name,
        "recipe": backbone.config.model_dump(),
        "seed": backbone.seed,
        "train_seconds": backbone.train_seconds,
        "sha256": backbone.sha256(),
    }
    (folder / FACTS).write_text(json.dumps(facts, indent=1), encoding="utf-8")


def read(folder: Path) -> Backbone:
    """Read a checkpoint and check its content against the hash that was written with it.

    Raises
    ------
    UserError
        When it is missing or damaged.
    """
    try:
        facts = json.loads((folder / FACTS).read_text(encoding="utf-8"))
        tensors = load_file(folder / TENSORS)
        backbone = Backbone(
            name=facts["name"],
            config=TrainingConfig(**facts["recipe"]),
            seed=facts["seed"],
            train_seconds=facts["train_seconds"],
            weights={name.removeprefix(WEIGHT): tensors[name] for name in tensors if name.startswith(WEIGHT)},
            **{name: tensors[name] for name in TABLES},
        )
        if backbone.sha256() != facts["sha256"]:
            raise ValueError("its tables don't have the hash that was written with them")
    except (OSError, ValueError, KeyError, TypeError, SafetensorError) as error:
        raise UserError(f"The checkpoint {folder} is damaged ({error}): remove it to train again.") from error
    return backbone
