"""What makes a cell the same cell: everything that changes its result, hashed."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

from recpress import registry
from recpress.backbones.recipe import RecipeFile, read_recipe
from recpress.data.card import dataset_card
from recpress.hashing import sha256_json
from recpress.run import code
from recpress.run.suite import OWN, Cell

# What runs for every cell, whatever its backbone and its method; what they rest on themselves is found from here.
# What measures time isn't among it.
TRAINING = "recpress.backbones.checkpoint"
MAKING = "recpress.run.worker"
SCORING = "recpress.run.quality"


@dataclass(frozen=True)
class Planned:
    """A cell with its identity.

    Attributes
    ----------
    cell : Cell
    split : str
        SHA-256 of the split.
    recipe : RecipeFile
    code : str
        Hash of the code that makes and serves the artefact.
    backbone_key : str
        Hash of all that decides the trained backbone.
    made : str
        Hash of all that decides the artefact and what it serves.
    id : str
        Hash of all that decides the record: of the above, and of the code that scores.
    """

    cell: Cell
    split: str
    recipe: RecipeFile
    code: str
    backbone_key: str
    made: str
    id: str


@cache
def _recipe(dataset: str, backbone: str) -> RecipeFile:
    return read_recipe(dataset, backbone)


@cache
def _training_code(backbone: str) -> str:
    return code.sha256_of([TRAINING, f"recpress.backbones.{backbone}"])


@cache
def _making_code(method: str) -> str:
    return code.sha256_of([MAKING, registry.method(method).code])


@cache
def _scoring_code() -> str:
    return code.sha256_of([SCORING])


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
            "code": _training_code(cell.backbone),
        }
    )
    making = _making_code(cell.method)
    made = sha256_json(
        {
            "training": training,
            "method": cell.method,
            "budget": cell.budget,
            "params": cell.params,
            "code": making,
        }
    )
    return Planned(cell, split, recipe, making, training, made, sha256_json([made, _scoring_code()]))


def pinned_split(dataset: str) -> str | None:
    """Return the split hash that a card pins, so that a plan need not read the data; None where it pins none."""
    return None if dataset.startswith(OWN) else dataset_card(dataset).split.sha256
