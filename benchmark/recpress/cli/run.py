"""``recpress run``: run cells and write their records."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click
from rich.console import Console

from recpress.errors import UserError
from recpress.run.identity import Planned
from recpress.run.suite import MethodRuns, Suite, expand, parse_budget, read_suite


class BudgetType(click.ParamType[str]):
    """A fraction of the fp32 bytes, checked where it is typed."""

    name = "fraction"

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Return the text as it is, if it is a budget."""
        try:
            parse_budget(value)
        except ValueError as error:
            self.fail(str(error), param, ctx)
        return value


class ParamType(click.ParamType[tuple[str, Any]]):
    """``name=value``, with the value read as JSON where it is JSON, else as text."""

    name = "name=value"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[str, Any]:
        """Split at the first equals sign."""
        key, equals, text = str(value).partition("=")
        if not (key and equals):
            self.fail(f"{value!r} is not name=value, such as bits=4", param, ctx)
        try:
            return key, json.loads(text)
        except json.JSONDecodeError:
            return key, text


@click.command("run")
@click.option("--suite", help="A named suite, or a path to a TOML file.")
@click.option("--dataset", multiple=True, help="May be given several times, as may the next five.")
@click.option("--backbone", multiple=True)
@click.option("--method", multiple=True)
@click.option("--budget", multiple=True, type=BudgetType(), help="Fraction of the fp32 bytes, e.g. 1/8.")
@click.option("--param", multiple=True, type=ParamType(), help="Sets a parameter of the method instead of a budget.")
@click.option("--seed", multiple=True, type=click.IntRange(min=0))
@click.option("--data", type=click.Path(path_type=Path), help="Your own csv, tsv, parquet or .inter file.")
@click.option("--user-col", help="For --data: column of the user ids.")
@click.option("--item-col", help="For --data: column of the item ids.")
@click.option("--time-col", help="For --data: column of times in seconds, if there is one.")
@click.option("--timing-seconds", type=click.FloatRange(min=0.05), help="Least time per latency scenario.")
@click.option("--results", type=click.Path(path_type=Path), default="results", show_default=True, help="Folder.")
@click.option("--force", is_flag=True, help="Run cells again that are done.")
@click.option("--retry-failed", is_flag=True, help="Run cells again that failed, timed out or ran out of memory.")
@click.option("--dry-run", is_flag=True, help="Print what would run, and run nothing.")
def command(
    suite: str | None,
    dataset: tuple[str, ...],
    backbone: tuple[str, ...],
    method: tuple[str, ...],
    budget: tuple[str, ...],
    param: tuple[tuple[str, Any], ...],
    seed: tuple[int, ...],
    data: Path | None,
    user_col: str | None,
    item_col: str | None,
    time_col: str | None,
    timing_seconds: float | None,
    results: Path,
    force: bool,
    retry_failed: bool,
    dry_run: bool,
) -> None:
    """Run a suite, or cells put together from options; what is done already is not run again.

    \b
    Examples:
      recpress run --suite quick
      recpress run --dataset ml-100k --backbone lightgcn --method uniform --budget 1/8
      recpress run --dataset ml-100k --backbone mf --method uniform --param bits=3
      recpress run --data likes.csv --user-col user --item-col item --method uniform
    """
    if data is not None:
        dataset = (*dataset, _own(data, user_col, item_col, time_col))
    chosen = read_suite(suite) if suite else _ad_hoc(dataset, method)
    narrowed: dict[str, Any] = {"datasets": dataset, "backbones": backbone, "seeds": seed}
    if timing_seconds is not None:
        narrowed["timing_seconds"] = timing_seconds
    chosen = chosen.model_copy(update={name: value for name, value in narrowed.items() if value})
    if method or budget or param:
        names = method or tuple(runs.name for runs in chosen.methods)
        kept = {runs.name: runs for runs in chosen.methods}
        sets = (dict(param),) if param else ()
        methods = [
            MethodRuns(name=name, budgets=budget or None, params=sets)
            if budget or param or name not in kept
            else kept[name]
            for name in dict.fromkeys(names)
        ]
        chosen = chosen.model_copy(update={"methods": tuple(methods)})
    run_suite(chosen, results, force=force, retry_failed=retry_failed, dry_run=dry_run)


def _ad_hoc(datasets: Sequence[str], methods: Sequence[str]) -> Suite:
    if not datasets or not methods:
        raise UserError("Say what to run: `--suite quick`, or `--dataset … --method …` (`recpress list` shows names).")
    runs = tuple(MethodRuns(name=name) for name in methods)
    return Suite(title="ad hoc", datasets=tuple(datasets), backbones=("lightgcn",), methods=runs)


def _own(data: Path, user: str | None, item: str | None, time: str | None) -> str:
    if user is None or item is None:
        raise UserError("--data needs --user-col and --item-col: the names of its two id columns.")
    from recpress.data import from_file

    return from_file(data, user, item, time).name


def run_suite(
    suite: Suite, results: Path, *, force: bool = False, retry_failed: bool = False, dry_run: bool = False
) -> None:
    """Plan a suite, run what isn't done, and say how it ended."""
    from recpress.run.plan import make, unfinished

    console = Console()
    planned = make(expand(suite))
    todo = planned if force else unfinished(planned, results, retry_failed)
    console.print(f"{len(planned)} cells, {len(planned) - len(todo)} done, {len(todo)} to run.", highlight=False)
    if dry_run:
        for each in todo:
            console.print(each.cell.label, highlight=False, markup=False)
        return
    if todo:
        _run(todo, results, console)


def _run(todo: Sequence[Planned], results: Path, console: Console) -> None:
    from dataclasses import replace

    from recpress.cli.progress import watcher
    from recpress.run.engine import run

    ended: Counter[str] = Counter()
    with watcher(len(todo), console) as shown:

        def finished(planned: Planned, done: Any) -> None:
            ended[done.status] += 1
            shown.finished(planned, done)

        run(todo, results, replace(shown, finished=finished))
    said = ", ".join(f"{count} {status}" for status, count in sorted(ended.items()))
    console.print(f"{said}; records in {results}.", highlight=False)
    if len(todo) > ended["ok"] + ended["over-budget"]:
        raise SystemExit(1)
