"""Contents of the cache: what is there, what is damaged, and what can be removed."""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from recpress.core.errors import UserError
from recpress.core.paths import cache_dir

DAY = 86_400.0
# Kind: how deep below its folder the entries lie.
KINDS = {"parsed": 2, "backbones": 1, "fitted": 1, "artefacts": 1, "per-user": 1, "logs": 1}
# A lock or an unfinished folder that is older than this belongs to nobody any more.
ABANDONED = DAY


@dataclass(frozen=True)
class Entry:
    """One entry of the cache; it can be made again.

    Attributes
    ----------
    kind : str
    path : Path
    bytes : int
    used : float
        When it was last written or read, in seconds since 1970.
    leftover : bool
        What an interrupted process has left: of no use.
    """

    kind: str
    path: Path
    bytes: int
    used: float
    leftover: bool


def entries() -> list[Entry]:
    """Return all that runs have put into the cache. Raw data that was fetched is not among it."""
    return [entry for kind, depth in KINDS.items() for entry in _entries(kind, depth)]


def _entries(kind: str, depth: int) -> Iterator[Entry]:
    for path in sorted((cache_dir() / kind).glob("/".join(["*"] * depth))):
        files = [file for file in (path.rglob("*") if path.is_dir() else [path]) if file.is_file()]
        facts = [file.stat() for file in files]
        used = max((max(each.st_atime, each.st_mtime) for each in facts), default=path.stat().st_mtime)
        leftover = path.suffix in (".tmp", ".lock", ".unfinished") or path.name.startswith(".")
        yield Entry(kind, path, sum(each.st_size for each in facts), used, leftover)


def collect(older_than_days: float, now: float | None = None) -> list[Entry]:
    """Return what can go: what was not used for so long, and leftovers after a day."""
    present = time.time() if now is None else now
    limits = {True: ABANDONED, False: older_than_days * DAY}
    return [entry for entry in entries() if present - entry.used > limits[entry.leftover]]


def remove(entry: Entry) -> None:
    """Remove an entry."""
    if entry.path.is_dir():
        shutil.rmtree(entry.path, ignore_errors=True)
    else:
        entry.path.unlink(missing_ok=True)


def damage(entry: Entry) -> str | None:
    """Return what is wrong with an entry, or None. Backbones and per-user results are read whole."""
    if entry.leftover:
        return None
    try:
        if entry.kind == "backbones":
            _check_backbone(entry.path)
        elif entry.kind == "artefacts":
            from recpress.codecs.artefact import Artefact

            Artefact.load(entry.path)
        elif entry.kind == "per-user":
            from recpress.evaluation import store

            store.load(entry.path)
        elif entry.kind == "parsed":
            from recpress.data import store as parsed

            parsed.read(entry.path)
    except (UserError, OSError, ValueError, KeyError, EOFError) as error:
        return str(error)
    return None


def _check_backbone(folder: Path) -> None:
    import numpy as np

    from recpress.backbones import checkpoint
    from recpress.codecs.artefact import Artefact
    from recpress.experiments import worker

    backbone = checkpoint.read(folder)
    reference = Artefact.load(folder / worker.REFERENCE)
    if not (reference.users.decode().equal(backbone.users) and reference.items.decode().equal(backbone.items)):
        raise ValueError("its reference tables are not those of its checkpoint")
    lists = np.load(folder / worker.TOPK, allow_pickle=False)
    if len(lists) != len(backbone.users):
        raise ValueError(f"it has the lists of {len(lists)} users, and {len(backbone.users)} users")
