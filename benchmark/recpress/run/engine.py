"""Running a plan on this machine, with nothing lost on the way."""

from __future__ import annotations

import json
import os
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from functools import partial
from itertools import groupby
from pathlib import Path
from typing import Any, Generic, TypeVar

from recpress import record, timing
from recpress.atomic import write_atomic
from recpress.data import load
from recpress.data.dataset import Dataset
from recpress.data.interactions import UserItems
from recpress.errors import UserError, unwritable
from recpress.evaluation import store
from recpress.measure.machine import Machine, fingerprint
from recpress.measure.serving import LONG_SECONDS
from recpress.record import Record
from recpress.run import cell as cells
from recpress.run import isolate, masks, trained
from recpress.run.cell import Ended
from recpress.run.identity import Planned
from recpress.run.isolate import Allowance, Stopped, Usage, WorkFailed
from recpress.run.kept import log_of, per_user_path
from recpress.run.locks import SAY_SECONDS, Cores, Slot, claim
from recpress.run.plan import is_done, place_of
from recpress.run.scratch import scratch
from recpress.run.trained import Trained

# How long to wait before asking again for a cell that another run works on, in seconds.
PATIENCE = 0.5

T = TypeVar("T")


def _ignore(*_: object) -> None: ...


@dataclass(frozen=True)
class Watcher:
    """Who is told how a run goes. Calls come from one thread at a time.

    Attributes
    ----------
    stage : callable
        The cell, the stage ("read", "train", "compress", "serve", "time") and its finished share.
    finished : callable
        The cell and its record.
    usage : callable
        The cell and what its process uses, every half second.
    elsewhere : callable
        A cell that another run finished meanwhile.
    waiting : callable
        What is waited for that other runs hold, and for how many seconds already; every few seconds.
    note : callable
        The run whose backbone is being trained, and its epoch and loss.
    """

    stage: Callable[[Planned, str, float], None]
    finished: Callable[[Planned, Record], None]
    usage: Callable[[Planned, Usage], None] = _ignore
    elsewhere: Callable[[Planned], None] = _ignore
    waiting: Callable[[str, float], None] = _ignore
    note: Callable[[Planned, str], None] = _ignore


@dataclass(frozen=True)
class Options:
    """How a plan is run.

    Attributes
    ----------
    jobs : int
        Cells worked on at a time. Timings never share the machine, whatever this is.
    memory : int or None
        Bytes that a stage's process may hold.
    seconds : float or None
        Wall-clock limit of each stage, where it is shorter than the stage's own.
    force : bool
        Run cells that another run finishes meanwhile all the same.
    retry_failed : bool
        A record of what went wrong doesn't make a cell done.
    """

    jobs: int = 1
    memory: int | None = None
    seconds: float | None = None
    force: bool = False
    retry_failed: bool = False


class Shared(Generic[T]):
    """What several cells need: made once, dropped after the last of them."""

    def __init__(self, keys: Sequence[str]) -> None:
        self._uses = Counter(keys)
        self._made: dict[str, T] = {}
        self._locks = {key: threading.Lock() for key in self._uses}

    def get(self, key: str, make: Callable[[], T]) -> T:
        """Return what `make` made for a key; who comes second waits for it."""
        with self._locks[key]:
            if key not in self._made:
                self._made[key] = make()
            return self._made[key]

    def done(self, key: str) -> None:
        """One cell of a key is finished."""
        with self._locks[key]:
            self._uses[key] -= 1
            if not self._uses[key]:
                self._made.pop(key, None)


def run(todo: Sequence[Planned], results: Path, watcher: Watcher, options: Options | None = None) -> None:
    """Run cells and write the record of each as soon as it is there.

    Cells of the same data set and backbone should follow each other: what they share is loaded once.

    Raises
    ------
    UserError
        A data set that can't be had, a damaged checkpoint, a results folder that can't be written: after all cells
        that this doesn't touch.
    """
    options = options or Options()
    isolate.start()
    write_machine(results)
    with scratch() as folder, _Runner(todo, results, watcher, options, folder).going() as runner:
        runner.run()


@dataclass
class _Runner:
    todo: Sequence[Planned]
    results: Path
    watcher: Watcher
    options: Options
    scratch: Path
    stop: threading.Event = field(default_factory=threading.Event)

    def __post_init__(self) -> None:
        self._datasets: Shared[Dataset] = Shared([each.cell.dataset for each in self.todo])
        self._backbones: Shared[Trained | WorkFailed] = Shared([each.backbone_key for each in self.todo])
        self._telling = threading.Lock()
        jobs = self.options.jobs
        # Cells that wait to be timed hold no cores, so more of them than jobs are under way. They are what an
        # interrupted run loses, hence not many.
        self._waiting = 0 if jobs == 1 else 2 * jobs
        self._cores = Cores(self._check, slots(jobs), self._waiting or 1, partial(self._tell, self.watcher.waiting))

    @contextmanager
    def going(self) -> Iterator[_Runner]:
        """Stop all work in progress when the ``with`` block is left, however that is."""
        with ThreadPoolExecutor(self.options.jobs + self._waiting, "job") as self._pool:
            try:
                yield self
            finally:
                self.stop.set()
                self._pool.shutdown(wait=False, cancel_futures=True)

    def run(self) -> None:
        waiting = list(self.todo) if self.options.jobs == 1 else staggered(self.todo)
        errors: dict[str, UserError] = {}
        said = since = time.monotonic()
        while waiting:
            futures = {self._pool.submit(self._cell, planned): planned for planned in waiting}
            waiting = []
            for future, planned in _as_they_end(futures):
                try:
                    if not future.result():
                        waiting.append(planned)
                except UserError as error:
                    errors[str(error)] = error
                except Stopped:
                    continue  # One of them stopped the others.
            if len(waiting) < len(futures):
                said = since = time.monotonic()
            if waiting:
                if time.monotonic() - said >= SAY_SECONDS:
                    said = time.monotonic()
                    what = f"another run, which works on {waiting[0].cell.label}"
                    self._tell(self.watcher.waiting, what, said - since)
                time.sleep(PATIENCE)
        if errors:
            raise next(iter(errors.values())) if len(errors) == 1 else UserError(" ".join(errors))

    def _cell(self, planned: Planned) -> bool:
        """Run one cell; False where another run works on it now."""
        self._check()
        with claim(self.results, place_of(planned)) as ours:
            if not ours:
                return False
            try:
                options = self.options
                if not options.force and is_done(planned, self.results, options.retry_failed):
                    self._tell(self.watcher.elsewhere, planned)
                else:
                    self._work(planned)
            finally:
                self._datasets.done(planned.cell.dataset)
                self._backbones.done(planned.backbone_key)
        return True

    def _work(self, planned: Planned) -> None:
        allowance = Allowance(
            seconds=self.options.seconds,
            memory=self.options.memory,
            stop=self.stop,
            usage=lambda usage: self._tell(self.watcher.usage, planned, usage),
            scratch=self.scratch,
        )
        dataset = self._datasets.get(planned.cell.dataset, lambda: self._read(planned))
        model = self._backbones.get(planned.backbone_key, lambda: self._trained(planned, dataset, allowance))

        def progress(stage: str, share: float) -> None:
            self._tell(self.watcher.stage, planned, stage, share)

        ended = cells.run(planned, dataset, model, progress, allowance, self._cores)
        try:
            keep(self.results, planned, ended, dataset.split.test)
        except UserError:
            self.stop.set()
            raise
        self._tell(self.watcher.finished, planned, ended.record)

    def _read(self, planned: Planned) -> Dataset:
        self._tell(self.watcher.stage, planned, "read", 0.0)
        return load(planned.cell.dataset)

    def _trained(self, planned: Planned, dataset: Dataset, allowance: Allowance) -> Trained | WorkFailed:
        def progress(share: float) -> None:
            self._tell(self.watcher.stage, planned, "train", share)

        try:
            metered = planned.cell.timing_seconds >= LONG_SECONDS
            with self._cores.shared() as slot:
                return trained.obtain(
                    planned,
                    dataset,
                    progress,
                    replace(allowance, cores=slot),
                    metered=metered,
                    notes=partial(self._tell, self.watcher.note, planned),
                    waiting=partial(self._tell, self.watcher.waiting),
                )
        except WorkFailed as failure:
            return failure

    def _check(self) -> None:
        if self.stop.is_set():
            raise Stopped

    def _tell(self, told: Callable[..., None], *arguments: Any) -> None:
        with self._telling:
            told(*arguments)


def _as_they_end(futures: dict[Future[bool], Planned]) -> Iterator[tuple[Future[bool], Planned]]:
    """Yield futures as they end. The wait is short, so that a signal is seen."""
    pending = set(futures)
    while pending:
        done, pending = wait(pending, timeout=PATIENCE, return_when=FIRST_COMPLETED)
        yield from ((future, futures[future]) for future in done)


def staggered(todo: Sequence[Planned]) -> list[Planned]:
    """Return cells with the first of each backbone before the second of the backbone that came before.

    A backbone is trained for its first cell, and its other cells wait: so the next one is trained beside it.
    """
    groups = [list(cells) for _, cells in groupby(todo, lambda planned: planned.backbone_key)]
    order = list(todo[:1])
    for group, following in zip(groups, [*groups[1:], []], strict=False):
        order += following[:1] + group[1:]
    return order


def slots(jobs: int) -> list[Slot]:
    """Return the cores of each job: an equal share, where there are enough to share.

    The number of threads that a stage computes with is the machine's all the same, so that figures are those of one
    job to the last bit.
    """
    cores = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else []
    if jobs == 1 or len(cores) < jobs:
        return [None] * jobs
    return [tuple(cores[job::jobs]) for job in range(jobs)]


def keep(results: Path, planned: Planned, ended: Ended, test: UserItems) -> None:
    """Write what a cell has left: its record last, so that what a record speaks of is there.

    Raises
    ------
    UserError
        When the disk is full, or a folder can't be written.
    """
    try:
        if ended.scored is not None:
            store.save(per_user_path(planned.made), ended.scored)
        if ended.log:
            write_atomic(log_of(planned.id), ended.log)
        if ended.timing is not None:
            timing.write(results, ended.timing)
        masks.keep(results, ended.record, ended.scored, test)
        record.write(results, ended.record)
    except OSError as error:
        raise unwritable(error, results) from error


def write_machine(results: Path, machine: Machine | None = None) -> None:
    """Describe a machine in a results folder; this one by default."""
    machine = machine or fingerprint()
    path = results / "machines" / f"{machine.fingerprint}.json"
    if not path.is_file():
        write_atomic(path, json.dumps(asdict(machine), indent=1, sort_keys=True) + "\n")
