"""``recpress results diff``: what a change made worse."""

from __future__ import annotations

from pathlib import Path

import click

from recpress.cli.shared.revision import results_of
from recpress.core.errors import UserError
from recpress.core.printable import printable
from recpress.leaderboard import regress


@click.command("diff")
@click.option("--base", required=True, help="Results folder or git revision: before the change.")
@click.option("--head", default="results", show_default=True, help="Results folder or git revision: after the change.")
@click.option(
    "--results",
    type=click.Path(path_type=Path),
    default="results",
    show_default=True,
    help="Place of the results folder within a revision.",
)
@click.option("--all", "everything", is_flag=True, help="List what is the same, too.")
@click.option("--format", "form", type=click.Choice(["table", "markdown"]), default="table", show_default=True)
def command(base: str, head: str, results: Path, everything: bool, form: str) -> None:
    """Compare two sets of records, variant by variant and figure by figure.

    Ends with 0 if nothing is worse, 1 if something is, 2 if they can't be compared.

    \b
    Examples:
      recpress results diff --base origin/main
      recpress results diff --base build/before --head build/after --format markdown
    """
    before, after = regress.on_one_machine(results_of(base, results), results_of(head, results))
    found = regress.compare(before, after)
    if not found:
        raise UserError(f"{base} and {head} share no variant and seed: there is nothing to compare.")
    shown = found if everything else [each for each in found if each.direction != "same"]
    if shown:
        click.echo(regress.render(shown, "github" if form == "markdown" else "simple") + "\n")
    for variant in regress.missing(before, after):
        click.echo(f"only in {base}: {printable(' '.join(variant))}")
    counts = regress.summary(found)
    click.echo(", ".join(f"{count} {direction}" for direction, count in counts.items()) + ".")
    if counts["worse"]:
        raise SystemExit(1)
