"""Read a results folder for the board: runs beside one machine's timings, and what is refused and why.

A board shows what it can and names what it can't: one bad file never hides the others.
"""

from __future__ import annotations

import re
import stat
from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any, Final, TypeVar, get_args

from pydantic import ValidationError

from recpress.core.cards import validation_message
from recpress.core.errors import UserError, unknown
from recpress.core.hashing import sha256_file
from recpress.core.strict_json import parse
from recpress.measure.energy import break_even_queries
from recpress.records.plausible import UNCOMPRESSED, References
from recpress.records.record import SCHEMA_VERSION, Energy, Grade, Identity, Latency, Quality, Record, relative_path
from recpress.records.timing import FOLDER, Timing, Timings, run_id
from recpress.records.timing import place as place_of_timing
from recpress.records.upgrade import embedded_timing, upgraded
from recpress.reproduce import report
from recpress.reproduce.report import ReproductionReport

MAX_BYTES = 4_000_000
# Names become file names and links, so nothing else may be in them.
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+-]{0,79}")
MAX_VARIANT = 160
# A machine that has timed this share of what the most complete one has is as complete.
COMPLETE: Final = 0.99
# From the best evidence to the weakest.
GRADES: tuple[Grade, ...] = get_args(Grade)

Read = TypeVar("Read")


@dataclass(frozen=True)
class Run:
    """A run record, where it lies, and a machine's timing of its serving signature.

    Attributes
    ----------
    id : str
        ``<dataset>/<backbone>/<method>/<variant>.seed<seed>``.
    record : Record
    raw : dict
        The record as JSON.
    sha256 : str
        Of its file.
    timing : Timing or None
        None where that machine has none.
    """

    id: str
    record: Record
    raw: dict[str, Any]
    sha256: str
    timing: Timing | None = None

    @property
    def file(self) -> str:
        """Path of its record in the results folder."""
        return f"records/{self.id}.json"

    @property
    def latency(self) -> tuple[Latency, ...]:
        """The timing's scenarios."""
        return self.timing.latency if self.timing else ()

    @property
    def energy(self) -> tuple[Energy, ...]:
        """Counted and metered energies, of serving too."""
        return self.record.energy + (self.timing.energy if self.timing else ())

    @property
    def break_even(self) -> tuple[float, Grade] | None:
        """Queries until the energy that an answer saves repays compressing, by the best grade that has all three."""
        if self.timing is None:
            return None
        sides = [
            {each.grade: each for each in side if each.what == what}
            for side, what in (
                (self.record.energy, "compressing"),
                (self.timing.energy, "per-query"),
                (self.timing.reference_energy, "per-query"),
            )
        ]
        for grade in GRADES:
            if all(grade in side for side in sides):
                spent, candidate, reference = (side[grade] for side in sides)
                queries = break_even_queries(spent, candidate, reference)
                return None if queries is None else (queries, grade)
        return None


def checkpoint_of(who: Identity) -> tuple[str, ...]:
    """Return what two runs of one frozen backbone have the same."""
    return who.dataset, who.split, who.backbone, str(who.seed), who.checkpoint or ""


@dataclass(frozen=True)
class Refusal:
    """A file that is not shown, and why, in one sentence."""

    path: str
    reason: str


@dataclass(frozen=True)
class Collection:
    """Everything that a results folder holds.

    Attributes
    ----------
    runs : tuple of Run
        Beside the timings of `machine`.
    refused : tuple of Refusal
    machines : dict
        Descriptions by fingerprint.
    reproductions : tuple of ReproductionReport
    timings : mapping
        Of each machine.
    machine : str or None
        Whose timings the runs have.
    """

    runs: tuple[Run, ...]
    refused: tuple[Refusal, ...]
    machines: dict[str, dict[str, Any]]
    reproductions: tuple[ReproductionReport, ...] = ()
    timings: Mapping[str, Timings] = field(default_factory=dict)
    machine: str | None = None

    @cached_property
    def uncompressed(self) -> dict[tuple[str, ...], Quality]:
        """Quality of the runs ``none``: of a backbone's own fp32 tables, by what `checkpoint_of` returns."""
        return {
            checkpoint_of(run.record.identity): run.record.quality
            for run in self.runs
            if run.record.identity.method == UNCOMPRESSED and run.record.quality
        }

    @cached_property
    def references(self) -> References:
        """Uncompressed models and references that plausibility is judged against."""
        return References(run.record for run in self.runs)

    def on(self, machine: str | None = None) -> Collection:
        """Return the same with the timings of a machine; by default of the newest among the most complete.

        Raises
        ------
        UserError
            When it has timed nothing here.
        """
        if machine is not None and machine not in self.timings:
            raise unknown("machine", machine, self.timings, "`recpress time` makes its timings")
        chosen = machine or self._most_complete()
        timings = self.timings.get(chosen or "", Timings())
        runs = tuple(replace(run, timing=timings.of(run.record)) for run in self.runs)
        return replace(self, runs=runs, machine=chosen)

    def _most_complete(self) -> str | None:
        wanted = [run.record.signature for run in self.runs if run.record.status == "ok"]
        covered = {name: sum(each in timings for each in wanted) for name, timings in self.timings.items()}
        enough = COMPLETE * max(covered.values(), default=0)
        able = [name for name, count in covered.items() if count >= enough]
        return max(able, key=lambda name: (self.timings[name].newest, name), default=None)


def _read_json(path: Path) -> dict[str, Any]:
    """Read one file; ValueError says what is wrong with it."""
    state = path.lstat()
    if not stat.S_ISREG(state.st_mode):
        raise ValueError("it is a link or no file at all")
    size = state.st_size
    if size > MAX_BYTES:
        raise ValueError(f"it has {size} bytes; a record has at most {MAX_BYTES}")
    return parse(path.read_bytes())


def _read_run(results: Path, path: Path, timings: list[Timing]) -> Run:
    """Read one record; what one of an older version says of its machine's speed joins the timings."""
    before = _read_json(path)
    try:
        raw = upgraded(before, SCHEMA_VERSION)
    except UserError as error:
        raise ValueError(str(error)) from error
    record = Record.model_validate(raw)
    who = record.identity
    for name in ("dataset", "backbone", "family", "method"):
        value = getattr(who, name)
        if not NAME.fullmatch(value):
            raise ValueError(f"its {name} {value[:40]!r} is not a name (letters, digits and . _ + -, at most 80)")
    if not 0 < len(who.variant) <= MAX_VARIANT:
        raise ValueError(f"its variant has {len(who.variant)} characters; 1 to {MAX_VARIANT} are allowed")
    place = relative_path(who)
    if results / place != path:
        raise ValueError(f"its identity belongs at {place}")
    if raw is not before and (embedded := embedded_timing(before)):
        timings.append(Timing.model_validate(embedded | {"signature": record.signature, "run": run_id(who)}))
    return Run(run_id(who), record, raw, sha256_file(path))


def _read_timing(results: Path, path: Path) -> Timing:
    read = Timing.model_validate(_read_json(path))
    belongs = place_of_timing(read.machine, read.run)
    if results / belongs != path:
        raise ValueError(f"it belongs at {belongs}")
    return read


def collect(results: Path, machine: str | None = None) -> Collection:
    """Read every record, timing, machine and reproduction of a results folder, in the order of their paths.

    Parameters
    ----------
    results : Path
    machine : str, optional
        Whose timings the runs get; see `Collection.on`.

    Raises
    ------
    UserError
        When there is no such folder, or that machine has timed nothing in it.
    """
    if not results.is_dir():
        raise UserError(
            f"There is no results folder {results}: `recpress run` makes one, or name yours with --results."
        )
    refused: list[Refusal] = []

    def read(folder: str, reader: Callable[[Path], Read]) -> dict[Path, Read]:
        found = {}
        for path in sorted((results / folder).rglob("*.json")):
            try:
                found[path] = reader(path)
            except ValidationError as error:
                refused.append(Refusal(path.relative_to(results).as_posix(), validation_message(error)[:500]))
            except (ValueError, ArithmeticError, RecursionError, OSError, UserError) as error:
                refused.append(Refusal(path.relative_to(results).as_posix(), str(error)[:500]))
        return found

    timings: list[Timing] = []
    runs = read("records", lambda path: _read_run(results, path, timings))
    timings += read(FOLDER, lambda path: _read_timing(results, path)).values()
    machines = {path.stem: machine for path, machine in read("machines", _read_json).items()}
    reproductions = read(report.FOLDER, lambda path: report.read(results, path))
    by_machine: dict[str, list[Timing]] = defaultdict(list)
    for timing in timings:
        by_machine[timing.machine].append(timing)
    found = Collection(
        tuple(runs.values()),
        tuple(refused),
        machines,
        tuple(reproductions.values()),
        {name: Timings(of) for name, of in sorted(by_machine.items())},
    )
    return found.on(machine)
