"""Running what is planned on this machine; nothing is lost where it is stopped."""

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

from recpress.core.errors import UserError, unwritable
from recpress.core.io import write_atomic
from recpress.core.locking import SAY_SECONDS
from recpress.data import load
from recpress.data.dataset import Dataset
from recpress.data.interactions import UserItems
from recpress.evaluation import store
from recpress.experiments import backbone_cache, execution, per_user_hits
from recpress.experiments.backbone_cache import Trained, TrainingFailed
from recpress.experiments.cache_layout import log_of, per_user_path
from recpress.experiments.execution import RunOutput
from recpress.experiments.identity import PlannedRun
from recpress.experiments.plan import is_done, place_of
from recpress.experiments.stages import RunContext
from recpress.isolation import processes
from recpress.isolation.locks import Cores, Slot, claim
from recpress.isolation.processes import Allowance, Stopped, Usage, WorkFailed
from recpress.isolation.scratch import scratch
from recpress.measure.machine import Machine, fingerprint
from recpress.records import record, timing
from recpress.records.record import Record

# How long to wait before asking again for a run that another run works on, in seconds.
PATIENCE = 0.5

T = TypeVar("T")


def _ignore(*_: object) -> None: ...


@dataclass(frozen=True)
class Watcher:
    """What is called as runs go on, from one thread at a time.

    Attributes
    ----------
    stage : callable
        With the run, the stage ("read", "train", "compress", "serve", "time") and its finished share.
    finished : callable
        With the run and its record.
    usage : callable
        With the run and what its process uses, every half second.
    done_elsewhere : callable
        With a run that another process finished meanwhile.
    waiting : callable
        With what is waited for that other processes hold, and for how many seconds so far; every few seconds.
    note : callable
        With the run whose backbone is being trained, and its epoch and loss.
    """

    stage: Callable[[PlannedRun, str, float], None]
    finished: Callable[[PlannedRun, Record], None]
    usage: Callable[[PlannedRun, Usage], None] = _ignore
    done_elsewhere: Callable[[PlannedRun], None] = _ignore
    waiting: Callable[[str, float], None] = _ignore
    note: Callable[[PlannedRun, str], None] = _ignore


@dataclass(frozen=True)
class Options:
    """How a plan is run.

    Attributes
    ----------
    jobs : int
        Runs worked on at a time. Timings never share the machine, whatever this is.
    memory : int or None
        Bytes that a stage's process may hold.
    seconds : float or None
        Wall-clock limit of each stage, where it is shorter than the stage's own.
    force : bool
        Make runs that another process finishes meanwhile all the same.
    retry_failed : bool
        A record of what went wrong doesn't make a run done.
    """

    jobs: int = 1
    memory: int | None = None
    seconds: float | None = None
    force: bool = False
    retry_failed: bool = False


class Shared(Generic[T]):
    """What several runs need: made once, dropped after the last of them."""

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
        """One run of a key is finished."""
        with self._locks[key]:
            self._uses[key] -= 1
            if not self._uses[key]:
                self._made.pop(key, None)


def run(runs: Sequence[PlannedRun], results: Path, watcher: Watcher, options: Options | None = None) -> None:
    """Make runs and write the record of each as soon as it is there.

    Runs of the same data set and backbone should follow each other: what they share is loaded once.

    Raises
    ------
    UserError
        A data set that can't be had, a damaged checkpoint, a results folder that can't be written: after all runs
        that this doesn't touch.
    """
    options = options or Options()
    processes.start()
    write_machine(results)
    with scratch() as folder, _Runner(runs, results, watcher, options, folder).going() as runner:
        runner.run()


@dataclass
class _Runner:
    runs: Sequence[PlannedRun]
    results: Path
    watcher: Watcher
    options: Options
    scratch: Path
    stop: threading.Event = field(default_factory=threading.Event)

    def __post_init__(self) -> None:
        self._datasets: Shared[Dataset] = Shared([planned.spec.dataset for planned in self.runs])
        self._backbones: Shared[Trained | TrainingFailed] = Shared([planned.backbone_key for planned in self.runs])
        self._telling = threading.Lock()
        jobs = self.options.jobs
        # Runs that wait to be timed hold no cores, so more of them than jobs are under way. They are what an
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
        waiting = list(self.runs) if self.options.jobs == 1 else staggered(self.runs)
        errors: dict[str, UserError] = {}
        said = since = time.monotonic()
        while waiting:
            futures = {self._pool.submit(self._make, planned): planned for planned in waiting}
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
                    what = f"another run, which works on {waiting[0].spec.label}"
                    self._tell(self.watcher.waiting, what, said - since)
                time.sleep(PATIENCE)
        if errors:
            raise next(iter(errors.values())) if len(errors) == 1 else UserError(" ".join(errors))

    def _make(self, planned: PlannedRun) -> bool:
        """Make one run; False where another process works on it now."""
        self._check()
        with claim(self.results, place_of(planned.spec)) as ours:
            if not ours:
                return False
            try:
                options = self.options
                if not options.force and is_done(planned, self.results, options.retry_failed):
                    self._tell(self.watcher.done_elsewhere, planned)
                else:
                    self._work(planned)
            finally:
                self._datasets.done(planned.spec.dataset)
                self._backbones.done(planned.backbone_key)
        return True

    def _work(self, planned: PlannedRun) -> None:
        allowance = Allowance(
            seconds=self.options.seconds,
            memory=self.options.memory,
            stop=self.stop,
            usage=lambda usage: self._tell(self.watcher.usage, planned, usage),
            scratch=self.scratch,
        )
        dataset = self._datasets.get(planned.spec.dataset, lambda: self._read(planned))
        backbone = self._backbones.get(planned.backbone_key, lambda: self._trained(planned, dataset, allowance))

        def progress(stage: str, share: float) -> None:
            self._tell(self.watcher.stage, planned, stage, share)

        if isinstance(backbone, TrainingFailed):
            output = execution.untrained(planned, backbone)
        else:
            output = execution.run(RunContext(planned, dataset, backbone, progress, allowance, self._cores))
        try:
            keep(self.results, planned, output, dataset.split.test)
        except UserError:
            self.stop.set()
            raise
        self._tell(self.watcher.finished, planned, output.result)

    def _read(self, planned: PlannedRun) -> Dataset:
        self._tell(self.watcher.stage, planned, "read", 0.0)
        return load(planned.spec.dataset)

    def _trained(self, planned: PlannedRun, dataset: Dataset, allowance: Allowance) -> Trained | TrainingFailed:
        def progress(share: float) -> None:
            self._tell(self.watcher.stage, planned, "train", share)

        try:
            metered = planned.spec.timing.times_compressing
            with self._cores.shared() as slot:
                return backbone_cache.obtain(
                    planned,
                    dataset,
                    progress,
                    replace(allowance, cores=slot),
                    metered=metered,
                    notes=partial(self._tell, self.watcher.note, planned),
                    waiting=partial(self._tell, self.watcher.waiting),
                )
        except WorkFailed as failure:
            return TrainingFailed.of(failure)

    def _check(self) -> None:
        if self.stop.is_set():
            raise Stopped

    def _tell(self, callback: Callable[..., None], *arguments: Any) -> None:
        with self._telling:
            callback(*arguments)


def _as_they_end(futures: dict[Future[bool], PlannedRun]) -> Iterator[tuple[Future[bool], PlannedRun]]:
    """Yield futures as they end. The wait is short, so that a signal is seen."""
    pending = set(futures)
    while pending:
        done, pending = wait(pending, timeout=PATIENCE, return_when=FIRST_COMPLETED)
        yield from ((future, futures[future]) for future in done)


def staggered(runs: Sequence[PlannedRun]) -> list[PlannedRun]:
    """Return runs with the first of each backbone before the second of the backbone that came before.

    A backbone is trained for its first run, and its other runs wait: so the next one is trained beside it.
    """
    groups = [list(group) for _, group in groupby(runs, lambda planned: planned.backbone_key)]
    order = list(runs[:1])
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


def keep(results: Path, planned: PlannedRun, output: RunOutput, test: UserItems) -> None:
    """Write what a run has left: its record last, so that what a record speaks of is there.

    Raises
    ------
    UserError
        When the disk is full, or a folder can't be written.
    """
    try:
        if output.scored is not None:
            store.save(per_user_path(planned.artefact_key), output.scored)
        if output.log:
            write_atomic(log_of(planned.id), output.log)
        if output.timing is not None:
            timing.write(results, output.timing)
        per_user_hits.keep(results, output.result, output.scored, test)
        record.write(results, output.result)
    except OSError as error:
        raise unwritable(error, results) from error


def write_machine(results: Path, machine: Machine | None = None) -> None:
    """Describe a machine in a results folder; this one by default."""
    machine = machine or fingerprint()
    path = results / "machines" / f"{machine.fingerprint}.json"
    if not path.is_file():
        write_atomic(path, json.dumps(asdict(machine), indent=1, sort_keys=True) + "\n")
