"""How a run is shown: a live view on a terminal, plain lines elsewhere, or JSON for programs."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from recpress.cli.shared.output import as_json
from recpress.headline import HEADLINE
from recpress.records.record import WENT_WRONG, Record

if TYPE_CHECKING:
    from recpress.experiments.engine import Watcher
    from recpress.experiments.identity import PlannedRun
    from recpress.isolation.processes import Usage


# Least time between two lines of the JSON log on what one run's process uses.
USAGE_SECONDS = 10.0
# Seconds after which a log says what is being worked on, where nothing else was said.
QUIET = 20.0
DOING = {
    "read": "reading the data",
    "train": "training",
    "compress": "compressing",
    "serve": "serving all users",
    "time": "timing",
}


@dataclass
class Shown:
    """A run that is being shown, and how its runs have ended so far."""

    watcher: Watcher
    ended: Counter[str] = field(default_factory=Counter)

    @property
    def went_wrong(self) -> bool:
        """Whether a run failed."""
        return any(self.ended[status] for status in WENT_WRONG)


def say_done(done: int, *, as_json: bool = False) -> None:
    """Say that there is nothing to run: what a run says that has only to begin, without importing what runs runs."""
    if as_json:
        log = _JsonLog()
        log.event("plan", runs=done, done=done, todo=0)
        log.event("end")
    else:
        click.echo(f"{done} runs, {done} done, 0 to run.")


@contextmanager
def watcher(runs: Sequence[PlannedRun], results: Path, done: int, *, as_json: bool = False) -> Iterator[Shown]:
    """Show a run while the block lasts, and how it ended after it.

    Parameters
    ----------
    runs : sequence of PlannedRun
    results : Path
    done : int
        Runs that are done already.
    as_json : bool
        Print one JSON object per line and event.
    """
    from recpress.experiments.engine import Watcher

    ended: Counter[str] = Counter()
    console = Console()

    def counted(tell: Callable[[PlannedRun, Record], None]) -> Callable[[PlannedRun, Record], None]:
        def finished(planned: PlannedRun, result: Record) -> None:
            ended[result.status] += 1
            tell(planned, result)

        return finished

    def done_elsewhere(planned: PlannedRun) -> None:
        ended["finished by another run"] += 1

    if as_json:
        log = _JsonLog()
        log.event("plan", runs=done + len(runs), done=done, todo=len(runs))
        yield Shown(
            Watcher(log.stage, counted(log.finished), log.usage, log.done_elsewhere, log.waiting, log.note), ended
        )
        log.event("end", **ended)
        return
    click.echo(f"{done + len(runs)} runs, {done} done, {len(runs)} to run.")
    if console.is_terminal:
        with _Live(len(runs), console) as live:
            yield Shown(
                Watcher(live.stage, counted(live.finished), live.usage, done_elsewhere, live.waiting, live.note), ended
            )
    else:
        lines = Lines(len(runs))
        yield Shown(
            Watcher(lines.stage, counted(lines.finished), lines.usage, done_elsewhere, lines.waiting, lines.note), ended
        )
    if ended:
        click.echo(
            f"{', '.join(f'{count} {status}' for status, count in sorted(ended.items()))}; records in {results}."
        )


def bars(console: Console, *, hidden: bool = False) -> Progress:
    """Return bars with a description, how many of how many, and the times gone and left."""
    return Progress(
        TextColumn("{task.description}", markup=False),
        BarColumn(bar_width=24),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        console=console,
        disable=hidden,
    )


class Lines:
    """Lines for a log: each result, each training that begins, and what takes long, every `QUIET` seconds."""

    def __init__(self, total: int) -> None:
        self._total, self._count = total, 0
        self._stages: dict[str, str] = {}
        self._said = time.monotonic()

    def _say(self, text: str) -> None:
        self._said = time.monotonic()
        click.echo(text)

    def _now_and_then(self, text: str) -> None:
        if time.monotonic() - self._said >= QUIET:
            self._say(text)

    def stage(self, planned: PlannedRun, name: str, share: float) -> None:
        """Say that a training begins; of what takes long, how far it has come."""
        begins = self._stages.get(planned.id) != name
        self._stages[planned.id] = name
        if begins and name == "train":
            self._say(f"{planned.spec.label}: {doing(name)} {planned.spec.backbone}")
        else:
            self._now_and_then(f"{planned.spec.label}: {doing(name)}, {share:.0%}")

    def note(self, planned: PlannedRun, text: str) -> None:
        """Say, now and then, which epoch a training has come to."""
        self._now_and_then(f"{planned.spec.label}: {doing('train')}, {text}")

    def usage(self, planned: PlannedRun, used: Usage) -> None:
        """Say, now and then, what is being worked on."""
        name = self._stages.get(planned.id, "compress")
        self._now_and_then(f"{planned.spec.label}: {doing(name)} ({used.resident / 1e9:.1f} GB)")

    def finished(self, planned: PlannedRun, result: Record) -> None:
        """Say how a run ended."""
        self._count += 1
        self._say(f"[{self._count}/{self._total}] {planned.spec.label}: {outcome(result)}")

    def waiting(self, what: str, seconds: float) -> None:
        """Say what is waited for."""
        self._say(waiting(what, seconds))


class _Live:
    """The whole run in one bar, and a line for each run that is being worked on."""

    def __init__(self, total: int, console: Console) -> None:
        self._bars = bars(console)
        self._whole = self._bars.add_task("runs", total=total)
        self._cells: dict[str, TaskID] = {}
        self._stages: dict[str, str] = {}
        self._notes: dict[str, str] = {}

    def __enter__(self) -> _Live:
        self._bars.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._bars.stop()

    def stage(self, planned: PlannedRun, name: str, share: float) -> None:
        """Show the stage of a run and its finished share."""
        epoch = f", {self._notes[planned.id]}" if name == "train" and planned.id in self._notes else ""
        self._stages[planned.id] = f"{planned.spec.label}: {doing(name)}{epoch}"
        self._bars.update(self._task(planned), description=self._stages[planned.id], completed=round(100 * share))

    def note(self, planned: PlannedRun, text: str) -> None:
        """Show which epoch a training has come to."""
        self._notes[planned.id] = text
        self._stages[planned.id] = f"{planned.spec.label}: {doing('train')}, {text}"
        self._bars.update(self._task(planned), description=self._stages[planned.id])

    def usage(self, planned: PlannedRun, used: Usage) -> None:
        """Show what a run's process uses."""
        said = self._stages.get(planned.id, planned.spec.label)
        said += f" ({used.resident / 1e9:.1f} GB, {used.cores:.1f} cores)"
        self._bars.update(self._task(planned), description=said)

    def finished(self, planned: PlannedRun, result: Record) -> None:
        """Count a run, and say so at once where it didn't go well."""
        if (task := self._cells.pop(planned.id, None)) is not None:
            self._bars.remove_task(task)
        self._bars.advance(self._whole)
        if result.status != "ok":
            self._bars.console.print(f"{planned.spec.label}: {outcome(result)}", highlight=False, markup=False)

    def waiting(self, what: str, seconds: float) -> None:
        """Say what is waited for above the bars."""
        self._bars.console.print(waiting(what, seconds), highlight=False, markup=False)

    def _task(self, planned: PlannedRun) -> TaskID:
        if planned.id not in self._cells:
            self._cells[planned.id] = self._bars.add_task(planned.spec.label, total=100)
        return self._cells[planned.id]


class _JsonLog:
    """One JSON object per line: ``time`` (UTC), ``event``, and what belongs to it."""

    def __init__(self) -> None:
        self._stages: dict[str, str] = {}
        self._looked: dict[str, float] = {}

    def event(self, event: str, **about: object) -> None:
        """Print one event."""
        now = datetime.now(UTC).isoformat(timespec="milliseconds")
        click.echo(as_json({"time": now, "event": event} | about, indent=None))

    def stage(self, planned: PlannedRun, name: str, share: float) -> None:
        """Print that a stage has begun; its shares would be noise."""
        if self._stages.get(planned.id) != name:
            self._stages[planned.id] = name
            self.event("stage", run=planned.id, label=planned.spec.label, stage=name)

    def usage(self, planned: PlannedRun, used: Usage) -> None:
        """Print what a run's process uses, now and then."""
        now = time.monotonic()
        if now - self._looked.get(planned.id, now - USAGE_SECONDS) < USAGE_SECONDS:
            return
        self._looked[planned.id] = now
        self.event("usage", run=planned.id, resident=used.resident, cores=round(used.cores, 2))

    def finished(self, planned: PlannedRun, result: Record) -> None:
        """Print how a run ended."""
        self.event(
            "finished",
            run=planned.id,
            label=planned.spec.label,
            status=result.status,
            reason=result.reason,
            seconds=result.provenance.seconds,
        )

    def note(self, planned: PlannedRun, text: str) -> None:
        """Print, now and then, which epoch a training has come to."""
        now, key = time.monotonic(), f"note {planned.id}"
        if now - self._looked.get(key, now - USAGE_SECONDS) >= USAGE_SECONDS:
            self._looked[key] = now
            self.event("note", run=planned.id, text=text)

    def done_elsewhere(self, planned: PlannedRun) -> None:
        """Print that another run finished a run."""
        self.event("elsewhere", run=planned.id, label=planned.spec.label)

    def waiting(self, what: str, seconds: float) -> None:
        """Print what is waited for that other runs hold."""
        self.event("waiting", what=what, seconds=round(seconds, 1))


def doing(stage: str) -> str:
    """Return what a stage does, for people."""
    return DOING.get(stage, stage)


def waiting(what: str, seconds: float) -> str:
    """Return the sentence about what a run waits for."""
    return f"Waiting for {what}, for {seconds:.0f} s so far; Ctrl-C gives up."


def outcome(result: Record) -> str:
    """Return what became of a run, in a few words."""
    if result.status != "ok" or result.quality is None or result.bytes is None:
        return f"{result.status}: {result.reason}"
    size = f"{result.bytes.file:,} bytes, {result.bytes.ratio:.1f}x smaller"
    return f"{HEADLINE} {result.quality.metrics[HEADLINE]:.4f}, {size}"
