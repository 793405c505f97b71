"""``recpress results check``: is a results folder in order."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import click

from recpress.cli.shared.findings import alert, annotation, counted, findings, of_records, tell, warn
from recpress.cli.shared.output import as_json
from recpress.cli.shared.revision import results_of
from recpress.core.printable import markdown, printable


@click.command("check")
@click.option(
    "--results", type=click.Path(path_type=Path), default="results", show_default=True, help="Results folder."
)
@click.option("--base", help="Results folder or git revision whose records must all be there still.")
@click.option("--format", "form", type=click.Choice(["text", "json", "github"]), default="text", show_default=True)
@click.option(
    "--summary", type=click.Path(path_type=Path), help="File to which the findings are also written, as Markdown."
)
def command(results: Path, base: str | None, form: str, summary: Path | None) -> None:
    """Check every record of a results folder; exit code 1 when something is found.

    Records that were not isolated, or whose figures are too good, are flagged for review. Flags don't change the exit
    code.

    \b
    Examples:
      recpress results check
      recpress results check --base origin/main --format github
    """
    from recpress.leaderboard.collect import collect
    from recpress.leaderboard.commits import shallow
    from recpress.leaderboard.flags import flags
    from recpress.leaderboard.folder import changed, check

    earlier = {f"records/{run.id}.json": run.raw for run in results_of(base, results).runs} if base else {}
    read = collect(results)
    found = check(results, earlier, read)
    flagged = flags(read, changed(read, earlier) if base else None)
    counts = f"{findings(len(found))} in {results}{counted(flagged)}."
    if shallow(results):
        click.echo("recpress: a shallow clone can't tell whether commits are known: that isn't checked.", err=True)
    if summary:
        lines = [f"- {markdown(each.file)}: {markdown(each.fix)} (`{each.check}`)" for each in found]
        summary.write_text("\n".join([*alert(of_records(flagged, results)), counts, "", *lines, ""]), encoding="utf-8")
    if form == "json":
        states = {"failed": found, "flagged": flagged}
        click.echo(as_json([asdict(each) | {"state": state} for state in states for each in states[state]]))
    elif form == "github":
        for each in found:
            click.echo(annotation("error", str(results / each.file), None, each.check, each.fix))
        warn(of_records(flagged, results))
        click.echo(counts)
    else:
        for each in found:
            click.echo(printable(f"{each.file}: {each.check}: {each.fix}"))
        tell(of_records(flagged, results))
        click.echo(counts)
    if found:
        raise SystemExit(1)
