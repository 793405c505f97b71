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
