"""Provenance of a record: machine, time, code and command."""

from __future__ import annotations

import platform
import subprocess
import time
from datetime import UTC, datetime
from functools import cache
from importlib import metadata
from pathlib import Path

from recpress import __version__
from recpress.core.paths import checkout_root
from recpress.measure.load import load_average
from recpress.measure.machine import environment, fingerprint
from recpress.records.record import Provenance

# What results depend on. The fingerprint has the versions of the kernels too, but a record must stand alone.
PACKAGES = ("numba", "numpy", "pandas", "safetensors", "scipy", "torch", "torch-geometric")


class Stopwatch:
    """Notes when a run began, and makes its provenance when it ends."""

    def __init__(self) -> None:
        self._started = datetime.now(UTC)
        self._start = time.perf_counter()
        self._load = load_average()

    def provenance(self, command: str, code: str | None = None, isolated: bool | None = None) -> Provenance:
        """Return the provenance of what was done since the watch was started.

        Parameters
        ----------
        command : str
            The command line that repeats the run.
        code : str, optional
            Hash of the method's own source.
        isolated : bool, optional
            Whether the operating system held the run's processes to what they were given.
        """
        commit, dirty = _state_at_start()
        return Provenance(
            started=self._started.isoformat(timespec="seconds"),
            seconds=time.perf_counter() - self._start,
            recpress=__version__,
            commit=commit,
            dirty=dirty,
            command=command,
            python=platform.python_version(),
            packages=_versions(),
            machine=fingerprint().fingerprint,
            load_average=self._load,
            environment=environment(),
            code=code,
            isolated=isolated,
        )


@cache
def _state_at_start() -> tuple[str | None, bool | None]:
    """Return the state of the checkout when this process first asked: what was imported is of about then."""
    return git_state(checkout_root())


@cache
def _versions() -> dict[str, str]:
    return {name: metadata.version(name) for name in PACKAGES}


def git_state(root: Path | None) -> tuple[str | None, bool | None]:
    """Return the commit of a checkout and whether its files differ from it; (None, None) where there is no git.

    Files that git doesn't track count too: a new method is a change.
    """
    if root is None:
        return None, None
    commit = _git(root, "rev-parse", "HEAD")
    changes = _git(root, "status", "--porcelain", "--", ".", ":!results")
    return commit, None if changes is None else bool(changes)


def _git(root: Path, *arguments: str) -> str | None:
    try:
        done = subprocess.run(
            ["git", "-C", str(root), *arguments], capture_output=True, text=True, check=True, timeout=20
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip()
