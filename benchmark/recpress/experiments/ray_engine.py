"""The same runs over a Ray cluster: a task each, collected as the same records.

Every node has RecPress installed and a cache of its own. Data sets and trained backbones travel once per node, through
Ray's object store. A task does what the local engine does for a run, with the same stages in processes of their own;
timings wait for the node's cores by the same lock.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from recpress.core.errors import UserError
from recpress.core.io import creating
from recpress.data import load
from recpress.data.dataset import Dataset
from recpress.experiments import backbone_cache, execution
from recpress.experiments.backbone_cache import TrainingFailed
from recpress.experiments.cache_layout import backbone_path
from recpress.experiments.engine import Options, Watcher, keep, write_machine
from recpress.experiments.execution import RunOutput
from recpress.experiments.identity import PlannedRun
from recpress.experiments.stages import RunContext
from recpress.isolation import processes
from recpress.isolation.locks import Cores
from recpress.isolation.processes import Allowance, Usage, WorkFailed
from recpress.isolation.scratch import scratch
from recpress.measure.machine import Machine, fingerprint

# A worker that dies (a node that goes away, the system's out-of-memory killer) has its task run once more.
RETRIES = 1
PATIENCE = 1.0
# Least time between two messages of a task on the same stage, in seconds.
QUIET = 1.0

# The files of a trained backbone by name, or why there are none.
Packed = dict[str, bytes] | TrainingFailed
# What is left of a run, and where it was made.
Pair = tuple[RunOutput, Machine]
# Of a run, by its id: a stage with its finished share, or what its process uses.
Message = tuple[str, str, float] | tuple[str, Usage]


def run(
    runs: Sequence[PlannedRun],
    results: Path,
    watcher: Watcher,
    options: Options | None = None,
    address: str | None = None,
) -> None:
    """Make runs on a cluster and write the record of each as soon as it is back.

    Parameters
    ----------
    runs, results, watcher, options
        As in `recpress.experiments.engine.run`. The cluster says how many
        runs are made at a time, one core for each.
    address : str, optional
        Of the cluster, as ``ray.init`` takes it; default: the one that is configured, else one on this machine.

    Raises
    ------
    UserError
        When Ray isn't installed or the cluster isn't there, data can't be had, or results can't be written.
    """
    ray = _ray()
    started = not ray.is_initialized()
    try:
        ray.init(address=address, log_to_driver=False, ignore_reinit_error=True)
    except (OSError, ValueError, RuntimeError) as error:
        raise UserError(f"Ray can't be reached or started at {address or 'the default address'}: {error}.") from error
    try:
        _run(ray, runs, results, watcher, options or Options())
    finally:
        if started:
            ray.shutdown()


def _run(ray: Any, runs: Sequence[PlannedRun], results: Path, watcher: Watcher, options: Options) -> None:
    memory = {} if options.memory is None else {"memory": options.memory}
    from ray.util.queue import Queue  # Ray is there: it has just been started.

    messages = Queue(actor_options={"num_cpus": 0})
    remote = ray.remote(num_cpus=1, max_retries=RETRIES, **memory)
    train, work = remote(_train), remote(_work)
    loaded = {name: load(name) for name in dict.fromkeys(planned.spec.dataset for planned in runs)}
    datasets = {name: ray.put(dataset) for name, dataset in loaded.items()}
    backbones = {
        planned.backbone_key: train.remote(planned, datasets[planned.spec.dataset], options, messages)
        for planned in {planned.backbone_key: planned for planned in runs}.values()
    }
    pending = {}
    for planned in runs:
        dataset, backbone = datasets[planned.spec.dataset], backbones[planned.backbone_key]
        pending[work.remote(planned, dataset, backbone, options, messages)] = planned
    by_id = {planned.id: planned for planned in runs}
    while pending:
        ready, _ = ray.wait(list(pending), timeout=PATIENCE)
        for message in _drained(messages):
            _tell(watcher, by_id, message)
        for reference in ready:
            planned = pending.pop(reference)
            try:
                output, machine = ray.get(reference)
            except ray.exceptions.RayError as error:
                what = str(error).strip().partition("\n")[0]
                output, machine = execution.failed(planned, f"its Ray worker: {what}", str(error)), None
            if machine is not None:
                write_machine(results, machine)
            keep(results, planned, output, loaded[planned.spec.dataset].split.test)
            watcher.finished(planned, output.result)


def _drained(messages: Any) -> Iterator[Message]:
    if count := messages.qsize():
        yield from messages.get_nowait_batch(count)


def _tell(watcher: Watcher, by_id: dict[str, PlannedRun], message: Message) -> None:
    match message:
        case (key, Usage() as used):
            watcher.usage(by_id[key], used)
        case (key, stage, share):
            watcher.stage(by_id[key], stage, share)


def _reporter(planned: PlannedRun, messages: Any) -> Callable[[str, float], None]:
    """Return what a task reports its stages with: each stage when it begins, and its share now and then."""
    last: dict[str, float] = {}

    def report(stage: str, share: float) -> None:
        now = time.monotonic()
        if now - last.get(stage, -QUIET) >= QUIET:
            last[stage] = now
            messages.put_nowait((planned.id, stage, share))

    return report


def _train(planned: PlannedRun, dataset: Dataset, options: Options, messages: Any) -> Packed:
    """Train a backbone, or take it from this node's cache, and pack its folder."""
    processes.start()
    report = _reporter(planned, messages)
    with scratch() as folder:
        try:
            backbone_cache.obtain(
                planned, dataset, lambda share: report("train", share), _allowance(options, folder, planned, messages)
            )
        except WorkFailed as failure:
            return TrainingFailed.of(failure)
    home = backbone_path(planned)
    return {file.relative_to(home).as_posix(): file.read_bytes() for file in home.rglob("*") if file.is_file()}


def _work(planned: PlannedRun, dataset: Dataset, packed: Packed, options: Options, messages: Any) -> Pair:
    """Make one run on this node."""
    processes.start()
    with scratch() as folder:
        allowance = _allowance(options, folder, planned, messages)
        if isinstance(packed, TrainingFailed):
            output = execution.untrained(planned, packed)
        else:
            _unpack(packed, backbone_path(planned))
            backbone = backbone_cache.obtain(planned, dataset, lambda share: None, allowance)
            output = execution.run(
                RunContext(planned, dataset, backbone, _reporter(planned, messages), allowance, Cores())
            )
    return output, fingerprint()


def _allowance(options: Options, folder: Path, planned: PlannedRun, messages: Any) -> Allowance:
    return Allowance(
        seconds=options.seconds,
        memory=options.memory,
        usage=lambda used: messages.put_nowait((planned.id, used)),
        scratch=folder,
    )


def _unpack(files: dict[str, bytes], folder: Path) -> None:
    """Put a backbone into this node's cache, unless it is there."""
    if folder.is_dir():
        return
    with creating(folder) as unfinished:
        for name, content in files.items():
            path = unfinished / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)


def _ray() -> Any:
    try:
        import ray
    except ImportError as error:
        raise UserError('The Ray engine needs the extra of that name: `pip install "recpress[ray]"`.') from error
    return ray
