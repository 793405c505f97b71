"""``recpress check``: do methods and data sets keep what is asked of them; does a results folder."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from rich.console import Console

from recpress import registry
from recpress.cli.cells import Asked, cell_options, stage_printer
from recpress.errors import UserError, unknown
from recpress.printable import printable

if TYPE_CHECKING:
    from recpress.run.verdict import Verdict

RESULTS = "results"
Named = dict[str, "list[Verdict]"]


@click.command("check")
@click.argument("names", metavar="[METHOD|DATASET|results]...", nargs=-1)
@click.option(
    "--audit/--no-audit",
    "audits",
    default=True,
    show_default=True,
    help="Audit a method's artefact too: bytes, answers, files, network, caching.",
)
@click.option(
    "--smoke/--no-smoke",
    "smoked",
    default=True,
    show_default=True,
    help="Where nothing else is found, run the method shortly, on ml-100k too.",
)
@click.option("--format", "form", type=click.Choice(["text", "json", "github"]), default="text", show_default=True)
@click.option("--changed", metavar="REVISION", help="Check what differs from a git revision in methods/ and datasets/.")
@click.option("--summary", type=click.Path(path_type=Path), help="File that gets the findings as Markdown, too.")
@click.option("--results", type=click.Path(path_type=Path), default="results", show_default=True, help="Folder.")
@click.option("--base", help="For results: a folder or git revision whose records must not be lost.")
@cell_options(without=("method",), dataset="synthetic-tiny")
def command(
    names: tuple[str, ...],
    audits: bool,
    smoked: bool,
    form: str,
    changed: str | None,
    summary: Path | None,
    results: Path,
    base: str | None,
    **asked: Any,
) -> None:
    """Check methods, data sets, or the results folder; exit code 1 when something is found.

    A method compresses and serves in fresh processes. Without --budget or --param its default parameters are audited.
    All that is found is told at once, as FILE: EXPECTATION: FIX; --format github annotates a pull request.

    \b
    Examples:
      recpress check uniform
      recpress check uniform --dataset ml-100k --budget 1/8
      recpress check ml-100k
      recpress check --changed origin/main --format github
      recpress check results --base origin/main
    """
    if RESULTS in names:
        if len(names) > 1 or changed:
            raise UserError("`recpress check results` stands alone: check methods and data sets by another command.")
        _results(results, base, form)
        return
    if changed:
        from recpress.cli.revision import changed_since

        names = (*names, *(each for each in changed_since(changed) if each not in names))
    elif not names:
        raise UserError("Say what to check: a method, a data set, or `results`; `recpress list` names them.")
    printer = stage_printer(Console(stderr=True))
    found = {name: _check(name, asked, audits, smoked, printer) for name in names}
    if summary:
        summary.write_text(_markdown(found), encoding="utf-8")
    {"text": _as_text, "json": _as_json, "github": _as_github}[form](found)
    if any(each.state == "failed" for verdicts in found.values() for each in verdicts):
        raise SystemExit(1)


def _check(name: str, asked: dict[str, Any], audits: bool, smoked: bool, progress: Any) -> list[Verdict]:
    methods, datasets = registry.methods(), registry.dataset_folders()
    if name in methods:
        from recpress.run.check import check

        return check(name, Asked(method=name, **asked).planned, audits=audits, smoked=smoked, progress=progress)
    if name in datasets:
        from recpress.run.check_dataset import check_dataset

        return check_dataset(name)
    raise unknown("method or data set", name, [*methods, *datasets], "`recpress list` names them")


def _as_text(found: Named) -> None:
    for name, verdicts in found.items():
        if len(found) > 1:
            click.echo(f"{name}:")
        for each in verdicts:
            told = f"{each.file}: {each.expects}: {each.message}" if each.state == "failed" else each.message
            click.echo(f"{each.state:<8} {each.check:<20} {told}".rstrip())


def _markdown(found: Named) -> str:
    """Return the findings as the text of a comment on a pull request."""
    lines = []
    for name, verdicts in found.items():
        failed = [each for each in verdicts if each.state == "failed"]
        passed = sum(each.state == "passed" for each in verdicts)
        lines += [f"**{name}**: {passed} checks pass, {len(failed)} fail.", ""]
        for each in failed:
            place = f"{each.file}:{each.line}" if each.line else each.file
            lines.append(f"- `{place}`: {each.expects}: {each.message} (`{each.check}`)")
        lines += [""] if failed else []
    return "\n".join(lines or ["No method and no data set is changed.", ""])


def _as_json(found: Named) -> None:
    click.echo(json.dumps([{"name": name} | asdict(each) for name in found for each in found[name]], indent=1))


def _as_github(found: Named) -> None:
    failed = [each for verdicts in found.values() for each in verdicts if each.state == "failed"]
    for each in failed:
        click.echo(_annotation(each.file, each.line, each.check, f"{each.expects}: {each.message}"))
    passed = sum(each.state == "passed" for verdicts in found.values() for each in verdicts)
    click.echo(
        f"{len(found)} checked ({', '.join(found) or 'nothing has changed'}): {passed} checks pass, {len(failed)} fail."
    )


def _annotation(file: str, line: int | None, title: str, message: str) -> str:
    """Return a workflow command of GitHub that annotates a file.

    https://docs.github.com/actions/reference/workflows-and-actions/workflow-commands
    """
    place = f"file={_escaped(file, ':,')},line={line or 1},title={_escaped(title, ':,')}"
    return f"::error {place}::{_escaped(message)}"


def _escaped(text: str, also: str = "") -> str:
    return "".join(f"%{ord(sign):02X}" if sign in "%\r\n" + also else sign for sign in text)


def _results(results: Path, base: str | None, form: str) -> None:
    from recpress.board.commits import shallow
    from recpress.board.folder import check
    from recpress.cli.revision import results_of

    earlier = {f"records/{run.id}.json": run.raw for run in results_of(base, results).runs} if base else {}
    found = check(results, earlier)
    if shallow(results):
        click.echo("recpress: a shallow clone can't tell whether commits are known: that isn't checked.", err=True)
    if form == "json":
        click.echo(json.dumps([asdict(each) for each in found], indent=1))
    else:
        lines: Iterable[str] = (printable(f"{each.file}: {each.check}: {each.fix}") for each in found)
        if form == "github":
            lines = (_annotation(str(results / each.file), None, each.check, each.fix) for each in found)
        for line in lines:
            click.echo(line)
        click.echo(f"{len(found)} findings in {results}.")
    if found:
        raise SystemExit(1)
