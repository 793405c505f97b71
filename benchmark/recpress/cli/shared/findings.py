"""How findings are printed: for people, as JSON, as annotations of GitHub, as a comment on a pull request."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from recpress.cli.shared.output import as_json
from recpress.core.printable import markdown, printable

if TYPE_CHECKING:
    from recpress.checks.summary import CheckResult, State
    from recpress.leaderboard.folder import Finding

# The name under which what is flagged in records stands among those of methods and data sets.
RESULTS = "results"
Named = dict[str, "list[CheckResult]"]


def of_records(flags: Iterable[Finding], results: Path) -> list[CheckResult]:
    """Return flags of records as outcomes."""
    from recpress.checks.summary import CheckResult

    return [CheckResult(each.check, "flagged", str(results / each.file), message=each.fix) for each in flags]


def having(found: Named, state: State) -> list[CheckResult]:
    """Return the outcomes with a state."""
    return [each for outcomes in found.values() for each in outcomes if each.state == state]


def counted(flagged: Sequence[object]) -> str:
    """Return how many flags there are, as the end of a sentence; nothing where there is none."""
    return f", {len(flagged)} flagged for review" if flagged else ""


def as_text(found: Named) -> None:
    """Print findings for people: a line each, then how many there are."""
    for name, outcomes in found.items():
        if len(found) > 1:
            click.echo(f"{name}:")
        for each in outcomes:
            told = f"{place(each)}: {each.expects}: {each.message}" if each.state == "failed" else each.message
            click.echo(f"{each.state:<8} {each.check:<20} {told}".rstrip())
    tell(having(found, "flagged"))
    click.echo(f"{findings(len(having(found, 'failed')))}{counted(having(found, 'flagged'))}.")


def findings(count: int) -> str:
    """Return how many findings there are, in words."""
    return "1 finding" if count == 1 else f"{count} findings"


def place(found: CheckResult) -> str:
    """Return the file of a finding, and its line where that is known."""
    return f"{found.file}:{found.line}" if found.line else found.file


def tell(flagged: Sequence[CheckResult]) -> None:
    """Print what a person is to look at, last."""
    if flagged:
        click.echo("FOR A PERSON TO LOOK AT:")
    for each in flagged:
        click.echo(printable(f"  {each.file}: {each.check}: {each.message}"))


def alert(flagged: Sequence[CheckResult]) -> list[str]:
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


def as_markdown(found: Named) -> str:
    """Return the findings as the text of a comment on a pull request."""
    lines = alert(having(found, "flagged"))
    for name, outcomes in found.items():
        if name == RESULTS:  # All of it is told above.
            continue
        failed = [each for each in outcomes if each.state == "failed"]
        passed = sum(each.state == "passed" for each in outcomes)
        lines += [f"**{name}**: {passed} checks pass, {len(failed)} fail.", ""]
        for each in failed:
            lines.append(f"- `{place(each)}`: {each.expects}: {each.message} (`{each.check}`)")
        lines += [""] if failed else []
    return "\n".join(lines or ["No method and no data set is changed.", ""])


def as_json_list(found: Named) -> None:
    """Print findings as JSON."""
    click.echo(as_json([{"name": name} | asdict(each) for name in found for each in found[name]]))


def as_github(found: Named) -> None:
    """Print findings as annotations of GitHub, then a line of counts."""
    failed, flagged = having(found, "failed"), having(found, "flagged")
    for each in failed:
        click.echo(annotation("error", each.file, each.line, each.check, f"{each.expects}: {each.message}"))
    warn(flagged)
    names = ", ".join(found) or "nothing has changed"
    passed = len(having(found, "passed"))
    click.echo(f"{len(found)} checked ({names}): {passed} checks pass, {len(failed)} fail{counted(flagged)}.")


def warn(flagged: Sequence[CheckResult]) -> None:
    """Print what is flagged as warnings of GitHub."""
    for each in flagged:
        click.echo(annotation("warning", each.file, each.line, f"for a person: {each.check}", each.message))


def annotation(level: str, file: str, line: int | None, title: str, message: str) -> str:
    """Return a workflow command of GitHub that annotates a file.

    https://docs.github.com/actions/reference/workflows-and-actions/workflow-commands
    """
    place = f"file={_escaped(file, ':,')},line={line or 1},title={_escaped(title, ':,')}"
    return f"::{level} {place}::{_escaped(message)}"


def _escaped(text: str, also: str = "") -> str:
    return "".join(f"%{ord(sign):02X}" if sign in "%\r\n" + also else sign for sign in text)
