"""One word for each thing: no retired word of the glossary is left in a public name."""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from recpress.cli import cli
from recpress.core.paths import PACKAGE
from recpress.records.record import schema_text

GLOSSARY = Path(__file__).parents[2] / "benchmark" / "docs" / "reference" / "glossary.md"
# A retired word that means something else here, with its reason.
OTHERWISE = {
    "codecs/search/inverted.py:cells": "FAISS and the literature call the lists of an inverted file cells",
    "isolation/side_effects.py:settings": "of a process (locale, threads), not of a method",
    "experiments/per_user_hits.py:setting": "the column of stored hits",
}


def retired() -> set[str]:
    rows = [line.split("|")[1:-1] for line in GLOSSARY.read_text().splitlines() if line.startswith("| ")]
    words = {word.strip() for row in rows if len(row) == 3 for word in row[2].split(",")}
    return words - {"", "not"}


def words_of(name: str) -> set[str]:
    """The words of a name in any spelling, singular."""
    words = re.findall(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+", name)
    return {word.lower() for word in words} | {word.lower().removesuffix("s") for word in words}


def public_names(tree: ast.Module) -> Iterator[str]:
    """Classes, functions, methods, their parameters, fields and constants without a leading underscore."""
    for node in ast.walk(tree):
        if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            yield node.name
        if isinstance(node, ast.FunctionDef) and not node.name.startswith("_"):
            yield from (each.arg for each in [*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs])
    for scope in [tree, *(node for node in ast.walk(tree) if isinstance(node, ast.ClassDef))]:
        for node in scope.body:
            targets = [node.target] if isinstance(node, ast.AnnAssign) else getattr(node, "targets", [])
            yield from (target.id for target in targets if isinstance(target, ast.Name))


def test_the_glossary_retires_the_words_that_it_was_made_for() -> None:
    assert {"cell", "recipe", "ledger", "kept", "setting", "verdict", "told", "ranker"} <= retired()


@pytest.mark.parametrize("path", sorted(PACKAGE.rglob("*.py")), ids=lambda path: str(path.relative_to(PACKAGE)))
def test_no_public_name_of_the_package_holds_a_retired_word(path: Path) -> None:
    place = path.relative_to(PACKAGE).as_posix()
    names = [path.stem, *public_names(ast.parse(path.read_text(encoding="utf-8")))]
    found = {
        name
        for name in names
        if not name.startswith("_") and words_of(name) & retired() and f"{place}:{name}" not in OTHERWISE
    }
    assert not found, f"{place}: see benchmark/docs/reference/glossary.md"


def test_what_means_something_else_is_still_there() -> None:
    for each in OTHERWISE:
        file, _, name = each.partition(":")
        assert name in set(public_names(ast.parse((PACKAGE / file).read_text()))), each


def commands(group: click.Group, context: click.Context) -> Iterator[click.Command]:
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        assert command is not None
        if isinstance(command, click.Group):
            yield from commands(command, context)
        yield command


def test_no_verb_and_no_option_holds_a_retired_word() -> None:
    listed = list(commands(cli, click.Context(cli)))
    names = {command.name or "" for command in listed}
    names |= {option for command in listed for each in command.params for option in each.opts}
    assert len(listed) >= 20
    assert not {name for name in names if words_of(name) & retired()}


def test_no_field_of_a_record_is_named_by_a_retired_word() -> None:
    schema = json.loads(schema_text())
    fields = {name for part in [schema, *schema["$defs"].values()] for name in part.get("properties", {})}
    assert {"key", "artefact_key", "variant", "breakdown"} <= fields
    assert not {name for name in fields if words_of(name) & retired()}
