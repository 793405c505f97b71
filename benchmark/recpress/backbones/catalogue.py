"""Which backbones there are. Importing this imports no torch.

A backbone is two files: its model, ``recpress/backbones/models/<name>.py``, and its default training config,
``benchmark/configs/default/<name>.toml``, whose table ``[backbone]`` describes it.
"""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from recpress.backbones.card import BackboneCard
from recpress.backbones.config import DEFAULT, TrainingConfig, TrainingConfigFile
from recpress.backbones.spaces import Space
from recpress.core.cards import read_card
from recpress.core.errors import UserError, unknown
from recpress.core.paths import resources

if TYPE_CHECKING:
    import torch

    from recpress.backbones.base import Backbone, Session, Watch
    from recpress.backbones.model import Model
    from recpress.data.graph import Graph


@dataclass(frozen=True)
class BackboneEntry:
    """One registered backbone.

    Attributes
    ----------
    name : str
    file : Path
        Its default training config.
    """

    name: str
    file: Path

    @property
    def card(self) -> BackboneCard:
        """What its default training config says of it.

        Raises
        ------
        UserError
            When the file has no table ``[backbone]``, or a wrong field.
        """
        return card_of(self.file)

    @property
    def space(self) -> Space:
        """What `recpress tune` searches, the same on every data set."""
        return self.card.space

    @property
    def model(self) -> type[Model]:
        """Its class: the one subclass of `Model` that its module defines. Reading this imports torch.

        Raises
        ------
        UserError
            When its module is missing, or defines no such class or several.
        """
        return model_of(self.name)

    def fit(
        self,
        graph: Graph,
        config: TrainingConfig,
        seed: int,
        watch: Watch | None = None,
        session: Session | None = None,
    ) -> Backbone:
        """Train it; see `recpress.backbones.base.fit_model`."""
        from recpress.backbones.base import fit_model

        return fit_model(self.name, self.model, graph, config, seed, watch, session)

    def build(self, graph: Graph, config: TrainingConfig, generator: torch.Generator) -> Model:
        """Return the model that `fit` trains, untrained."""
        return self.model(graph, config, generator)


@cache
def card_of(file: Path) -> BackboneCard:
    """Return the card in a default training config, read once."""
    card = read_card(file, TrainingConfigFile).backbone
    if card is None:
        raise UserError(f"{file} has no table [backbone], which says what {file.stem} is: give it title and paper.")
    return card


@cache
def model_of(name: str) -> type[Model]:
    """Return the class of a backbone's model; see `BackboneEntry.model`."""
    from recpress.backbones.model import Model

    place = f"recpress.backbones.models.{name}"
    try:
        module = importlib.import_module(place)
    except ModuleNotFoundError as error:
        if error.name != place:
            raise
        raise UserError(f"The backbone {name} has a training config but no module {place}: write it.") from error
    found = [
        each
        for each in vars(module).values()
        if isinstance(each, type) and issubclass(each, Model) and each.__module__ == place
    ]
    if len(found) != 1:
        raise UserError(f"{place} must define one subclass of Model, not {len(found)}.")
    return found[0]


def backbones() -> dict[str, BackboneEntry]:
    """Return every registered backbone by name, sorted."""
    return _backbones(resources("configs") / DEFAULT)


@cache
def _backbones(folder: Path) -> dict[str, BackboneEntry]:
    return {file.stem: BackboneEntry(file.stem, file) for file in sorted(folder.glob("*.toml"))}


def backbone(name: str) -> BackboneEntry:
    """Return one backbone.

    Raises
    ------
    UserError
        When none has this name; the nearest name is given.
    """
    known = backbones()
    if name not in known:
        raise unknown("backbone", name, known, "`recpress list backbones` shows them")
    return known[name]
