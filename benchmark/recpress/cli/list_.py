"""``recpress list``: what is registered."""

from __future__ import annotations

import click

from recpress import registry

KINDS = ("datasets", "methods", "suites")


@click.command("list")
@click.argument("kind", type=click.Choice(KINDS), required=False)
def command(kind: str | None) -> None:
    """List what is registered.

    \b
    Example:
      recpress list methods
    """
    names = {
        "datasets": registry.dataset_folders,
        "methods": registry.methods,
        "suites": registry.suites,
    }
    for each in (kind,) if kind else KINDS:
        click.echo(f"{each}: {', '.join(names[each]())}")
