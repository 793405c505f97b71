"""``recpress doctor cache``: what the cache holds, what of it is damaged, what can go."""

from __future__ import annotations

from collections import defaultdict
from datetime import UTC, datetime

import click
from tabulate import tabulate

from recpress.core.paths import cache_dir


@click.group("cache")
def command() -> None:
    """Look after the cache: parsed data, trained backbones, what was served, logs.

    \b
    Examples:
      recpress doctor cache ls
      recpress doctor cache verify
      recpress doctor cache gc --older-than 30
    """


@command.command("ls")
def ls() -> None:
    """Show what the cache holds, its size and last use.

    \b
    Example:
      recpress doctor cache ls
    """
    from recpress.experiments.cache import Entry, entries

    kinds: dict[str, list[Entry]] = defaultdict(list)
    for entry in entries():
        kinds[entry.kind].append(entry)
    rows = [
        [kind, len(found), f"{sum(each.bytes for each in found) / 1e6:,.1f}", _day(max(each.used for each in found))]
        for kind, found in kinds.items()
    ]
    click.echo(cache_dir())
    click.echo(tabulate(rows, headers=["kind", "entries", "MB", "last used"], disable_numparse=True))


@command.command("gc")
@click.option("--older-than", type=click.FloatRange(min=0), default=30.0, show_default=True, help="Days without use.")
@click.option("--dry-run", is_flag=True, help="Show what would go, and remove nothing.")
def gc(older_than: float, dry_run: bool) -> None:
    """Remove what is unused or left by interrupted runs.

    All of it can be made again.

    \b
    Example:
      recpress doctor cache gc --older-than 30 --dry-run
    """
    from recpress.experiments.cache import collect, remove

    gone = collect(older_than)
    for entry in gone:
        click.echo(f"{entry.kind} {entry.path.name} {entry.bytes / 1e6:,.1f} MB, last used {_day(entry.used)}")
        if not dry_run:
            remove(entry)
    verb = "would go" if dry_run else "removed"
    click.echo(f"{len(gone)} entries, {sum(each.bytes for each in gone) / 1e6:,.1f} MB {verb}.")


@command.command("verify")
def verify() -> None:
    """Compare everything with its stored hash.

    The exit code is 1 if anything is damaged.

    \b
    Example:
      recpress doctor cache verify
    """
    from recpress.experiments.cache import damage, entries

    found = entries()
    damaged = 0
    for entry in found:
        if reason := damage(entry):
            damaged += 1
            click.echo(f"{entry.path}: {reason}")
    click.echo(f"{len(found)} entries, {damaged} damaged.")
    if damaged:
        raise SystemExit(1)


def _day(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).date().isoformat()
