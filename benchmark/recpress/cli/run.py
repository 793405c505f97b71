"""``recpress run``: runs, and their records."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from recpress import registry
from recpress.cli.shared.launch import Running, launch, running_options
from recpress.cli.shared.types import BudgetType, ParamType, refuse_both
from recpress.core.budget import Budget
from recpress.core.errors import UserError
from recpress.experiments.suite import MethodRuns, Suite, expand, read_suite
from recpress.records.record import WENT_WRONG, Status, read_all


@click.command("run")
@click.option("--suite", help="A named suite, or a path to a TOML file.")
@click.option("--dataset", multiple=True, help="Name of a data set; this and the next five may be repeated.")
@click.option("--backbone", multiple=True, help="Name of a backbone.")
@click.option("--method", multiple=True, help="Name of a method.")
@click.option("--budget", multiple=True, type=BudgetType(), help="Fraction of the fp32 bytes, e.g. 1/8.")
@click.option(
    "--param", multiple=True, type=ParamType(), help="Set a parameter of the method, e.g. bits=4, instead of a budget."
)
@click.option("--seed", multiple=True, type=click.IntRange(min=0), help="Seed of the training and of the method.")
@click.option("--data", type=click.Path(path_type=Path), help="Your own csv, tsv, parquet or .inter file.")
@click.option("--user-col", help="For --data: column of the user ids.")
@click.option("--item-col", help="For --data: column of the item ids.")
@click.option("--time-col", help="For --data: column of times, if there is one: numbers since 1970, or ISO dates.")
@click.option("--time", "timed", is_flag=True, help="Also time what is run, as `recpress time` does afterwards.")
@click.option("--timing-seconds", type=click.FloatRange(min=0), help="With --time: least time per latency scenario.")
@click.option(
    "--results", type=click.Path(path_type=Path), default="results", show_default=True, help="Results folder."
)
@click.option("--force", is_flag=True, help="Run again what is done.")
@click.option(
    "--retry-failed",
    is_flag=True,
    help="Run again what failed, timed out or ran out of memory; without suite and data set, in all of --results.",
)
@click.option(
    "--status",
    multiple=True,
    type=click.Choice([*WENT_WRONG, "over-budget"]),
    help="With --retry-failed and neither suite nor data set: only runs with this status.",
)
@click.option("--dry-run", is_flag=True, help="Print what would run and about how long it takes; run nothing.")
@running_options
def command(
    suite: str | None,
    dataset: tuple[str, ...],
    backbone: tuple[str, ...],
    method: tuple[str, ...],
    budget: tuple[Budget, ...],
    param: tuple[tuple[str, Any], ...],
    seed: tuple[int, ...],
    data: Path | None,
    user_col: str | None,
    item_col: str | None,
    time_col: str | None,
    timed: bool,
    timing_seconds: float | None,
    results: Path,
    force: bool,
    retry_failed: bool,
    status: tuple[Status, ...],
    dry_run: bool,
    **running: Any,
) -> None:
    """Run a suite, or the runs that options name; what is done isn't run again.

    \b
    Examples:
      recpress run --suite quick
      recpress run --suite quick --dry-run
      recpress run --suite quick --time
      recpress run --suite quick --jobs 2 --json-log
      recpress run --dataset ml-100k --backbone lightgcn --method uniform --budget 1/8
      recpress run --dataset ml-100k --backbone mf --method uniform --param bits=3
      recpress run --data likes.csv --user-col user --item-col item --method uniform
      recpress run --retry-failed --status timeout --timeout 7200
    """
    if force and retry_failed:
        raise UserError("--force runs everything again: leave --retry-failed away.")
    refuse_both(budget, param)
    if retry_failed and not (suite or dataset or data):
        if backbone or method or budget or param or seed or timed:
            raise UserError("--retry-failed without --suite or --dataset takes all of --results: choose with --status.")
        _retry(results, status or WENT_WRONG, Running(**running), dry_run=dry_run)
        return
    if status:
        raise UserError("--status chooses among the records of --results: give it with --retry-failed alone.")
    if data is not None:
        dataset = (*dataset, _own(data, user_col, item_col, time_col))
    chosen = read_suite(suite) if suite else _ad_hoc(dataset, method)
    if not timed and timing_seconds is None:
        timing_seconds = 0.0
    chosen = _narrowed(chosen, datasets=dataset, backbones=backbone, seeds=seed, timing_seconds=timing_seconds)
    if method or budget or param:
        chosen = _other_methods(chosen, method, budget, param)
    if dry_run:
        show_plan(chosen, results, force=force, retry_failed=retry_failed)
    else:
        run_suite(chosen, results, force=force, retry_failed=retry_failed, running=Running(**running))


def _retry(results: Path, statuses: Sequence[Status], running: Running, *, dry_run: bool) -> None:
    """Run again what ended with one of these statuses, each as its record says that it was run."""
    from recpress.experiments.plan import make
    from recpress.reproduce.result_store import specs_of

    again = specs_of(each for each in read_all(results) if each.status in statuses)
    if dry_run:
        click.echo(f"{len(again)} to run.")
        for spec in again:
            click.echo(spec.label)
        return
    launch(make(again), results, running, force=True)


def _narrowed(suite: Suite, **asked: Any) -> Suite:
    """Return a suite with fields as asked for on the command line, which its overrides then don't override."""
    changed = {name: value for name, value in asked.items() if value not in ((), None)}
    overrides = tuple(each.model_copy(update=dict.fromkeys(changed.keys() - {"datasets"})) for each in suite.overrides)
    include = tuple(
        each
        for each in suite.include
        if each.dataset in changed.get("datasets", (each.dataset,))
        and each.backbone in changed.get("backbones", (each.backbone,))
    )
    return suite.model_copy(update=changed | {"overrides": overrides, "include": include})


def _other_methods(
    suite: Suite, method: Sequence[str], budget: Sequence[Budget], param: Sequence[tuple[str, Any]]
) -> Suite:
    """Return a suite with these methods, each as the suite has it unless a budget or a parameter is given."""
    names = method or tuple(runs.name for runs in suite.methods)
    kept = {runs.name: runs for runs in suite.methods}
    sets = (dict(param),) if param else ()
    methods = [
        MethodRuns(name=name, budgets=tuple(budget) or _default_budgets(name, sets), params=sets)
        if budget or param or name not in kept
        else kept[name]
        for name in dict.fromkeys(names)
    ]
    return suite.model_copy(update={"methods": tuple(methods), "include": ()})


def _ad_hoc(datasets: Sequence[str], methods: Sequence[str]) -> Suite:
    if not datasets or not methods:
        raise UserError("Say what to run: `--suite quick`, or `--dataset … --method …` (`recpress list` shows names).")
    runs = tuple(MethodRuns(name=name, budgets=_default_budgets(name)) for name in methods)
    return Suite(title="ad hoc", datasets=tuple(datasets), backbones=("lightgcn",), methods=runs)


def _default_budgets(method: str, params: Sequence[dict[str, Any]] = ()) -> tuple[Budget, ...] | None:
    """Return the budgets of a method that is asked for without any: a reference is run as it is, once."""
    return () if params or registry.method(method).card.division == "reference" else None


def _own(data: Path, user: str | None, item: str | None, time: str | None) -> str:
    if user is None or item is None:
        raise UserError("--data needs --user-col and --item-col: the names of its two id columns.")
    from recpress.data import from_file

    return from_file(data, user, item, time).name


def show_plan(suite: Suite, results: Path, *, force: bool, retry_failed: bool) -> None:
    """Print what a run would do, and what that may take."""
    from recpress.experiments.estimate import estimate
    from recpress.experiments.plan import make, unfinished, without_records

    specs = expand(suite)
    fresh = specs if force else without_records(specs, results)
    absent = set(map(id, fresh))  # `in` would compare every spec with every other.
    # Only a run with a record at its place needs its identity to tell whether it is done.
    runs = make([spec for spec in specs if id(spec) not in absent], _say_read)
    missing = [*fresh, *(planned.spec for planned in unfinished(runs, results, retry_failed))]
    click.echo(f"{len(specs)} runs, {len(specs) - len(missing)} done, {len(missing)} to run.")
    for spec in missing:
        click.echo(spec.label)
    if missing:
        taken = estimate(missing, results)
        if taken.unlike == len(missing):
            click.echo(f"No estimate of time and size: {results} holds no similar run.")
            return
        others = "1 run" if taken.unlike == 1 else f"{taken.unlike} runs"
        unlike = f", not counting {others} unlike any in {results}" if taken.unlike else ""
        click.echo(f"About {_duration(taken.seconds)} and at most {taken.bytes / 1e6:.1f} MB{unlike}.")


def _say_read(dataset: str) -> None:
    click.echo(f"Reading {dataset}, because its card does not pin the hash of its split.", err=True)


def _duration(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes:02d} min" if hours else f"{minutes} min {rest:02d} s"


def run_suite(
    suite: Suite,
    results: Path,
    *,
    force: bool = False,
    retry_failed: bool = False,
    running: Running | None = None,
) -> None:
    """Plan a suite, run what isn't done, and say how it ended."""
    from recpress.experiments.plan import make, unfinished

    every = make(expand(suite), _say_read)
    runs = every if force else unfinished(every, results, retry_failed)
    if any(planned.spec.params for planned in runs):
        from recpress.experiments.parameters import refuse_wrong

        refuse_wrong([planned.spec for planned in runs])
    launch(runs, results, running or Running(), done=len(every) - len(runs), force=force, retry_failed=retry_failed)
