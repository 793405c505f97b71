"""Training configs: how a backbone is trained on a data set, and how that was found out."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field

from recpress.backbones.card import BackboneCard
from recpress.core.cards import Card, read_toml
from recpress.core.errors import UserError
from recpress.core.paths import resources
from recpress.headline import HEADLINE

# The folder of the training configs that hold where a data set has none of its own.
DEFAULT = "default"


class TrainingConfig(Card):
    """Hyper-parameters of one training. Everything that changes the result but the data, the code and the seed.

    One model for all backbones: each reads the fields that it knows, and a tuner needs one set of names.
    """

    dim: int = Field(64, ge=1, description="Columns of the base tables.")
    layers: int = Field(0, ge=0, description="Propagation steps; 0 is matrix factorization.")
    first_layer: int = Field(0, ge=0, description="First step that is in the mean of steps, the final table.")
    init_std: float = Field(0.1, gt=0, description="Standard deviation of the initial embeddings.")

    relations: tuple[str, ...] = Field(
        (), description="Relations of the data set whose edges join the interactions in propagation, such as trusts."
    )

    loss: Literal["bpr", "softmax", "ccl", "bce"] = Field(
        "bpr",
        description="bpr: pairwise (Rendle et al. 2009). softmax: sampled softmax over cosines. ccl: cosine "
        "contrastive (Mao et al. 2021, SimpleX). bce: binary cross-entropy weighted by degree (Mao et al. 2021).",
    )
    negatives: int = Field(1, ge=1, description="bpr, ccl: per positive; other losses: drawn per batch, shared.")
    candidates: int = Field(1, ge=1, description="bpr: a negative scores highest of so many draws (Zhang et al. 2013).")
    temperature: float = Field(0.1, gt=0, description="Divides the cosines of the sampled softmax.")
    negative_weight: float = Field(1.0, ge=0, description="ccl, bce: weight of the negatives' mean loss.")
    margin: float = Field(0.9, ge=-1, le=1, description="ccl: cosines of negatives below it cost nothing.")
    regularisation: float = Field(
        0.0, ge=0, description="Weight of the batch's squared base embeddings, halved (ultragcn: of the mean row)."
    )

    epochs: int = Field(100, ge=1, description="Passes over the interactions.")
    batch_size: int = Field(2048, ge=1, description="Positives per step.")
    learning_rate: float = Field(1e-3, gt=0, description="Of Adam.")
    decay: Literal["constant", "cosine"] = Field("constant", description="Course of the learning rate over all steps.")
    precision: Literal["fp32", "bf16"] = Field("fp32", description="Of the rows that linear propagation reads.")

    contrast_weight: float = Field(0.2, ge=0, description="xsimgcl: weight of InfoNCE beside the ranking loss.")
    contrast_temperature: float = Field(0.15, gt=0, description="xsimgcl: divides the cosines of InfoNCE.")
    contrast_noise: float = Field(0.2, ge=0, description="xsimgcl: length of the noise added to each row and layer.")
    contrast_layer: int = Field(
        1, ge=0, description="xsimgcl: layer that the final one is contrasted with; 0 is SimGCL, with two noisy passes."
    )
    contrast_ids: int = Field(2048, ge=2, description="xsimgcl: positives of a batch whose ids are contrasted.")

    negative_scaling: Literal["degree", "uniform"] = Field(
        "degree", description="ultragcn: whether negatives are weighted by degree, as positives are."
    )
    item_weight: float = Field(0.0, ge=0, description="ultragcn: weight of the item-item loss.")
    item_neighbours: int = Field(10, ge=1, description="ultragcn: most similar items of each item in that loss.")

    dropout: float = Field(
        0.0, ge=0, lt=1, description="ngcf, sage, gat: share of a layer's entries dropped; ccl: of the users' rows."
    )
    heads: int = Field(1, ge=1, description="gat: attention heads; they divide dim.")
    inputs: Literal["ids", "items"] = Field(
        "ids", description="sage: whether users have base rows too, or are functions of their items alone."
    )

    @property
    def cosine(self) -> bool:
        """Whether final rows have length 1, so that scores are cosines."""
        return self.loss in ("softmax", "ccl")


class Tuning(Card):
    """How a training config was chosen: on valid, never on test."""

    trials: int = Field(0, ge=0, description="Configs tried.")
    metric: str = Field(HEADLINE, description="What was maximised on valid.")
    value: float | None = Field(None, description="What the chosen config reached on valid, first seed.")
    trial_seconds: float | None = Field(None, description="CPU seconds that one training was allowed.")
    note: str = ""
    log: tuple[tuple[dict[str, str | int | float], float, int], ...] = Field(
        (), description="Of each trial: the fields tried, the score on valid, the epochs after which it was reached."
    )


class TrainingConfigFile(Card):
    """A file of ``benchmark/configs/<dataset>/<backbone>.toml``, or the default of a backbone.

    The default also registers the backbone: its table ``[backbone]`` describes it.
    """

    backbone: BackboneCard | None = None
    config: TrainingConfig
    tuning: Tuning = Tuning()


def read_training_config(dataset: str, backbone: str, folder: Path | None = None) -> TrainingConfigFile:
    """Read the training config of a backbone on a data set, or its default one where that set has none of its own.

    Raises
    ------
    UserError
        When it has a wrong field.
    """
    root = folder or resources("configs")
    path = root / dataset / f"{backbone}.toml"
    path = path if path.is_file() else root / DEFAULT / f"{backbone}.toml"
    try:
        return read_toml(path, TrainingConfigFile)
    except FileNotFoundError as error:
        raise UserError(f"There is no training config for {backbone}: {path} is missing.") from error
