"""``recpress time``: the timing records of this machine."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click
from tabulate import tabulate

from recpress.cli.shared.groups import group_of
from recpress.cli.shared.output import nothing_there
from recpress.core.errors import UserError

if TYPE_CHECKING:
    from recpress.experiments.identity import PlannedRun
    from recpress.experiments.timer import Job, TimingFailed
    from recpress.records.timing import Timing


TABLE = {"kernels": ("recpress.cli.time_.kernels", "Time kernels on a synthetic catalogue that fits no cache.")}


@click.group("time", cls=group_of("subcommand", TABLE), invoke_without_command=True)
@click.option("--suite", help="Only the runs of this suite; default: all of the results folder.")
@click.option("--dataset", "datasets", multiple=True, help="Only these data sets; may be given several times.")
@click.option("--backbone", "backbones", multiple=True, help="Only these backbones.")
@click.option("--method", "methods", multiple=True, help="Only these methods.")
@click.option(
    "--missing/--all", "missing", default=True, show_default=True, help="Time what this machine has not timed, or all."
)
@click.option("--noisy", is_flag=True, help="Also time again what was timed while others used the machine.")
@click.option(
    "--timing-seconds",
    type=click.FloatRange(min=0.05),
    default=0.2,
    show_default=True,
    help="Least seconds for each scenario.",
)
@click.option(
    "--repeat", type=click.IntRange(min=1), help="Draw so many timings, time them again and compare; write nothing."
)
@click.option(
    "--seed", type=click.IntRange(min=0), default=0, show_default=True, help="Seed of the draw, with --repeat."
)
@click.option("--dry-run", is_flag=True, help="Say what would be timed, and time nothing.")
@click.option(
    "--results", type=click.Path(path_type=Path), default="results", show_default=True, help="Results folder."
)
@click.pass_context
def command(
    context: click.Context,
    suite: str | None,
    datasets: tuple[str, ...],
    backbones: tuple[str, ...],
    methods: tuple[str, ...],
    missing: bool,
    noisy: bool,
    timing_seconds: float,
    repeat: int | None,
    seed: int,
    dry_run: bool,
    results: Path,
) -> None:
    """Time what this machine has not timed yet: every serving signature once, in turn with dense fp32.

    Runs whose artefacts are stored alike (kinds, bits, shapes) share a serving signature. One of them is timed for all,
    with its artefact from the cache or made again. A stopped command continues where it was.

    \b
    Examples:
      recpress time --suite core
      recpress time --dataset ml-100k --dry-run
      recpress time --suite core --repeat 20
      recpress time kernels uniform --budget 1/8
    """
    if context.invoked_subcommand:
        return
    from recpress.experiments import timer

    planned = _planned(suite, results, timing_seconds)
    for names, key in ((datasets, "dataset"), (backbones, "backbone"), (methods, "method")):
        _refuse_unknown(names, key, planned)
        planned = [each for each in planned if not names or getattr(each.spec, key) in names]
    if repeat is not None:
        _repeat(timer.draw(_timed_before(planned, results), repeat, seed), results)
        return
    todo = timer.jobs(planned, results, everything=not missing, noisy=noisy)
    click.echo(f"{len(todo)} signatures to time, of {sum(job.shared for job in todo)} runs.")
    if dry_run or not todo:
        for job in todo:
            click.echo(f"{job.planned.spec.label} ({job.shared} runs)")
        return
    failed = _time(todo, results)
    if failed:
        raise SystemExit(1)


def _planned(suite: str | None, results: Path, seconds: float) -> list[PlannedRun]:
    from recpress.experiments.plan import make, without_records
    from recpress.experiments.suite import expand, read_suite
    from recpress.records.record import read_all
    from recpress.reproduce.result_store import specs_of

    if not (results / "records").is_dir():
        raise nothing_there(results)
    specs = expand(read_suite(suite)) if suite else specs_of(read_all(results), skip_foreign=True)
    absent = set(map(id, without_records(specs, results)))
    timed = [spec.model_copy(update={"timing_seconds": seconds}) for spec in specs if id(spec) not in absent]
    planned = make(timed)
    if absent:
        click.echo(f"{len(absent)} runs have no record yet, and are passed over: `recpress run` makes them.", err=True)
    return planned


def _refuse_unknown(names: tuple[str, ...], key: str, planned: list[PlannedRun]) -> None:
    from recpress.core.errors import unknown

    known = {getattr(each.spec, key) for each in planned}
    for name in names:
        if name not in known:
            raise unknown(key, name, known, f"those are the {key}s of the runs")


def _time(todo: list[Job], results: Path) -> int:
    from rich.console import Console

    from recpress.cli.shared.progress import bars
    from recpress.experiments import timer

    console, failed = Console(), 0
    with bars(console, hidden=not console.is_terminal) as shown:
        bar = shown.add_task("timing", total=len(todo))

        def show(job: Job, stage: str) -> None:
            shown.update(bar, description=f"{job.planned.spec.label}: {stage}")

        for count, (job, found) in enumerate(timer.run(todo, results, show), 1):
            shown.advance(bar)
            failed += isinstance(found, timer.TimingFailed)
            if isinstance(found, timer.TimingFailed) or not console.is_terminal:
                click.echo(f"[{count}/{len(todo)}] {job.planned.spec.label}: {_outcome(found)}")
    click.echo(f"{len(todo) - failed} timed, {failed} failed; timings in {results / 'timings'}.")
    return failed


def _outcome(found: Timing | TimingFailed) -> str:
    from recpress.experiments.timer import TimingFailed

    if isinstance(found, TimingFailed):
        return found.reason
    return ", ".join(f"{each.scenario} {each.ratio:.2f} x fp32" for each in found.latency)


def _timed_before(planned: list[PlannedRun], results: Path) -> list[Job]:
    from recpress.experiments import timer
    from recpress.experiments.plan import timed_here

    timings = timed_here(results)
    return [job for job in timer.jobs(planned, results, everything=True) if timings.of(job.record)]


def _repeat(drawn: list[Job], results: Path) -> None:
    from recpress.experiments import timer
    from recpress.experiments.plan import timed_here

    timings = timed_here(results)
    lines, meet = [], 0
    for job, found in timer.run(drawn, None):
        before = timings.of(job.record)
        if isinstance(found, timer.TimingFailed):
            raise UserError(f"{job.planned.spec.label} can't be timed again: {found.reason}.")
        if before is None:  # `_timed_before` leaves such out.
            continue
        for scenario, each in timer.repeated(before, found, timings.all).items():
            meet += each.meet
            told = (
                f"{ratio:.2f} ({low:.2f}–{high:.2f})"
                for ratio, (low, high) in ((each.before, each.within), (each.after, each.again))
            )
            lines.append((job.planned.spec.label, scenario, *told, "yes" if each.meet else "no"))
    headings = ("Run", "Scenario", "Before [x fp32]", "Again", "Meet")
    click.echo(tabulate(lines, headings, disable_numparse=True))
    click.echo(f"{meet} of {len(lines)} ratios have intervals that meet, with what lies between two runs.")
    if meet < len(lines):
        raise SystemExit(1)
