"""``recpress results``: what is done with a results folder as a whole."""

from __future__ import annotations

import click

from recpress.cli.shared.groups import group_of

TABLE = {
    "status": ("recpress.cli.results.status", "Show how far a results folder, or a suite in it, has come."),
    "check": ("recpress.cli.results.check", "Check every record, and flag what a person should look at."),
    "diff": ("recpress.cli.results.diff", "Compare two sets of records: what a change made worse."),
    "rescore": ("recpress.cli.results.rescore", "Compute metrics again from the lists that were served."),
    "reproduce": ("recpress.cli.results.reproduce", "Repeat randomly drawn runs and compare them with their records."),
    "migrate": ("recpress.cli.results.migrate", "Rewrite records of older versions."),
}


@click.group("results", cls=group_of("subcommand", TABLE))
def command() -> None:
    """Look after a results folder.

    \b
    Examples:
      recpress results status --suite core
      recpress results check --base origin/main
      recpress results diff --base origin/main
    """
