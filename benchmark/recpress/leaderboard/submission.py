"""A submission: the records of one method in a folder of their own, with the rows that they add to the board."""

from __future__ import annotations

import json
import math
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from recpress.core.errors import UserError
from recpress.core.hashing import sha256_file
from recpress.core.io import creating
from recpress.core.printable import markdown
from recpress.experiments.per_user_hits import rows_place, users_place
from recpress.leaderboard.collect import Run
from recpress.leaderboard.tables import aggregate, doubts, frame, render
from recpress.records.record import relative_path
from recpress.records.timing import place
from recpress.registry import MethodEntry

FORMAT = 1
TEXT = "PULL_REQUEST.md"
NEIGHBOURS = 2


@dataclass(frozen=True)
class Submission:
    """The contents of a bundle.

    Attributes
    ----------
    entry : MethodEntry
    runs : tuple of Run
        The method's own records.
    beside : tuple of Run
        Records of other methods on the same data sets.
    results : Path
        The folder that all of them lie in.
    """

    entry: MethodEntry
    runs: tuple[Run, ...]
    beside: tuple[Run, ...]
    results: Path


def lacks(submission: Submission) -> list[str]:
    """Return the reasons why a submission can't be accepted, one sentence each."""
    if not submission.runs:
        return [f"{submission.results} holds no record of {submission.entry.name}."]
    found = []
    for run in submission.runs:
        record = run.record
        if record.status not in ("ok", "over-budget"):
            found.append(f"{run.id}: {record.status}: {record.reason}.")
        if record.provenance.commit is None or record.provenance.dirty:
            again = f"commit, then `recpress submit {submission.entry.name} --force`, or remove it"
            found.append(f"{run.id}: it was made with uncommitted code: {again}.")
    if all(run.record.status != "ok" for run in submission.runs):
        found.append(f"{submission.entry.name} meets none of the budgets.")
    if len({run.record.provenance.code for run in submission.runs}) > 1:
        again = f"`recpress submit {submission.entry.name} --force` runs all of it again"
        found.append(f"The records are of several versions of the method's code: {again}.")
    return found


def neighbours(rows: pd.DataFrame, name: str) -> pd.DataFrame:
    """Return a method's rows, each followed by the rows of other methods that are nearest to it in bytes.

    Parameters
    ----------
    rows : DataFrame
        As `aggregate` returns it, of one data set.
    name : str
        The method.
    """
    shown: list[int] = []
    for at, row in rows[(rows["method"] == name)].iterrows():
        shown.append(int(str(at)))
        others = rows[(rows["method"] != name) & (rows["backbone"] == row["backbone"]) & (rows["status"] == "ok")]
        if row["status"] != "ok" or others.empty:
            continue
        distance = (others["mb"].map(math.log) - math.log(row["mb"])).abs()
        shown += [int(str(each)) for each in distance.nsmallest(NEIGHBOURS).index]
    return rows.loc[list(dict.fromkeys(shown))]


def text(submission: Submission) -> str:
    """Return the text of the pull request: the method, and its rows beside the nearest rows of other methods."""
    entry, card = submission.entry, submission.entry.card
    parts = [
        f"# {card.title} (`{entry.family}/{entry.name}`, {card.division} division)",
        card.summary,
        f"`{card.formula}`",
        *(f"- {paper.title} ({paper.year}), {paper.url}" for paper in card.papers),
    ]
    rows = aggregate(frame((*submission.runs, *submission.beside)))
    for dataset, mine in rows.groupby("dataset"):
        parts += [f"## {dataset}", render(neighbours(mine.reset_index(drop=True), entry.name), "markdown")]
    parts += [markdown(each) for each in doubts(rows[rows["method"] == entry.name])]
    if loose := sum(run.record.provenance.isolated is not True for run in submission.runs):
        parts.append(f"{loose} records were not isolated, or don't say whether they were.")
    first = submission.runs[0].record
    parts.append(
        f"{len(submission.runs)} records, made at commit {first.provenance.commit} on machine "
        f"{first.provenance.machine}, not yet repeated by anyone else. One of them again: `{first.provenance.command}`"
    )
    return "\n\n".join(parts) + "\n"


def bundle(submission: Submission, folder: Path) -> None:
    """Write the bundle, whole or not at all: method, records, hits, machines, a list with their hashes, and the text.

    Raises
    ------
    UserError
        When something keeps it from being a submission, or the folder is there.
    """
    if missing := lacks(submission):
        raise UserError("This is no submission yet:\n  " + "\n  ".join(missing))
    if folder.exists():
        raise UserError(f"{folder} is there already: remove it, or give another --out.")
    entry, first = submission.entry, submission.runs[0].record
    files = {relative_path(run.record.identity) for run in submission.runs}
    hits = {find(run.record.identity) for run in submission.runs for find in (rows_place, users_place)}
    files |= {file for file in hits if (submission.results / file).is_file()}
    timings = [run.timing for run in submission.runs if run.timing]
    files |= {place(timing.machine, timing.run) for timing in timings}
    machines = {run.record.provenance.machine for run in submission.runs} | {timing.machine for timing in timings}
    files |= {Path("machines") / f"{machine}.json" for machine in machines}
    with creating(folder) as unfinished:
        ignored = shutil.ignore_patterns("__pycache__")
        shutil.copytree(entry.folder, unfinished / "methods" / entry.family / entry.name, ignore=ignored)
        for file in files:
            (unfinished / "results" / file).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(submission.results / file, unfinished / "results" / file)
        about = {
            "format": FORMAT,
            "method": entry.name,
            "family": entry.family,
            "division": entry.card.division,
            "code": first.provenance.code,
            "commit": first.provenance.commit,
            "recpress": first.provenance.recpress,
            "files": _hashes(unfinished),
        }
        (unfinished / "bundle.json").write_text(
            json.dumps(about, indent=1, ensure_ascii=False) + "\n", encoding="utf-8"
        )
        (unfinished / TEXT).write_text(text(submission), encoding="utf-8")


def _hashes(folder: Path) -> dict[str, str]:
    files: Sequence[Path] = sorted(file for file in folder.rglob("*") if file.is_file())
    return {file.relative_to(folder).as_posix(): sha256_file(file) for file in files}
