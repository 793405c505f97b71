"""Commits that the git history around a results folder knows."""

from __future__ import annotations

import subprocess
from collections.abc import Iterable
from pathlib import Path


def shallow(folder: Path) -> bool:
    """Return whether a folder lies in a clone that has a part of its history only."""
    return _git(folder, "rev-parse", "--is-shallow-repository").strip() == "true"


def unknown(folder: Path, commits: Iterable[str]) -> set[str]:
    """Return the commits that the history around a folder doesn't have; none where that can't be told."""
    asked = sorted(set(commits))
    if _git(folder, "rev-parse", "--is-shallow-repository").strip() != "false":
        return set()
    told = _git(folder, "cat-file", "--batch-check", given="".join(f"{each}\n" for each in asked))
    return set(asked) - {line.split()[0] for line in told.splitlines() if line.split()[1:2] == ["commit"]}


def _git(folder: Path, *words: str, given: str = "") -> str:
    try:
        done = subprocess.run(
            ["git", "-C", str(folder), *words], input=given, capture_output=True, text=True, check=True
        )
    except (OSError, subprocess.SubprocessError):
        return ""
    return done.stdout
