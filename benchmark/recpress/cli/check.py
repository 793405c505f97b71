"""``recpress check``: do methods and data sets keep what is asked of them; does a results folder."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from rich.console import Console

from recpress import registry
from recpress.cli.cells import Asked, cell_options, stage_printer
from recpress.errors import UserError, unknown
from recpress.printable import markdown, printable

if TYPE_CHECKING:
    from recpress.board.folder import Finding
    from recpress.run.verdict import State, Verdict

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
@click.option(
    "--changed",
    metavar="REVISION",
    help="Check what differs from a git revision in methods/ and datasets/, and flag records that do.",
)
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
    All that is found is told at once, as FILE: EXPECTATION: FIX; --format github annotates a pull request. Figures that
    are too good, and records that were not isolated, are flagged for review: that fails nothing.

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
        _results(results, base, form, summary)
        return
    records: list[Verdict] = []
    if changed:
        from recpress.cli.revision import changed_since

        records = _flagged_since(changed, results)
        names = (*names, *(each for each in changed_since(changed) if each not in names))
    elif not names:
        raise UserError("Say what to check: a method, a data set, or `results`; `recpress list` names them.")
    printer = stage_printer(Console(stderr=True))
    found = {name: _check(name, asked, audits, smoked, results, printer) for name in names}
    if records:
        found[RESULTS] = records
    if summary:
        summary.write_text(_markdown(found), encoding="utf-8")
    {"text": _as_text, "json": _as_json, "github": _as_github}[form](found)
    if _having(found, "failed"):
        raise SystemExit(1)


def _check(name: str, asked: dict[str, Any], audits: bool, smoked: bool, results: Path, progress: Any) -> list[Verdict]:
    methods, datasets = registry.methods(), registry.dataset_folders()
    if name in methods:
        from recpress.run.check import check

        plan = Asked(method=name, **asked).planned
        return check(name, plan, audits=audits, smoked=smoked, progress=progress, results=results)
    if name in datasets:
        from recpress.run.check_dataset import check_dataset

        return check_dataset(name)
    raise unknown("method or data set", name, [*methods, *datasets], "`recpress list` names them")


def _flagged_since(revision: str, results: Path) -> list[Verdict]:
    """Return what a person is to look at in the records that differ from a git revision."""
    from recpress.board.collect import collect
    from recpress.board.flags import flags
    from recpress.cli.revision import records_since

    files = records_since(revision, results)
    return _of_records(flags(collect(results), files), results) if files else []


def _of_records(flags: Iterable[Finding], results: Path) -> list[Verdict]:
    from recpress.run.verdict import Verdict

    return [Verdict(each.check, "flagged", str(results / each.file), message=each.fix) for each in flags]


def _having(found: Named, state: State) -> list[Verdict]:
    return [each for verdicts in found.values() for each in verdicts if each.state == state]


def _counted(flagged: Sequence[object]) -> str:
    """Return how many flags there are, as the end of a sentence; nothing where there is none."""
    return f", {len(flagged)} flagged for review" if flagged else ""


def _as_text(found: Named) -> None:
    for name, verdicts in found.items():
        if len(found) > 1:
            click.echo(f"{name}:")
        for each in verdicts:
            told = f"{each.file}: {each.expects}: {each.message}" if each.state == "failed" else each.message
            click.echo(f"{each.state:<8} {each.check:<20} {told}".rstrip())
    _tell(_having(found, "flagged"))


def _tell(flagged: Sequence[Verdict]) -> None:
    """Print what a person is to look at, last."""
    if flagged:
        click.echo("FOR A PERSON TO LOOK AT:")
    for each in flagged:
        click.echo(printable(f"  {each.file}: {each.check}: {each.message}"))


def _alert(flagged: Sequence[Verdict]) -> list[str]:
    """Return what a person is to look at as the head of a comment; nothing where there is nothing."""
    if not flagged:
        return []
    alike: dict[tuple[str, str], list[str]] = defaultdict(list)
    for each in sorted(flagged, key=lambda each: each.check != "plausible"):
        alike[each.check, each.message].append(each.file)
    lines = ["> [!WARNING]", "> **Flagged for review, before anything is merged:**", ">"]
    for (check, message), (file, *others) in alike.items():
        more = f" and {len(others)} more" if others else ""
        lines.append(f"> - {markdown(file)}{more}: {markdown(message)} (`{check}`)")
    return [*lines, ""]


def _markdown(found: Named) -> str:
    """Return the findings as the text of a comment on a pull request."""
    lines = _alert(_having(found, "flagged"))
    for name, verdicts in found.items():
        if name == RESULTS:  # All of it is told above.
            continue
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
    failed, flagged = _having(found, "failed"), _having(found, "flagged")
    for each in failed:
        click.echo(_annotation("error", each.file, each.line, each.check, f"{each.expects}: {each.message}"))
    _warn(flagged)
    names = ", ".join(found) or "nothing has changed"
    passed = len(_having(found, "passed"))
    click.echo(f"{len(found)} checked ({names}): {passed} checks pass, {len(failed)} fail{_counted(flagged)}.")


def _warn(flagged: Sequence[Verdict]) -> None:
    for each in flagged:
        click.echo(_annotation("warning", each.file, each.line, f"for a person: {each.check}", each.message))


def _annotation(level: str, file: str, line: int | None, title: str, message: str) -> str:
    """Return a workflow command of GitHub that annotates a file.

    https://docs.github.com/actions/reference/workflows-and-actions/workflow-commands
    """
    place = f"file={_escaped(file, ':,')},line={line or 1},title={_escaped(title, ':,')}"
    return f"::{level} {place}::{_escaped(message)}"


def _escaped(text: str, also: str = "") -> str:
    return "".join(f"%{ord(sign):02X}" if sign in "%\r\n" + also else sign for sign in text)


def _results(results: Path, base: str | None, form: str, summary: Path | None) -> None:
    from recpress.board.collect import collect
    from recpress.board.commits import shallow
    from recpress.board.flags import flags
    from recpress.board.folder import changed, check
    from recpress.cli.revision import results_of

    earlier = {f"records/{run.id}.json": run.raw for run in results_of(base, results).runs} if base else {}
    read = collect(results)
    found = check(results, earlier, read)
    flagged = flags(read, changed(read, earlier) if base else None)
    counts = f"{len(found)} findings in {results}{_counted(flagged)}."
    if shallow(results):
        click.echo("recpress: a shallow clone can't tell whether commits are known: that isn't checked.", err=True)
    if summary:
        lines = [f"- {markdown(each.file)}: {markdown(each.fix)} (`{each.check}`)" for each in found]
        summary.write_text(
            "\n".join([*_alert(_of_records(flagged, results)), counts, "", *lines, ""]), encoding="utf-8"
        )
    if form == "json":
        states = {"failed": found, "flagged": flagged}
        click.echo(
            json.dumps([asdict(each) | {"state": state} for state in states for each in states[state]], indent=1)
        )
    elif form == "github":
        for each in found:
            click.echo(_annotation("error", str(results / each.file), None, each.check, each.fix))
        _warn(_of_records(flagged, results))
        click.echo(counts)
    else:
        for each in found:
            click.echo(printable(f"{each.file}: {each.check}: {each.fix}"))
        _tell(_of_records(flagged, results))
        click.echo(counts)
    if found:
        raise SystemExit(1)
