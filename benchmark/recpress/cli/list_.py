"""``recpress list``: what is registered."""

from __future__ import annotations

from collections.abc import Callable

import click
from tabulate import tabulate

from recpress import registry
from recpress.backbones import catalogue
from recpress.cli.shared.output import as_json
from recpress.core.cards import MethodCard
from recpress.core.errors import UserError
from recpress.core.printable import printable

Rows = list[dict[str, str]]


def _datasets() -> Rows:
    from recpress.data.card import dataset_card

    cards = {name: dataset_card(name) for name in registry.dataset_folders()}
    return [
        {"name": name, "domain": card.domain, "task": card.task, "split": card.split.protocol, "title": card.title}
        for name, card in cards.items()
    ]


def _backbones() -> Rows:
    cards = {name: each.card for name, each in catalogue.backbones().items()}
    return [{"name": name, "title": card.title, "paper": card.paper} for name, card in cards.items()]


def _methods() -> Rows:
    entries = [(each, card) for each in registry.methods().values() if (card := _card(each))]
    return [
        {
            "name": entry.name,
            "title": card.title,
            "family": entry.family,
            "division": card.division,
            "from": entry.source.label,
            "summary": card.summary,
        }
        for entry, card in entries
    ]


def _card(entry: registry.MethodEntry) -> MethodCard | None:
    """Return a method's card; one that can't be read is a warning, and the others are listed."""
    try:
        return entry.card
    except UserError as error:
        click.echo(f"recpress: {entry.name} is left out: {printable(str(error))}", err=True)
        return None


def _suites() -> Rows:
    from recpress.experiments.suite import read_suite

    return [{"name": name, "title": read_suite(name).title} for name in registry.suites()]


KINDS: dict[str, Callable[[], Rows]] = {
    "datasets": _datasets,
    "backbones": _backbones,
    "methods": _methods,
    "suites": _suites,
}
NAMES: dict[str, Callable[[], list[str]]] = {
    "datasets": lambda: list(registry.dataset_folders()),
    "backbones": lambda: list(catalogue.backbones()),
    "methods": lambda: list(registry.methods()),
    "suites": lambda: list(registry.suites()),
}


@click.command("list")
@click.argument("kind", type=click.Choice(list(KINDS)), required=False)
@click.option("--format", "form", type=click.Choice(["table", "json"]), default="table", show_default=True)
def command(kind: str | None, form: str) -> None:
    """List what is registered: all names, or one kind with what each of them is.

    \b
    Examples:
      recpress list
      recpress list methods
    """
    if form == "json":
        listed = {name: make() for name, make in KINDS.items() if kind in (None, name)}
        click.echo(as_json(listed[kind] if kind else listed))
    elif kind is None:
        for name, make_names in NAMES.items():
            click.echo(f"{name}: {', '.join(make_names())}")
        click.echo("\n`recpress list methods` says what each of them is; `recpress info ml-100k` shows a data set.")
    else:
        click.echo(tabulate(KINDS[kind](), headers="keys", disable_numparse=True, maxcolwidths=100))
