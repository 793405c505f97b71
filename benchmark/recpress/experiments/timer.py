"""Making a machine's timing records: a serving signature each, whichever of its runs is cheapest to make again."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

from recpress.core.errors import UserError, unwritable
from recpress.data import load
from recpress.experiments import backbone_cache, stages
from recpress.experiments.cache_layout import artefact_path
from recpress.experiments.engine import write_machine
from recpress.experiments.identity import PlannedRun
from recpress.experiments.plan import record_of, timed_here
from recpress.experiments.stages import Progress, RunContext
from recpress.isolation import processes
from recpress.isolation.locks import Cores
from recpress.isolation.processes import Allowance, WorkFailed
from recpress.isolation.scratch import scratch
from recpress.measure.repeats import Repetition, between_runs, interval
from recpress.records import timing
from recpress.records.record import Record, Scenario
from recpress.records.timing import Timing

# What a repetition is compared by.
COMPARED: tuple[Scenario, ...] = ("single", "batch")


@dataclass(frozen=True)
class Job:
    """A serving signature that is to be timed, by a run that has it.

    Attributes
    ----------
    planned : PlannedRun
    record : Record
    shared : int
        Runs that have the signature.
    """

    planned: PlannedRun
    record: Record
    shared: int


@dataclass(frozen=True)
class TimingFailed:
    """Why a signature can't be timed: one sentence."""

    reason: str


def jobs(runs: Sequence[PlannedRun], results: Path, *, everything: bool = False, noisy: bool = False) -> list[Job]:
    """Return what this machine has not timed of some runs, a job a signature, those of one backbone together.

    Parameters
    ----------
    runs : sequence of PlannedRun
        Those without a record of theirs, or that didn't end well, are passed over.
    results : Path
    everything : bool
        Also what it has timed.
    noisy : bool
        Also what it has timed while others used the machine.
    """
    found: dict[str, list[tuple[PlannedRun, Record]]] = {}
    for planned in runs:
        result = record_of(planned, results)
        if result is not None and result.identity.key == planned.id and result.status == "ok":
            found.setdefault(result.signature, []).append((planned, result))
    timings = timed_here(results)

    def wanted(result: Record) -> bool:
        before = timings.of(result)
        return everything or before is None or (noisy and before.noisy)

    chosen = [Job(*min(alike, key=_effort), len(alike)) for alike in found.values() if wanted(alike[0][1])]
    order = {planned.id: place for place, planned in enumerate(runs)}
    return sorted(chosen, key=lambda job: (job.planned.spec.dataset, job.planned.backbone_key, order[job.planned.id]))


def _effort(run: tuple[PlannedRun, Record]) -> tuple[bool, float]:
    """Judge what it takes to have a run's artefact: nothing if it is kept, else what making it took before."""
    _, result = run
    return not artefact_path(result.signature).is_dir(), result.cost.compress_seconds if result.cost else 0.0


def draw(jobs: Sequence[Job], count: int, seed: int) -> list[Job]:
    """Draw jobs at random, in their order.

    Raises
    ------
    UserError
        When there are fewer.
    """
    if not 0 < count <= len(jobs):
        raise UserError(f"There are {len(jobs)} signatures to draw from: draw at most so many, at least 1.")
    return [jobs[place] for place in sorted(random.Random(seed).sample(range(len(jobs)), count))]


def run(
    jobs: Sequence[Job], results: Path | None, progress: Callable[[Job, str], None] = lambda job, stage: None
) -> Iterator[tuple[Job, Timing | TimingFailed]]:
    """Time one signature after the other, and write each timing as soon as it is there.

    Parameters
    ----------
    jobs : sequence of Job
    results : Path or None
        Folder that gets them; None writes nothing.
    progress : callable
        Is called with the job and its stage.

    Yields
    ------
    job, timing
        Or why there is none.

    Raises
    ------
    UserError
        A data set that can't be had, a damaged checkpoint, a results folder that can't be written.
    """
    processes.start()
    if results is not None:
        write_machine(results)
    with scratch() as folder:
        allowance, cores = Allowance(scratch=folder), Cores()
        for dataset, of_dataset in groupby(jobs, lambda job: job.planned.spec.dataset):
            data = load(dataset)
            for _, of_backbone in groupby(of_dataset, lambda job: job.planned.backbone_key):
                group = list(of_backbone)
                try:
                    progress(group[0], "train")
                    with cores.shared():
                        backbone = backbone_cache.obtain(group[0].planned, data, lambda share: None, allowance)
                except WorkFailed as failure:
                    yield from ((job, TimingFailed(str(failure))) for job in group)
                    continue
                for job in group:
                    context = RunContext(job.planned, data, backbone, _stages_of(job, progress), allowance, cores)
                    yield job, _timed(context, job.record, results)


def _stages_of(job: Job, progress: Callable[[Job, str], None]) -> Progress:
    return lambda stage, share: progress(job, stage)


def _timed(context: RunContext, result: Record, results: Path | None) -> Timing | TimingFailed:
    try:
        found = stages.retime(context, result)
    except WorkFailed as failure:
        return TimingFailed(str(failure))
    if results is not None:
        try:
            timing.write(results, found)
        except OSError as error:
            raise unwritable(error, results) from error
    return found


def repeated(before: Timing, after: Timing, timings: Iterable[Timing]) -> dict[Scenario, Repetition]:
    """Set the ratios of a signature's timing beside those of its repetition, by scenario.

    Parameters
    ----------
    before, after : Timing
    timings : iterable of Timing
        All of the machine: they show how far two runs lie apart.
    """
    spread = between_runs(timings)
    again = {each.scenario: each for each in after.latency}
    return {
        one.scenario: Repetition(one.ratio, interval(one, before, spread), other.ratio, interval(other, after, spread))
        for one in before.latency
        if one.scenario in COMPARED and (other := again.get(one.scenario))
    }
