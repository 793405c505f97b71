"""Results as they are in a folder, or as a git revision has them."""

from __future__ import annotations

import io
import subprocess
import tarfile
import tempfile
from pathlib import Path

from recpress.core.errors import UserError
from recpress.core.paths import checkout_root
from recpress.leaderboard.collect import Collection, collect


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


def changed_since(revision: str) -> list[str]:
    """Return the methods and data sets whose folders differ from a git revision, sorted by path.

    Raises
    ------
    UserError
        When git knows no such revision, or there is no checkout.
    """
    names = []
    for file in _differing(revision, checkout_root(), "methods", "datasets"):
        kind, *parts = Path(file).parts
        depth = 2 if kind == "methods" else 1
        # What was removed has no folder any more, and files beside the folders belong to none.
        if len(parts) > depth and ((checkout_root() or Path()) / kind).joinpath(*parts[:depth], "card.toml").is_file():
            names.append(parts[depth - 1])
    return list(dict.fromkeys(names))


def records_since(revision: str, results: Path) -> list[str]:
    """Return the record files of a results folder that differ from where git's present state left a revision's.

    They are relative to the folder; a folder that isn't there, or isn't in a checkout, has none.

    Raises
    ------
    UserError
        When git knows no such revision.
    """
    if not results.is_dir() or not _git("-C", str(results), "rev-parse", "--show-toplevel"):
        return []
    return _differing(revision, results, "records")


def _differing(revision: str, place: Path | None, *folders: str) -> list[str]:
    """Return the files in some folders of a place, relative to it, that differ from a git revision."""
    words = ["git", "diff", "--name-only", "--relative", "--merge-base", revision, "--", *folders]
    told = subprocess.run(words, capture_output=True, text=True, check=False, cwd=place)
    if told.returncode:
        raise UserError(f"git can't compare with {revision!r}: {told.stderr.strip().splitlines()[0]}.")
    return told.stdout.splitlines()


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
