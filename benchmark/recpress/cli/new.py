"""``recpress new``: a method or a data set to start from."""

from __future__ import annotations

import difflib
import re
import shutil
from pathlib import Path
from string import Template

import click

from recpress import registry
from recpress.core.errors import UserError
from recpress.core.paths import PACKAGE, checkout_root

SCAFFOLD = PACKAGE / "scaffold"
# Likeness, from 0 to 1, from which on the name of a new family is taken for a slip.
NEAR = 0.7


def _root() -> Path:
    root = checkout_root()
    if root is None:
        raise UserError("`recpress new` writes into a checkout: clone the repository and `pip install -e .` there.")
    return root


def _write(folder: Path, files: dict[str, str], values: dict[str, str]) -> None:
    """Write a folder from templates, all of it or nothing."""
    if folder.exists():
        raise UserError(f"{folder} is there already: choose another name, or remove it.")
    texts = {
        name: Template((SCAFFOLD / template).read_text(encoding="utf-8")).substitute(values)
        for name, template in files.items()
    }
    folder.mkdir(parents=True)
    try:
        for name, text in texts.items():
            (folder / name).write_text(text, encoding="utf-8")
    except BaseException:
        shutil.rmtree(folder)
        raise


@click.group("new")
def command() -> None:
    """Make a method or a data set to start from; what it makes already runs.

    \b
    Examples:
      recpress new method kmeans --family quantization
      recpress new dataset my-shop
    """


@command.command("method")
@click.argument("name")
@click.option("--family", default="quantization", show_default=True, help="Family: a folder under methods/.")
@click.option("--new-family", is_flag=True, help="Make a new family, although another has nearly its name.")
@click.option(
    "--division", type=click.Choice(["closed", "open"]), default="closed", show_default=True, help="open: it trains."
)
def method(name: str, family: str, new_family: bool, division: str) -> None:
    """Make methods/FAMILY/NAME with a card and a method that runs.

    \b
    Example:
      recpress new method kmeans --family quantization
    """
    for word in (name, family):
        if not re.fullmatch("[a-z][a-z0-9_]{0,40}", word):
            raise UserError(f"{word!r} must be a lower-case Python name, such as my_method: it becomes a module.")
    registry.family(family)
    if name in registry.methods():
        raise UserError(f"There is a method {name} already: choose another name.")
    if not new_family:
        _refuse_misspelt(family)
    folder = _root() / "methods" / family / name
    values = {
        "title": name.replace("_", " ").capitalize(),
        "cls": "".join(part.capitalize() for part in name.split("_")),
        "division": division,
    }
    _write(folder, {"card.toml": "method.card.toml", "method.py": "method.py.txt"}, values)
    click.echo(
        f"{folder}: edit method.py and card.toml, then\n"
        f"  recpress check {name}\n"
        f"  recpress run --dataset ml-100k --backbone lightgcn --method {name} --budget 1/8 --results build/try\n"
        f"  recpress show --results build/try\n"
        f"and when it is committed, `recpress submit {name}` makes what a pull request needs."
    )


def _refuse_misspelt(family: str) -> None:
    """Ask whether another family is meant where a new one has nearly its name."""
    known = {entry.family for entry in registry.methods().values()}
    near = [] if family in known else difflib.get_close_matches(family, known, n=1, cutoff=NEAR)
    if near:
        raise UserError(f"There is no family {family!r} yet: did you mean {near[0]!r}? Add --new-family to make it.")


@command.command("dataset")
@click.argument("name")
def dataset(name: str) -> None:
    """Make datasets/NAME with a card to fill in.

    \b
    Example:
      recpress new dataset my-shop
    """
    if not re.fullmatch("[a-z0-9][a-z0-9-]{0,60}", name):
        raise UserError(f"{name!r} must be lower-case letters, digits and hyphens, such as my-shop.")
    if name in registry.dataset_folders():
        raise UserError(f"There is a data set {name} already: choose another name.")
    folder = _root() / "datasets" / name
    _write(folder, {"card.toml": "dataset.card.toml"}, {"name": name, "title": name.replace("-", " ").capitalize()})
    click.echo(
        f"{folder}: fill in card.toml (benchmark/docs/how-to/add-a-dataset.md), then\n"
        f"  recpress info {name}\n"
        f"  recpress check {name}"
    )
