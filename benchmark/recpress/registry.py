"""What is registered: methods and data sets by folder, found without importing any of them."""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

from recpress.cards import MethodCard, read_card
from recpress.errors import unknown
from recpress.paths import resources


@dataclass(frozen=True)
class MethodEntry:
    """One registered method: ``methods/<family>/<name>/``."""

    name: str
    family: str
    folder: Path

    @property
    def card(self) -> MethodCard:
        """The method's card, read from disk."""
        return read_card(self.folder / "card.toml", MethodCard)

    @property
    def code(self) -> Path:
        """The file that holds the method's class."""
        return self.folder / "method.py"

    def module(self) -> ModuleType:
        """Import the method's module (this imports torch)."""
        return importlib.import_module(f"recpress.methods.{self.family}.{self.name}.method")


def methods() -> dict[str, MethodEntry]:
    """Return every registered method by name, sorted by family and name."""
    found = sorted(resources("methods").glob("*/*/card.toml"))
    return {card.parent.name: MethodEntry(card.parent.name, card.parent.parent.name, card.parent) for card in found}


def method(name: str) -> MethodEntry:
    """Return one method.

    Raises
    ------
    UserError
        When no method has this name; the nearest name is given.
    """
    known = methods()
    if name not in known:
        raise unknown("method", name, known, "`recpress list methods` shows them")
    return known[name]


def dataset_folders() -> dict[str, Path]:
    """Return the folder of every registered data set by name."""
    return {card.parent.name: card.parent for card in sorted(resources("datasets").glob("*/card.toml"))}


def dataset_folder(name: str) -> Path:
    """Return the folder of one data set.

    Raises
    ------
    UserError
        When no data set has this name; the nearest name is given.
    """
    known = dataset_folders()
    if name not in known:
        raise unknown("dataset", name, known, "`recpress list datasets` shows them")
    return known[name]


def suites() -> dict[str, Path]:
    """Return the file of every suite by name."""
    return {file.stem: file for file in sorted(resources("suites").glob("*.toml"))}
