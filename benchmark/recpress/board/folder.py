"""The rules of a results folder, as a list of small named checks; CI runs them on what is committed."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Final

from recpress.board.collect import Collection, collect
from recpress.board.tables import aggregate, frame, render
from recpress.data.card import dataset_card
from recpress.errors import UserError

CHANGES: Final = "CHANGES.md"
TABLES: Final = "tables"


@dataclass(frozen=True)
class Finding:
    """One thing that isn't as it should be.

    Attributes
    ----------
    file : str
        Relative to the results folder.
    check : str
    fix : str
        What is expected and what to do, in one sentence.
    """

    file: str
    check: str
    fix: str


@dataclass(frozen=True)
class Folder:
    """A results folder, and the records that an earlier state of it had."""

    path: Path
    earlier: Mapping[str, dict[str, Any]]

    @cached_property
    def found(self) -> Collection:
        """Records, machines, and what could not be read."""
        return collect(self.path)


def tables(folder: Path) -> dict[str, str]:
    """Return the generated tables of a results folder by file name: one Markdown file a data set."""
    rows = aggregate(frame(run.record for run in collect(folder).runs))
    return {f"{name}.md": f"# {name}\n\n{render(mine, 'markdown')}\n" for name, mine in rows.groupby("dataset")}


def _readable(folder: Folder) -> Iterator[Finding]:
    for refusal in folder.found.refused:
        yield Finding(refusal.path, "readable", f"{refusal.reason}; run the cell again, or remove the file.")


def _machines(folder: Folder) -> Iterator[Finding]:
    for run in folder.found.runs:
        machine = run.record.provenance.machine
        if machine not in folder.found.machines:
            yield Finding(_file(run.id), "machine-described", f"add machines/{machine}.json, which the run wrote.")


def _committed_code(folder: Folder) -> Iterator[Finding]:
    for run in folder.found.runs:
        made = run.record.provenance
        if made.commit is None or made.dirty:
            yield Finding(_file(run.id), "committed-code", "commit the code first, then run the cell with it.")


def _splits(folder: Folder) -> Iterator[Finding]:
    for run in folder.found.runs:
        who = run.record.identity
        try:
            pinned = dataset_card(who.dataset).split.sha256
        except UserError:
            yield Finding(_file(run.id), "split-pinned", f"register the data set {who.dataset} with a card.")
            continue
        if pinned is None and who.protocol == "standard":
            yield Finding(_file(run.id), "split-pinned", f"pin the split's hash in the card of {who.dataset}.")
        elif pinned != who.split and who.protocol == "standard":
            yield Finding(_file(run.id), "split-pinned", "its split isn't the one that the card pins: run it again.")


def _tables(folder: Folder) -> Iterator[Finding]:
    written = {file.name: file.read_text(encoding="utf-8") for file in (folder.path / TABLES).glob("*.md")}
    made = tables(folder.path)
    for name in sorted(written.keys() | made.keys()):
        if written.get(name) != made.get(name):
            fix = f"`recpress show --results {folder.path} --write-tables` writes it anew."
            yield Finding(f"{TABLES}/{name}", "tables-generated", fix)


def _kept(folder: Folder) -> Iterator[Finding]:
    now = {_file(run.id): run.raw for run in folder.found.runs}
    changes = folder.path / CHANGES
    named = changes.read_text(encoding="utf-8") if changes.is_file() else ""
    for file, record in sorted(folder.earlier.items()):
        if now.get(file) != record and file not in named and f"{Path(file).parent.as_posix()}/" not in named:
            what = "changed" if file in now else "removed"
            yield Finding(file, "nothing-lost", f"it was {what}: name it, or its folder, in {CHANGES} with the reason.")


def _file(run: str) -> str:
    return f"records/{run}.json"


CHECKS: Mapping[str, Callable[[Folder], Iterator[Finding]]] = {
    "readable": _readable,
    "machine-described": _machines,
    "committed-code": _committed_code,
    "split-pinned": _splits,
    "tables-generated": _tables,
    "nothing-lost": _kept,
}


def check(path: Path, earlier: Mapping[str, dict[str, Any]] | None = None) -> list[Finding]:
    """Run every check on a results folder.

    Parameters
    ----------
    path : Path
    earlier : mapping of str to dict, optional
        Raw records of an earlier state by their file: what must not be lost.

    Raises
    ------
    UserError
        When there is no such folder.
    """
    folder = Folder(path, earlier or {})
    return [finding for rule in CHECKS.values() for finding in rule(folder)]
