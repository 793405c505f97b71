"""``recpress results migrate``: records of older versions, rewritten."""

from __future__ import annotations

from pathlib import Path

import click


@click.command("migrate")
@click.option(
    "--results", type=click.Path(path_type=Path), default="results", show_default=True, help="Results folder."
)
@click.option(
    "--artefacts",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="Folder of artefacts, each named by its run's identity.artefact_key: they tell which runs share a timing.",
)
def command(results: Path, artefacts: Path | None) -> None:
    """Rewrite records of older versions as run records and timing records; nothing is run, nothing is lost.

    A record of version 2 held the times of its machine. These become timings/MACHINE/…. If an artefact of the run is at
    hand, runs that are stored alike share their timing.

    \b
    Example:
      recpress results migrate
    """
    from recpress.core.errors import UserError
    from recpress.reproduce.migrate import migrate

    if not (results / "records").is_dir():
        raise UserError(f"There are no records in {results}: name the folder with --results.")
    told = migrate(results, artefacts)
    for when, counts in (("before", told.before), ("after", told.after)):
        by_status = ", ".join(f"{count} {status}" for status, count in sorted(counts.items()))
        click.echo(f"{when}: {counts.total()} records ({by_status})")
    click.echo(f"{told.timings} timings written.")
    if told.old:
        click.echo(
            f"{len(told.old)} runs are old, because their method's code has changed: {', '.join(told.old[:5])} …"
        )
    if told.unsigned:
        click.echo(f"{len(told.unsigned)} runs keep a timing of their own, because no artefact of theirs is at hand.")
