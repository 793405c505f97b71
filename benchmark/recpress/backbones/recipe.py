"""Recipes: how a backbone is trained on a data set, and how that was found out."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field

from recpress.cards import Card, read_toml
from recpress.errors import UserError
from recpress.paths import resources


class Recipe(Card):
    """Hyper-parameters of one training. Everything that changes the result but the data, the code and the seed."""

    dim: int = Field(64, ge=1, description="Columns of the embedding tables.")
    layers: int = Field(0, ge=0, description="Propagation steps; 0 is matrix factorization.")
    loss: Literal["bpr", "softmax"] = Field(
        "bpr", description="bpr: pairwise (Rendle et al. 2009). softmax: sampled softmax over cosine similarities."
    )
    temperature: float = Field(0.1, gt=0, description="Divides the cosines of the sampled softmax.")
    negatives: int = Field(1, ge=1, description="bpr: per positive; softmax: items drawn per batch, shared.")
    learning_rate: float = Field(1e-3, gt=0, description="Of Adam.")
    decay: Literal["constant", "cosine"] = Field("constant", description="Course of the learning rate over all steps.")
    epochs: int = Field(100, ge=1, description="Passes over the interactions.")
    batch_size: int = Field(2048, ge=1, description="Positives per step.")
    regularisation: float = Field(0.0, ge=0, description="Weight of the batch's squared base embeddings, halved.")
    init_std: float = Field(0.1, gt=0, description="Standard deviation of the initial embeddings.")


class Tuning(Card):
    """How a recipe was chosen: on valid, never on test."""

    trials: int = Field(0, ge=0, description="Settings tried.")
    metric: str = Field("ndcg@20", description="What was maximised on valid.")
    value: float | None = Field(None, description="What the chosen setting reached on valid, first seed.")
    note: str = ""


class RecipeFile(Card):
    """``benchmark/recipes/<dataset>/<backbone>.toml``."""

    recipe: Recipe
    tuning: Tuning = Tuning()


def read_recipe(dataset: str, backbone: str, folder: Path | None = None) -> RecipeFile:
    """Read the recipe of a backbone on a data set, or its default recipe where that set has none of its own.

    Raises
    ------
    UserError
        When it has a wrong field.
    """
    root = folder or resources("recipes")
    path = root / dataset / f"{backbone}.toml"
    path = path if path.is_file() else root / "default" / f"{backbone}.toml"
    try:
        return read_toml(path, RecipeFile)
    except FileNotFoundError as error:
        raise UserError(f"There is no recipe for {backbone}: {path} is missing.") from error
