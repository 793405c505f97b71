"""What makes a cell the same cell: everything that changes its result, hashed."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path

from recpress import registry
from recpress.backbones.recipe import RecipeFile, read_recipe
from recpress.data.card import dataset_card
from recpress.hashing import sha256_code, sha256_json
from recpress.paths import PACKAGE
from recpress.run.suite import OWN, Cell

# The modules of the package that decide what a cell's quality and bytes are. What measures time isn't among them.
TRAINING = ("backbones",)
RESULT = ("api.py", "backbones", "codecs", "evaluate", "serve")


@dataclass(frozen=True)
class Planned:
    """A cell with its identity."""

    cell: Cell
    split: str
    recipe: RecipeFile
    code: str
    backbone_key: str
    id: str


@cache
def _code(parts: tuple[Path, ...]) -> str:
    return sha256_code(parts)


@cache
def _recipe(dataset: str, backbone: str) -> RecipeFile:
    return read_recipe(dataset, backbone)


def plan(cell: Cell, split: str) -> Planned:
    """Give a cell its identity. This reads cards, recipes and code, and imports no torch.

    Parameters
    ----------
    cell : Cell
    split : str
        SHA-256 of the split.
    """
    recipe = _recipe(cell.dataset, cell.backbone)
    training = sha256_json(
        {
            "split": split,
            "backbone": cell.backbone,
            "recipe": recipe.recipe.model_dump(),
            "seed": cell.seed,
            "code": _code(tuple(PACKAGE / part for part in TRAINING)),
        }
    )
    code = _code((registry.method(cell.method).code, *(PACKAGE / part for part in RESULT)))
    identity = {
        "training": training,
        "method": cell.method,
        "budget": cell.budget,
        "params": cell.params,
        "code": code,
    }
    return Planned(cell, split, recipe, code, training, sha256_json(identity))


def pinned_split(dataset: str) -> str | None:
    """Return the split hash that a card pins, so that a plan need not read the data; None where it pins none."""
    return None if dataset.startswith(OWN) else dataset_card(dataset).split.sha256
