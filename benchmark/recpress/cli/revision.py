"""Results as they are in a folder, or as a git revision has them."""

from __future__ import annotations

import io
import subprocess
import tarfile
import tempfile
from pathlib import Path

from recpress.board.collect import Collection, collect
from recpress.errors import UserError


def results_of(where: str, results: Path) -> Collection:
    """Read a results folder, or the one that a git revision has at the path `results`.

    Raises
    ------
    UserError
        When it is neither.
    """
    if Path(where).is_dir():
        return collect(Path(where))
    told = subprocess.run(
        ["git", "archive", "--format=tar", where, "--", results.as_posix()], capture_output=True, check=False
    )
    if told.returncode:
        raise UserError(f"{where} is neither a folder nor a git revision that has {results}.")
    with tempfile.TemporaryDirectory() as folder, tarfile.open(fileobj=io.BytesIO(told.stdout)) as archive:
        archive.extractall(folder, filter="data")
        return collect(Path(folder) / results)


def before_last_change(results: Path) -> str | None:
    """Return the commit before the last one that changed a folder's records; None where git knows of none with records.

    The folder must lie below the present one, as it does where verbs are called in a checkout.
    """
    records = (results / "records").as_posix()
    changed = _git("log", "-1", "--format=%h", "--", records)
    if not changed or not _git("ls-tree", f"{changed}~1", "--", records):
        return None
    return f"{changed}~1"


def _git(*words: str) -> str:
    told = subprocess.run(["git", *words], capture_output=True, text=True, check=False)
    return told.stdout.strip() if told.returncode == 0 else ""
