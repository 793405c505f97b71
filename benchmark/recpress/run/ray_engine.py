"""The same plan over a Ray cluster: cells as tasks, collected as the same records.

Every node has RecPress installed and a cache of its own. Data sets and trained backbones travel once per node, through
Ray's object store. A task does what the local engine does for a cell, with the same stages in processes of their own;
timings wait for the node's cores by the same lock.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from recpress.atomic import creating
from recpress.data import load
from recpress.data.dataset import Dataset
from recpress.errors import UserError
from recpress.measure.machine import Machine, fingerprint
from recpress.record import Status
from recpress.run import cell as cells
from recpress.run import isolate, trained
from recpress.run.cell import Ended
from recpress.run.engine import Options, Watcher, keep, write_machine
from recpress.run.identity import Planned
from recpress.run.isolate import Allowance, Usage, WorkFailed
from recpress.run.kept import backbone_path
from recpress.run.locks import Cores
from recpress.run.scratch import scratch

# A worker that dies (a node that goes away, the system's out-of-memory killer) has its task run once more.
RETRIES = 1
PATIENCE = 1.0
# Least time between two messages of a task on the same stage, in seconds.
QUIET = 1.0

# The files of a trained backbone by name, or how training failed: status, reason, log.
Packed = dict[str, bytes] | tuple[Status, str, str]
Result = tuple[Ended, Machine]
# Of a cell, by its id: a stage with its finished share, or what its process uses.
Message = tuple[str, str, float] | tuple[str, Usage]


def run(
    todo: Sequence[Planned],
    results: Path,
    watcher: Watcher,
    options: Options | None = None,
    address: str | None = None,
) -> None:
    """Run cells on a cluster and write the record of each as soon as it is back.

    Parameters
    ----------
    todo, results, watcher, options
        As in `recpress.run.engine.run`. How many cells run at a time is the cluster's to say, one core for each.
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
        _run(ray, todo, results, watcher, options or Options())
    finally:
        if started:
            ray.shutdown()


def _run(ray: Any, todo: Sequence[Planned], results: Path, watcher: Watcher, options: Options) -> None:
    memory = {} if options.memory is None else {"memory": options.memory}
    from ray.util.queue import Queue  # Ray is there: it has just been started.

    messages = Queue(actor_options={"num_cpus": 0})
    remote = ray.remote(num_cpus=1, max_retries=RETRIES, **memory)
    train, work = remote(_train), remote(_work)
    loaded = {name: load(name) for name in dict.fromkeys(each.cell.dataset for each in todo)}
    datasets = {name: ray.put(dataset) for name, dataset in loaded.items()}
    backbones = {
        planned.backbone_key: train.remote(planned, datasets[planned.cell.dataset], options, messages)
        for planned in {each.backbone_key: each for each in todo}.values()
    }
    pending = {}
    for planned in todo:
        dataset, backbone = datasets[planned.cell.dataset], backbones[planned.backbone_key]
        pending[work.remote(planned, dataset, backbone, options, messages)] = planned
    by_id = {planned.id: planned for planned in todo}
    while pending:
        ready, _ = ray.wait(list(pending), timeout=PATIENCE)
        for message in _drained(messages):
            _tell(watcher, by_id, message)
        for reference in ready:
            planned = pending.pop(reference)
            try:
                ended, machine = ray.get(reference)
            except ray.exceptions.RayError as error:
                what = str(error).strip().partition("\n")[0]
                ended, machine = Ended(cells.lost(planned, f"its Ray worker: {what}"), log=str(error)), None
            if machine is not None:
                write_machine(results, machine)
            keep(results, planned, ended, loaded[planned.cell.dataset].split.test)
            watcher.finished(planned, ended.record)


def _drained(messages: Any) -> Iterator[Message]:
    if count := messages.qsize():
        yield from messages.get_nowait_batch(count)


def _tell(watcher: Watcher, by_id: dict[str, Planned], message: Message) -> None:
    match message:
        case (key, Usage() as used):
            watcher.usage(by_id[key], used)
        case (key, stage, share):
            watcher.stage(by_id[key], stage, share)


def _reporter(planned: Planned, messages: Any) -> Callable[[str, float], None]:
    """Return what a task reports its stages with: each stage when it begins, and its share now and then."""
    last: dict[str, float] = {}

    def report(stage: str, share: float) -> None:
        now = time.monotonic()
        if now - last.get(stage, -QUIET) >= QUIET:
            last[stage] = now
            messages.put_nowait((planned.id, stage, share))

    return report


def _train(planned: Planned, dataset: Dataset, options: Options, messages: Any) -> Packed:
    """Train a backbone, or take it from this node's cache, and pack its folder."""
    isolate.start()
    report = _reporter(planned, messages)
    with scratch() as folder:
        try:
            trained.obtain(
                planned, dataset, lambda share: report("train", share), _allowance(options, folder, planned, messages)
            )
        except WorkFailed as failure:
            return failure.status, str(failure), failure.details
    home = backbone_path(planned)
    return {file.relative_to(home).as_posix(): file.read_bytes() for file in home.rglob("*") if file.is_file()}


def _work(planned: Planned, dataset: Dataset, packed: Packed, options: Options, messages: Any) -> Result:
    """Run one cell on this node."""
    isolate.start()
    with scratch() as folder:
        allowance = _allowance(options, folder, planned, messages)
        model: trained.Trained | WorkFailed
        if isinstance(packed, tuple):
            model = WorkFailed(*packed)
        else:
            _unpack(packed, backbone_path(planned))
            model = trained.obtain(planned, dataset, lambda share: None, allowance)
        ended = cells.run(planned, dataset, model, _reporter(planned, messages), allowance, Cores())
    return ended, fingerprint()


def _allowance(options: Options, folder: Path, planned: Planned, messages: Any) -> Allowance:
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
