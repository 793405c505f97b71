"""The audited artefact, and what the checks share."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from recpress.measure.latency import Users
from recpress.measure.watch import Watch, scrubbed_environment, watch

Items = NDArray[np.int32]
Ask = Callable[[Users], Items]


# As many of the scored users as a check asks for.
PROBE_USERS = 512


@dataclass(frozen=True)
class AfterMove:
    """Result of serving a copy: the answers to the first users, and the side effects of the process."""

    answers: Items
    watch: Watch
    outside: list[Path]


@dataclass(frozen=True)
class Subject:
    """An artefact, how it answers, and how it was scored.

    Attributes
    ----------
    folder : Path
        The artefact's folder.
    load : callable
        Takes an artefact's folder and returns a way to ask: users, int64 (B,), to top-K items, int32 (B, k).
    users : int64 array of shape (n,)
        Whose lists were scored.
    scored : int32 array of shape (n, k)
        Those lists.
    build : callable or None
        Makes the artefact again with the same seed, in the empty folder that it is given.
    """

    folder: Path
    load: Callable[[Path], Ask]
    users: Users
    scored: Items
    build: Callable[[Path], None] | None = None

    @cached_property
    def moved(self) -> AfterMove:
        """A copy of the artefact in another folder, asked under watch and without the caller's environment."""
        asked = self.users[:PROBE_USERS]
        with temporary_folder() as folder:
            for file in self.folder.iterdir():
                shutil.copyfile(file, folder / file.name)  # Content alone: a stage may set no modes and times.
            with watch() as seen, scrubbed_environment():
                ask = self.load(folder)
                answers = np.concatenate([ask(asked[i : i + 256]) for i in range(0, len(asked), 256)])
            return AfterMove(answers, seen, seen.outside(folder))


class Skipped(Exception):
    """A check can't be made; the message says why."""


@contextmanager
def temporary_folder() -> Iterator[Path]:
    """Make a folder that is gone after the ``with`` block."""
    with tempfile.TemporaryDirectory(prefix="recpress-audit-") as folder:
        yield Path(folder)
