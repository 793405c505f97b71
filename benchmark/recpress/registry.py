"""The registry: methods and data sets by folder, found without importing any of them.

Methods come from this project, from folders that the user names (`PLUGINS`), and from installed packages that name such
a folder by an entry point (`GROUP`). All are laid out alike: ``<family>/<name>/`` with a card.toml and a method.py.
"""

from __future__ import annotations

import importlib
import importlib.util
import os
import re
import sys
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from types import ModuleType

from recpress.core.cards import FamilyCard, MethodCard, read_card, read_toml
from recpress.core.errors import UserError, unknown
from recpress.core.paths import PLUGINS, resources

# The group of entry points of packages with methods.
GROUP = "recpress.methods"
OWN = "recpress"
NAMESPACE = f"{OWN}.methods"


@dataclass(frozen=True)
class Source:
    """A folder of methods.

    Attributes
    ----------
    label : str
        Where it comes from, as users are told: "recpress", a folder, or a package with its version.
    folder : Path
    package : str
        What its methods are imported under. Folders that aren't packages join the namespace of this project's own.
    """

    label: str
    folder: Path
    package: str = NAMESPACE


@dataclass(frozen=True)
class MethodEntry:
    """One registered method: ``<family>/<name>/`` in a folder of methods."""

    name: str
    family: str
    folder: Path
    source: Source = Source(OWN, resources("methods"))

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
        if self.source.package == NAMESPACE:
            places = importlib.import_module(NAMESPACE).__path__
            if str(self.source.folder) not in places:
                places.append(str(self.source.folder))
        return importlib.import_module(f"{self.source.package}.{self.family}.{self.name}.method")


def method_sources() -> tuple[Source, ...]:
    """Return every folder of methods: this project's own, the user's, those of installed packages.

    Raises
    ------
    UserError
        When a folder that was named isn't there.
    """
    found: dict[Path, Source] = {}
    for source in (Source(OWN, resources("methods")), *_named(), *_installed(tuple(sys.path))):
        found.setdefault(source.folder, source)
    return tuple(found.values())


def _named() -> list[Source]:
    folders = [Path(each) for each in os.environ.get(PLUGINS, "").split(os.pathsep) if each]
    for folder in folders:
        if not folder.is_absolute():
            raise UserError(f"{PLUGINS} names {str(folder)!r}: give the whole path of a folder of methods.")
        if not folder.is_dir():
            raise UserError(f"{folder}, which {PLUGINS} or --plugin-dir names, is no folder.")
    return [Source(str(folder), folder.resolve()) for folder in folders]


@cache
def _installed(path: tuple[str, ...]) -> tuple[Source, ...]:
    """Return the folders of installed packages. Reading the metadata of all packages takes some 10 ms."""
    points = sorted(entry_points(group=GROUP), key=lambda point: point.name)
    return tuple(_from_package(point) for point in points)


def _from_package(point: EntryPoint) -> Source:
    label = f"{point.dist.name} {point.dist.version}" if point.dist else point.name
    top, *rest = point.value.split(".")
    for place in package_folders(top):
        folder = place.joinpath(*rest)
        if folder.is_dir():
            return Source(label, folder.resolve(), point.value)
    raise UserError(
        f"The installed package {label} promises methods in {point.value!r}, which isn't there: reinstall or remove it."
    )


def package_folders(top: str) -> list[Path]:
    """Return where a top-level package lies, without importing it; nothing if there is none."""
    spec = importlib.util.find_spec(top)
    return [Path(place) for place in (spec.submodule_search_locations or [])] if spec else []


def methods() -> dict[str, MethodEntry]:
    """Return every registered method by name, sorted by where it comes from, family and name.

    Raises
    ------
    UserError
        When two have the same name, or one from elsewhere has a name or a place that can't be imported.
    """
    found: dict[str, MethodEntry] = {}
    for source in method_sources():
        cards = sorted(source.folder.glob("*/*/card.toml"))
        if source.label != OWN and not cards:
            raise UserError(f"{source.folder} ({source.label}) holds no method: FAMILY/NAME/card.toml and method.py.")
        for card in cards:
            entry = MethodEntry(card.parent.name, card.parent.parent.name, card.parent, source)
            _refuse_misplaced(entry)
            if other := found.get(entry.name):
                raise UserError(
                    f"There are two methods {entry.name!r}, {other.folder} ({other.source.label}) and {entry.folder} "
                    f"({source.label}): rename one, or leave one of them out."
                )
            found[entry.name] = entry
    return found


def _refuse_misplaced(entry: MethodEntry) -> None:
    for word in (entry.family, entry.name):
        if not re.fullmatch("[a-z][a-z0-9_]{0,40}", word):
            raise UserError(f"{entry.folder}: {word!r} must be a lower-case Python name, such as my_method.")
    if entry.source.package == NAMESPACE and (entry.folder.parent / "__init__.py").exists():
        raise UserError(f"{entry.folder.parent} must hold no __init__.py: it would hide other methods of its family.")


def cards() -> dict[str, MethodCard]:
    """Return the card of every method whose card can be read; `recpress list methods` names the others."""
    found = {}
    for name, entry in methods().items():
        with suppress(UserError):
            found[name] = entry.card
    return found


def titles() -> dict[str, str]:
    """Return what people call each method, by its name."""
    return {name: card.title for name, card in cards().items()}


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


def families() -> dict[str, FamilyCard]:
    """Return every declared family of methods by name, in their order; a plugin's may declare none.

    Raises
    ------
    UserError
        When a family.toml has a wrong field.
    """
    found: dict[str, FamilyCard] = {}
    for source in method_sources():
        for file in sorted(source.folder.glob("*/family.toml")):
            if file.parent.name not in found:
                found[file.parent.name] = read_toml(file, FamilyCard)
    return dict(sorted(found.items(), key=lambda item: item[1].order))


def family(name: str) -> FamilyCard:
    """Return one family.

    Raises
    ------
    UserError
        When no family has this name; the nearest name is given.
    """
    known = families()
    if name not in known:
        raise unknown("family", name, known, "methods/FAMILY/family.toml declares one")
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
