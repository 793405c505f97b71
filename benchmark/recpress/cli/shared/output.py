"""How verbs print JSON, commands to paste, and long texts."""

from __future__ import annotations

import json
import shlex
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from recpress.core.errors import UserError
from recpress.core.printable import printable, readable_json


def as_json(value: object, *, indent: int | None = 1, default: Callable[[Any], Any] | None = None) -> str:
    r"""Return JSON with letters of every script as they are; what a terminal would obey is escaped (``\u202e``)."""
    return readable_json(json.dumps(value, indent=indent, default=default, ensure_ascii=False))


def command_line(*words: object) -> str:
    """Return a command of recpress, quoted so that a shell takes it as it is pasted."""
    return printable(shlex.join(["recpress", *map(str, words)]))


def nothing_there(results: Path) -> UserError:
    """Return what a user is told of a results folder without records."""
    command = command_line("run", "--suite", "quick", "--results", results)
    return UserError(f"There are no records in {results}: `{command}` makes some.")


def paged(text: str) -> None:
    """Print a text; on a terminal that it doesn't fit on, through the user's pager."""
    if sys.stdout.isatty() and text.count("\n") >= shutil.get_terminal_size().lines:
        click.echo_via_pager(text)
    else:
        click.echo(text)
