"""``recpress submit``: check a method, run what the board needs of it, and bundle both for a pull request."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Any

import click
from rich.console import Console

from recpress import registry
from recpress.cli.shared.launch import Running, running_options
from recpress.cli.shared.one_run import Asked, stage_printer
from recpress.core.errors import UserError

SUITE = "submission"


@click.command("submit")
@click.argument("method")
@click.option("--suite", default=SUITE, show_default=True, help="What to run: a named suite, or a TOML file.")
@click.option(
    "--results", type=click.Path(path_type=Path), default="results", show_default=True, help="Results folder."
)
@click.option("--out", type=click.Path(path_type=Path), help="Folder of the bundle; default: build/submissions/METHOD.")
@click.option("--force", is_flag=True, help="Also run again the runs of the method that are done.")
@running_options
def command(method: str, suite: str, results: Path, out: Path | None, force: bool, **running: Any) -> None:
    """Make a submission of one method: what a pull request needs, with the rows that the board would get.

    Commit the code first: a record names the commit that made it. The command then checks and audits the method, and
    runs what is missing of the suite: the method, and the controls that it is shown with.

    \b
    Examples:
      recpress submit my_method
      recpress submit my_method --jobs 2 --out /tmp/bundle
    """
    entry = registry.method(method)
    out = out or Path("build") / "submissions" / method
    if out.exists():
        raise UserError(f"{out} is there already: remove it, or give another --out.")
    _refuse_uncommitted()
    _check(method)
    _run(method, suite, results, force, Running(**running))

    from recpress.leaderboard.collect import collect
    from recpress.leaderboard.submission import TEXT, Submission, bundle, text

    found = collect(results).runs
    mine = tuple(run for run in found if run.record.identity.method == method)
    datasets = {run.record.identity.dataset for run in mine}
    beside = tuple(
        run for run in found if run.record.identity.method != method and run.record.identity.dataset in datasets
    )
    submission = Submission(entry, mine, beside, results)
    bundle(submission, out)
    click.echo(text(submission))
    click.echo(f"The bundle is in {out}. For the pull request:")
    added = shlex.join(["git", "add", str(entry.folder), str(results)])
    click.echo(f"  {added} && git commit -m 'Add {method}' && git push")
    click.echo(f"and {out / TEXT} is its text.")


def _refuse_uncommitted() -> None:
    from recpress.core.paths import checkout_root
    from recpress.measure.provenance import git_state

    commit, dirty = git_state(checkout_root())
    if commit is None:
        raise UserError("`recpress submit` needs a git checkout: clone the repository and `pip install -e .` there.")
    if dirty:
        raise UserError("There are uncommitted changes: `git add` and `git commit` them first.")


def _check(method: str) -> None:
    from recpress.checks.method import check

    asked = Asked(dataset="synthetic-tiny", backbone="lightgcn", method=method)
    outcomes = check(method, asked.planned, audits=True, smoked=False, progress=stage_printer(Console(stderr=True)))
    failed = [each for each in outcomes if each.state == "failed"]
    for each in failed:
        click.echo(f"{each.check}: {each.file}: {each.expects}: {each.message}")
    if failed:
        raise UserError(f"{len(failed)} checks fail; `recpress check {method}` runs them again.")
    click.echo(f"{sum(each.state == 'passed' for each in outcomes)} checks pass.")


def _run(method: str, suite: str, results: Path, force: bool, running: Running) -> None:
    from recpress.cli.run import run_suite
    from recpress.experiments.suite import MethodRuns, read_suite

    chosen = read_suite(suite)
    if method not in {runs.name for runs in chosen.methods}:
        chosen = chosen.model_copy(update={"methods": (*chosen.methods, MethodRuns(name=method))})
    if force:
        mine = tuple(runs for runs in chosen.methods if runs.name == method)
        run_suite(chosen.model_copy(update={"methods": mine}), results, force=True, running=running)
    run_suite(chosen, results, retry_failed=True, running=running)
