"""Versions of what results rest on, beside methods and backbones, whose cards say theirs: codecs, metrics and so on.

A version is an integer that is raised when the same input gives other results. Identities are made of names and
versions, so that moving or renaming code makes no result old; that no version is forgotten is what the repository's
golden digests hold (tools/versions.py).
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache
from typing import Literal, get_args

from pydantic import Field

from recpress.core.cards import Card, Versioned, read_toml
from recpress.core.errors import unknown
from recpress.core.paths import PACKAGE

FILE = PACKAGE / "versions.toml"
Room = Literal["codec", "network", "graph", "split", "metric", "ranking"]
ROOMS: tuple[Room, ...] = get_args(Room)


class Declared(Versioned):
    """Declaration of one version."""

    version: int = Field(ge=1)


class Versions(Card):
    """``versions.toml``: by room, then by name."""

    codec: dict[str, Declared]
    network: dict[str, Declared]
    graph: dict[str, Declared]
    split: dict[str, Declared]
    metric: dict[str, Declared] = Field({}, description="Those that changed: others have version 1.")
    ranking: dict[str, Declared]

    def of(self, room: Room) -> dict[str, Declared]:
        """Return what one room declares."""
        found: dict[str, Declared] = getattr(self, room)
        return found


@cache
def declared() -> Versions:
    """Return all that is declared; the file is read once."""
    return read_toml(FILE, Versions)


def version(room: Room, name: str) -> int:
    """Return the version of one thing.

    Raises
    ------
    UserError
        When the room has nothing of this name; the nearest name is given.
    """
    known = declared().of(room)
    if name not in known:
        raise unknown(room, name, known, f"{FILE.name} declares them")
    return known[name].version


def versions(room: Room) -> dict[str, int]:
    """Return the versions of all things of a room, by name."""
    return {name: each.version for name, each in declared().of(room).items()}


def of_kinds(kinds: Iterable[str] | None) -> dict[str, int]:
    """Return the versions of kinds of codecs and networks, by kind; of all there are for None.

    Raises
    ------
    UserError
        When there is no such kind.
    """
    known = versions("codec") | versions("network")
    if kinds is None:
        return known
    for kind in kinds:
        if kind not in known:
            raise unknown("codec", kind, known, f"{FILE.name} declares them")
    return {kind: known[kind] for kind in sorted(kinds)}
