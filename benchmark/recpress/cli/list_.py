"""``recpress list``: what is registered."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import click

from recpress import registry
from recpress.backbones import catalogue

NAMES: dict[str, Callable[[], Iterable[str]]] = {
    "datasets": registry.dataset_folders,
    "backbones": lambda: catalogue.BACKBONES,
    "methods": registry.methods,
    "suites": registry.suites,
}


@click.command("list")
@click.argument("kind", type=click.Choice(list(NAMES)), required=False)
def command(kind: str | None) -> None:
    """List what is registered.

    \b
    Example:
      recpress list methods
    """
    for each in (kind,) if kind else NAMES:
        click.echo(f"{each}: {', '.join(NAMES[each]())}")
