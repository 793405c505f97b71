"""What mkdocs adds to the pages: figures from the records, a page for each verb, and the Python API's entries.

mkdocs loads this file by its path (`hooks` in mkdocs.yml).
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
from mkdocs.exceptions import PluginError
from mkdocs.structure.files import File, Files

import recpress
from recpress.cli import cli
from recpress.core.errors import UserError
from recpress.core.project import repository
from recpress.leaderboard.prose import fill, rows_of
from recpress.leaderboard.site.pages import NAVIGATION

RESULTS = Path(__file__).resolve().parents[1] / "results"
CLI = "reference/cli"
API = "reference/api.md"
WIDTH = 100


def on_config(config: Any) -> Any:
    """Give the theme the site's navigation, and the reference its generated pages."""
    config.extra["site_pages"] = NAVIGATION
    config.repo_url = repository()
    (reference,) = (part["Reference"] for part in config.nav if "Reference" in part)
    reference.append({"Command line": [name for name, _ in cli_pages()]})
    return config


def on_files(files: Files, config: Any) -> Files:
    """Add a page for each verb and each of its subcommands, and one for the Python API."""
    for name, content in cli_pages():
        files.append(File.generated(config, name, content=content))
    return files


def on_page_markdown(markdown: str, page: Any, **_: Any) -> str:
    """Fill in the figures of a page, and the entries of the API."""
    if page.file.src_uri == API:
        markdown = f"{markdown}\n{api_entries()}"
    try:
        return fill(markdown, lambda: rows_of(RESULTS))
    except UserError as error:
        raise PluginError(f"{page.file.src_uri}: {error}") from error


def cli_pages() -> Iterator[tuple[str, str]]:
    """Return the address and the text of each verb's page."""
    context = click.Context(cli, info_name="recpress", max_content_width=WIDTH, terminal_width=WIDTH)
    for verb in cli.list_commands(context):
        command = cli.get_command(context, verb)
        if command is not None:
            yield f"{CLI}/{verb}.md", "\n".join(_sections(command, context, verb, "#"))


def _sections(command: click.Command, parent: click.Context, name: str, level: str) -> Iterator[str]:
    context = click.Context(command, parent, info_name=name, max_content_width=WIDTH, terminal_width=WIDTH)
    yield f"{level} {context.command_path}\n\n```text\n{command.get_help(context)}\n```\n"
    if isinstance(command, click.Group):
        for each in command.list_commands(context):
            inner = command.get_command(context, each)
            if inner is not None:
                yield from _sections(inner, context, each, f"{level}#")


def api_entries() -> str:
    """Return mkdocstrings' marks for each public name of `recpress` that is a function or a class."""
    things = [getattr(recpress, name) for name in getattr(recpress, "__all__", ())]
    return "\n\n".join(f"::: {each.__module__}.{each.__qualname__}" for each in things if hasattr(each, "__qualname__"))
