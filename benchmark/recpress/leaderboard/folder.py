"""Checks of a results folder, small and named; CI runs them on the committed records."""

from __future__ import annotations

import shlex
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from itertools import chain, groupby
from pathlib import Path
from statistics import median
from typing import Any, Final

from recpress import registry
from recpress.core.cards import MethodCard
from recpress.core.errors import UserError
from recpress.core.printable import markdown
from recpress.data.card import DatasetCard, dataset_card
from recpress.experiments import per_user_hits
from recpress.experiments.per_user_hits import Store
from recpress.leaderboard import commits, figures
from recpress.leaderboard.collect import Collection, Run, checkpoint_of, collect
from recpress.leaderboard.tables import aggregate, doubts, frame, render
from recpress.records.plausible import doubtful
from recpress.records.record import Identity
from recpress.records.timing import Timing, place
from recpress.reproduce import report

CHANGES: Final = "CHANGES.md"
TABLES: Final = "tables"
# The family of what `recpress score` measured.
EXTERNAL: Final = "external"
FILL: Final = "`python tools/per_user.py`"
# fp32 takes up to 3.4 times as long beside a candidate that empties the caches or whose calls are long apart.
SLOWED: Final = 5.0
# Timings that make a usual time.
ENOUGH: Final = 5


@dataclass(frozen=True)
class Finding:
    """One finding of a check.

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
    """A results folder, and the records of an earlier state of it."""

    path: Path
    found: Collection
    earlier: Mapping[str, dict[str, Any]]

    @cached_property
    def runs(self) -> dict[str, Run]:
        """Runs by their file."""
        return {run.file: run for run in self.found.runs}


def tables(folder: Path) -> dict[str, str]:
    """Return the generated tables of a results folder by file name: one Markdown file a data set."""
    rows = aggregate(frame(collect(folder).runs))
    found = {}
    for name, mine in rows.groupby("dataset"):
        notes = "".join(f"\n{markdown(each)}\n" for each in doubts(mine))
        found[f"{name}.md"] = f"# {name}\n\n{render(mine, 'markdown')}\n{notes}"
    return found


def _readable(folder: Folder) -> Iterator[Finding]:
    for refusal in folder.found.refused:
        yield Finding(refusal.path, "readable", f"{refusal.reason}; run the cell again, or remove the file.")


def _machine(run: Run, found: Collection) -> str | None:
    machine = run.record.provenance.machine
    return None if machine in found.machines else f"add machines/{machine}.json, which the run wrote."


def _committed_code(run: Run, found: Collection) -> str | None:
    made = run.record.provenance
    return "commit the code first, then run the cell with it." if made.commit is None or made.dirty else None


def _split(run: Run, found: Collection) -> str | None:
    who = run.record.identity
    card = _card(who.dataset)
    if card is None:
        return f"register the data set {who.dataset} with a card."
    if who.protocol != "standard" or card.split.sha256 == who.split:
        return None
    if card.split.sha256 is None:
        return f"pin the split's hash in the card of {who.dataset}."
    return "its split isn't the one that the card pins: run it again."


@cache
def _card(dataset: str) -> DatasetCard | None:
    try:
        return dataset_card(dataset)
    except UserError:
        return None


def _named(run: Run, found: Collection) -> str | None:
    """Compare what a record says of its method with the method's card; an imported artefact has none."""
    who, entry = run.record.identity, registry.methods().get(run.record.identity.method)
    if who.family == EXTERNAL:
        taken = entry is not None or who.division == "reference"
        return "what somebody brought has a name of its own, and is closed or open." if taken else None
    if entry is None:
        return f"register the method {who.method} with a card."
    told, card = (who.family, who.division, who.serve_form), _method_card(who.method)
    due = (entry.family, card.division, card.serve_form)
    return None if told == due else f"by its card it is {', '.join(due)}, not {', '.join(told)}: run it again."


@cache
def _method_card(method: str) -> MethodCard:
    return registry.method(method).card


def _adds_up(run: Run, found: Collection) -> str | None:
    """Compute the derived figures of a record again."""
    whole = found.uncompressed.get(checkpoint_of(run.record.identity))
    told = chain(figures.of_bytes(run.record), figures.of_energy(run.record), figures.of_quality(run.record, whole))
    wrong = next(told, None)
    return f"{wrong}: run it again." if wrong else None


def _doubts_stated(run: Run, found: Collection) -> str | None:
    """Judge a record's plausibility again; older records state none."""
    quality = run.record.quality
    if quality is None or quality.doubtful is None:
        return None
    due = doubtful(run.record.identity.division, quality)
    if quality.doubtful == due:
        return None
    return (
        f"it says that {_named_or_nothing(quality.doubtful)} is doubtful, not {_named_or_nothing(due)}: run it again."
    )


def _named_or_nothing(metrics: Sequence[str]) -> str:
    return " and ".join(metrics)[:80] or "nothing"


def _doubts_removed(folder: Folder) -> Iterator[Finding]:
    """Find new records that leave out a required statement."""
    for file in changed(folder.found, folder.earlier) if folder.earlier else ():
        run = folder.runs[file]
        quality = run.record.quality
        if quality and quality.doubtful is None and (due := doubtful(run.record.identity.division, quality)):
            fix = f"it doesn't say that {_named_or_nothing(due)} is doubtful: run it again."
            yield Finding(file, "doubts-stated", fix)


def changed(found: Collection, earlier: Mapping[str, dict[str, Any]]) -> list[str]:
    """Return the files of records that are new or changed since an earlier state."""
    return [run.file for run in found.runs if earlier.get(run.file) != run.raw]


def _commits(folder: Folder) -> Iterator[Finding]:
    """Find commits that records and timings name and the history around the folder lacks."""
    named = [(run.file, run.record.provenance.commit) for run in folder.found.runs]
    named += [(file, timing.provenance.commit) for file, timing in _timings(folder)]
    invented = commits.unknown(folder.path, (commit for _, commit in named if commit))
    for file, commit in named:
        if commit in invented:
            yield Finding(file, "known-commit", f"git knows no commit {commit[:12]}: run it with committed code.")


def _timings(folder: Folder) -> Iterator[tuple[str, Timing]]:
    """Yield every timing with its file."""
    for machine, timings in folder.found.timings.items():
        for timing in timings.all:
            yield place(machine, timing.run).as_posix(), timing


def _timed(folder: Folder) -> Iterator[Finding]:
    """Compare a timing with its own raw times; its machine and signature must be known."""
    signatures = {run.record.signature for run in folder.found.runs}
    for file, timing in _timings(folder):
        if timing.machine not in folder.found.machines:
            yield Finding(file, "timed", f"add machines/{timing.machine}.json, which the verb wrote.")
        if timing.signature not in signatures:
            yield Finding(file, "timed", "no run has its serving signature: remove it.")
        if wrong := next(figures.of_timing(timing), None):
            yield Finding(file, "timed", f"{wrong}: time it again.")


def _reproduced(folder: Folder) -> Iterator[Finding]:
    runs = {run.file for run in folder.found.runs}
    for each in folder.found.reproductions:
        file = report.place(each.record, each.event, each.machine).as_posix()
        if each.record not in runs:
            yield Finding(file, "reproduced", f"it speaks of {each.record}, which isn't here: remove it.")
        elif each.machine not in folder.found.machines:
            yield Finding(file, "reproduced", f"add machines/{each.machine}.json, which the verb wrote.")


def _per_user(folder: Folder) -> Iterator[Finding]:
    """Find scored runs without hits, in data sets that have hits, and stray files beside them."""
    kept = Store(folder.path)
    scored = [run for run in folder.found.runs if run.record.quality is not None]
    for dataset, runs in groupby(scored, lambda run: run.record.identity.dataset):
        place = Path(per_user_hits.FOLDER) / dataset
        if not (folder.path / place).is_dir():
            fix = f"the hits of its runs aren't here: {FILL} writes those of lists in the cache."
            yield Finding(f"{place.as_posix()}/", "per-user", fix)
            continue
        for run in runs:
            try:
                kept.hits(run.record)
            except UserError as error:
                yield Finding(run.file, "per-user", str(error))
    yield from _nothing_else(folder.path, [run.record.identity for run in scored], kept)


def _nothing_else(path: Path, scored: Sequence[Identity], kept: Store) -> Iterator[Finding]:
    keys = {(per_user_hits.rows_place(who), (who.variant, who.seed)) for who in scored}
    places = {place for place, _ in keys}
    users = {per_user_hits.users_place(who) for who in scored}
    for file in sorted(each for each in (path / per_user_hits.FOLDER).rglob("*") if not each.is_dir()):
        place = file.relative_to(path)
        if place not in places | users:
            yield Finding(place.as_posix(), "per-user", "no record speaks of it: remove it.")
        elif place in places:
            try:
                strays = [key for key in kept.rows(place) if (place, key) not in keys]
            except UserError:
                continue  # Its records have said so.
            if strays:
                told = ", ".join(f"{variant} seed {seed}" for variant, seed in strays[:4])
                yield Finding(
                    place.as_posix(), "per-user", f"no record is there for its rows {told}: {FILL} removes them."
                )


def _usual(folder: Folder) -> Iterator[Finding]:
    """Compare the time that fp32 took beside each candidate with what it mostly takes there.

    A machine that its host slows down has the same fingerprint, and no processes of others to be seen.
    """
    timings: dict[tuple[object, ...], list[tuple[str, float]]] = defaultdict(list)
    for file, timing in _timings(folder):
        for timed in timing.latency:
            same = (timing.machine, timing.dataset, timed.threads, timed.batch_size, timed.scenario)
            timings[same].append((file, timed.reference_p50_ms))
    for (*_, scenario), told in timings.items():
        if len(told) < ENOUGH:
            continue
        usual = median(ms for _, ms in told)
        for file, ms in told:
            if ms > SLOWED * usual:
                fix = f"{scenario} took fp32 {ms / usual:.0f} times as long as it mostly does there: time it again."
                yield Finding(file, "reference-as-usual", fix)


def _tables(folder: Folder) -> Iterator[Finding]:
    written = {file.name: file.read_text(encoding="utf-8") for file in (folder.path / TABLES).glob("*.md")}
    made = tables(folder.path)
    for name in sorted(written.keys() | made.keys()):
        if written.get(name) != made.get(name):
            fix = f"`recpress show --results {shlex.quote(str(folder.path))} --write-tables` writes it anew."
            yield Finding(f"{TABLES}/{name}", "tables-generated", fix)


def _kept(folder: Folder) -> Iterator[Finding]:
    changes = folder.path / CHANGES
    text = changes.read_text(encoding="utf-8") if changes.is_file() else ""
    named = {word.strip("`:,;") for word in text.split()}
    for file, record in sorted(folder.earlier.items()):
        places = {file, *(f"{folder.as_posix()}/" for folder in Path(file).parents)}
        now = folder.runs.get(file)
        if (now is None or now.raw != record) and not places & named:
            what = "changed" if now else "removed"
            yield Finding(file, "nothing-lost", f"it was {what}: name it, or a folder, in {CHANGES} with the reason.")


# What is asked of each record by itself: None, or what to do.
OF_A_RECORD: Mapping[str, Callable[[Run, Collection], str | None]] = {
    "machine-described": _machine,
    "committed-code": _committed_code,
    "split-pinned": _split,
    "named-right": _named,
    "adds-up": _adds_up,
    "doubts-stated": _doubts_stated,
}
OF_THE_FOLDER: Mapping[str, Callable[[Folder], Iterator[Finding]]] = {
    "readable": _readable,
    "doubts-stated": _doubts_removed,
    "known-commit": _commits,
    "timed": _timed,
    "reproduced": _reproduced,
    "reference-as-usual": _usual,
    "per-user": _per_user,
    "tables-generated": _tables,
    "nothing-lost": _kept,
}


def of_records(found: Collection) -> list[Finding]:
    """Check each record by itself."""
    return [
        Finding(run.file, name, fix)
        for name, rule in OF_A_RECORD.items()
        for run in found.runs
        if (fix := rule(run, found)) is not None
    ]


def check(
    path: Path, earlier: Mapping[str, dict[str, Any]] | None = None, found: Collection | None = None
) -> list[Finding]:
    """Run every check on a results folder.

    Parameters
    ----------
    path : Path
    earlier : mapping of str to dict, optional
        Raw records of an earlier state by their file: what must not be lost.
    found : Collection, optional
        What the folder holds, where it was read already.

    Raises
    ------
    UserError
        When there is no such folder.
    """
    folder = Folder(path, found or collect(path), earlier or {})
    whole = [finding for rule in OF_THE_FOLDER.values() for finding in rule(folder)]
    return [*of_records(folder.found), *whole]
