"""What verbs that start runs share: how they run, how that is shown, how it ends."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import click

from recpress.core.errors import UserError

if TYPE_CHECKING:
    from recpress.experiments.identity import PlannedRun
    from recpress.records.record import Record

F = TypeVar("F", bound=Callable[..., object])

OPTIONS = (
    click.option("--jobs", type=click.IntRange(min=1), default=1, show_default=True, help="Runs at a time."),
    click.option("--memory-gb", type=click.FloatRange(min=0.1), help="Memory limit of a stage's process, in GB."),
    click.option(
        "--timeout", type=click.FloatRange(min=0.1), help="Time limit of a stage (train, compress, serve), in seconds."
    ),
    click.option(
        "--engine",
        type=click.Choice(["local", "ray"]),
        default="local",
        show_default=True,
        help="Run here, or on a Ray cluster.",
    ),
    click.option(
        "--address", help="Address of the Ray cluster; default: the configured one, else one on this machine."
    ),
    click.option("--json-log", is_flag=True, help="Print one JSON object per event."),
)


def running_options(function: F) -> F:
    """Give a command the options of `Running`."""
    for option in reversed(OPTIONS):
        function = option(function)
    return function


@dataclass(frozen=True)
class Running:
    """The values of `OPTIONS`."""

    jobs: int = 1
    memory_gb: float | None = None
    timeout: float | None = None
    engine: str = "local"
    address: str | None = None
    json_log: bool = False


def launch(
    runs: Sequence[PlannedRun],
    results: Path,
    running: Running,
    *,
    done: int = 0,
    force: bool = False,
    retry_failed: bool = False,
    on_result: Callable[[PlannedRun, Record], None] = lambda planned, result: None,
) -> None:
    """Make runs, show how it goes, and say how it ended; `on_result` is called with each and its record.

    Raises
    ------
    SystemExit
        With 1 when a run failed.
    """
    from recpress.cli.shared.progress import say_done, watcher

    if running.address and running.engine != "ray":
        raise UserError("--address is that of a Ray cluster: add --engine ray.")
    if not runs:
        say_done(done, as_json=running.json_log)
        return
    from recpress.isolation import processes

    if running.engine == "local":
        # The server imports torch while we do.
        processes.start()
    from recpress.experiments import engine, ray_engine
    from recpress.experiments.engine import Options

    memory = None if running.memory_gb is None else int(running.memory_gb * 1e9)
    options = Options(running.jobs, memory, running.timeout, force, retry_failed)
    with watcher(runs, results, done, as_json=running.json_log) as shown:

        def finished(planned: PlannedRun, result: Record) -> None:
            on_result(planned, result)
            shown.watcher.finished(planned, result)

        watched = replace(shown.watcher, finished=finished)
        if running.engine == "ray":
            ray_engine.run(runs, results, watched, options, running.address)
        else:
            engine.run(runs, results, watched, options)
    if shown.went_wrong:
        raise SystemExit(1)
