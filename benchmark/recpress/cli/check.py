"""``recpress check``: methods and data sets against their contracts."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from rich.console import Console

from recpress import registry
from recpress.cli.shared.findings import RESULTS, as_github, as_json_list, as_markdown, as_text, having, of_records
from recpress.cli.shared.one_run import Asked, run_options, stage_printer
from recpress.core.errors import UserError, unknown

if TYPE_CHECKING:
    from recpress.checks.summary import CheckResult


@click.command("check")
@click.argument("names", metavar="[METHOD|DATASET]...", nargs=-1)
@click.option(
    "--audit/--no-audit",
    "audits",
    default=True,
    show_default=True,
    help="Audit a method's artefact, too: bytes, answers, files, network, caching.",
)
@click.option(
    "--smoke/--no-smoke",
    "smoked",
    default=True,
    show_default=True,
    help="If nothing else is found, make a short run of the method on synthetic data and on ml-100k.",
)
@click.option("--format", "form", type=click.Choice(["text", "json", "github"]), default="text", show_default=True)
@click.option(
    "--changed",
    metavar="REVISION",
    help="Check the methods and data sets that differ from a git revision, and flag records that differ.",
)
@click.option(
    "--summary", type=click.Path(path_type=Path), help="File to which the findings are also written, as Markdown."
)
@click.option(
    "--results", type=click.Path(path_type=Path), default="results", show_default=True, help="Results folder."
)
@run_options(without=("method",), dataset="synthetic-tiny")
def command(
    names: tuple[str, ...],
    audits: bool,
    smoked: bool,
    form: str,
    changed: str | None,
    summary: Path | None,
    results: Path,
    **asked: Any,
) -> None:
    """Check methods and data sets; exit code 1 when something is found.

    A method compresses and serves in fresh processes, with its default parameters unless --budget or --param is given.
    All findings are reported at once, as FILE: EXPECTATION: FIX. --format github annotates a pull request. Records that
    were not isolated, or whose figures are too good, are flagged for review. Flags don't change the exit code.

    \b
    Examples:
      recpress check uniform
      recpress check uniform --dataset ml-100k --budget 1/8
      recpress check ml-100k
      recpress check --changed origin/main --format github
    """
    records: list[CheckResult] = []
    if changed:
        from recpress.cli.shared.revision import changed_since

        records = _flagged_since(changed, results)
        names = (*names, *(each for each in changed_since(changed) if each not in names))
    elif not names:
        raise UserError("Say what to check: a method or a data set; `recpress list` names them.")
    printer = stage_printer(Console(stderr=True))
    found = {name: _check(name, asked, audits, smoked, results, printer) for name in names}
    if records:
        found[RESULTS] = records
    if summary:
        summary.write_text(as_markdown(found), encoding="utf-8")
    {"text": as_text, "json": as_json_list, "github": as_github}[form](found)
    if having(found, "failed"):
        raise SystemExit(1)


def _check(
    name: str, asked: dict[str, Any], audits: bool, smoked: bool, results: Path, progress: Any
) -> list[CheckResult]:
    methods, datasets = registry.methods(), registry.dataset_folders()
    if name in methods:
        from recpress.checks.method import check

        plan = Asked(method=name, **asked).planned
        return check(name, plan, audits=audits, smoked=smoked, progress=progress, results=results)
    if name in datasets:
        from recpress.checks.dataset import check_dataset

        return check_dataset(name)
    if name == RESULTS:
        raise UserError("`recpress results check` checks a results folder.")
    raise unknown("method or data set", name, [*methods, *datasets], "`recpress list` names them")


def _flagged_since(revision: str, results: Path) -> list[CheckResult]:
    """Return what a person is to look at in the records that differ from a git revision."""
    from recpress.cli.shared.revision import records_since
    from recpress.leaderboard.collect import collect
    from recpress.leaderboard.flags import flags

    files = records_since(revision, results)
    return of_records(flags(collect(results), files), results) if files else []
