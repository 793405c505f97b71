"""A backbone is two files: with its model and its training config it is listed, trained and searched."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import pytest

from recpress.backbones import catalogue, config, models
from recpress.backbones.catalogue import backbone, backbones
from recpress.backbones.config import read_training_config
from recpress.backbones.spaces import TRAINING, Choice, Dimension
from recpress.core.errors import UserError
from recpress.core.paths import resources
from recpress.data.graph import Graph

MODEL = """
from recpress.backbones.model import Linear

class Twin(Linear):
    pass
"""
CONFIG = """
[backbone]
title = "A twin of matrix factorization"
version = 1
paper = "Nobody 2020, https://example.org"
search = [{ name = "dim", choices = [4, 8] }, "training"]

[config]
dim = 4
epochs = 1
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Folders for a model and a config beside those of the project."""
    shutil.copytree(resources("configs"), tmp_path / "configs")
    (tmp_path / "models").mkdir()
    for module in (catalogue, config):
        monkeypatch.setattr(module, "resources", lambda kind: tmp_path / kind)
    monkeypatch.setattr(models, "__path__", [*models.__path__, str(tmp_path / "models")])
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    yield tmp_path
    sys.modules.pop("recpress.backbones.models.twin", None)
    catalogue.model_of.cache_clear()


def register(folder: Path, model: str | None = MODEL, told: str = CONFIG) -> None:
    (folder / "configs" / "default" / "twin.toml").write_text(told, encoding="utf-8")
    if model is not None:
        (folder / "models" / "twin.py").write_text(model, encoding="utf-8")


def test_two_files_register_a_backbone(folder: Path, small: Graph) -> None:
    register(folder)
    assert "twin" in backbones()
    assert backbone("twin").card.title == "A twin of matrix factorization"
    assert backbone("twin").space == (Dimension("dim", Choice((4, 8))), *TRAINING)
    made = backbone("twin").fit(small, read_training_config("no-such-set", "twin").config, 0)
    assert (made.name, made.users.shape) == ("twin", (small.n_users, 4))


@pytest.mark.parametrize(
    ("model", "told", "why"),
    [
        (None, CONFIG, "no module"),
        ("X = 1", CONFIG, "one subclass of Model, not 0"),
        (MODEL + "class Other(Linear):\n    pass\n", CONFIG, "not 2"),
        (MODEL, CONFIG.partition("[config]")[1] + CONFIG.partition("[config]")[2], "no table"),
        (MODEL, CONFIG.replace('"training"', '"trainng"'), "search"),
        (MODEL, CONFIG.replace("choices = [4, 8]", "low = 4"), "low and high, or choices"),
    ],
)
def test_what_is_missing_is_told(folder: Path, model: str | None, told: str, why: str) -> None:
    register(folder, model, told)
    with pytest.raises(UserError, match=why):
        _ = backbone("twin").card.space, backbone("twin").model
