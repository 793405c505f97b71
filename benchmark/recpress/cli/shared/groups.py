"""Groups of commands that import the module of a command only when it is called."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from typing import ClassVar

import click

from recpress.core.errors import unknown

# Command: (module, one line of help). The line stands in the table so that a group's --help imports no command.
Table = Mapping[str, tuple[str, str]]


class LazyGroup(click.Group):
    """A group whose commands are the ``command`` of the modules in a table.

    Attributes
    ----------
    table : mapping of str to (str, str)
        Each command's module and its one line of help.
    kind : str
        What a command of the group is called in messages, and above their list.
    """

    table: ClassVar[Table] = {}
    kind: ClassVar[str] = "command"

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the commands in the order of the table."""
        return list(self.table)

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        """Import the module of a command and return its command."""
        if name not in self.table:
            return None
        command: click.Command = importlib.import_module(self.table[name][0]).command
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command; a word that isn't one is answered with the nearest that is."""
        if args[0] not in self.table and not args[0].startswith("-"):
            raise unknown(self.kind, args[0], self.table)
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the commands with their one line of help, from the table alone."""
        with formatter.section(f"{self.kind.capitalize()}s"):
            formatter.write_dl([(name, line) for name, (_, line) in self.table.items()])


def group_of(kind: str, table: Table) -> type[LazyGroup]:
    """Return a group class for a table of commands."""
    return type("Group", (LazyGroup,), {"table": table, "kind": kind})
