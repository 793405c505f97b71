"""``recpress check``: does a method keep the contract, and is its artefact what it says."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Any

import click
from rich.console import Console

from recpress.cli.cells import Asked, cell_options, stage_printer


@click.command("check")
@click.argument("method")
@click.option(
    "--audit", "audits", is_flag=True, help="Audit the artefact too: bytes, answers, files, network, caching."
)
@click.option("--format", "form", type=click.Choice(["text", "json"]), default="text", show_default=True)
@cell_options(without=("method",), dataset="synthetic-tiny")
def command(audits: bool, form: str, **asked: Any) -> None:
    """Check one method; exit code 1 when something is found.

    The method compresses and serves in fresh processes. Without --budget or --param its default parameters are audited.

    \b
    Examples:
      recpress check uniform
      recpress check uniform --audit --dataset ml-100k --budget 1/8
    """
    from recpress.run.check import check

    planned = Asked(**asked).planned()
    outcomes = check(planned, audits=audits, progress=stage_printer(Console(stderr=True)))
    if form == "json":
        click.echo(json.dumps([asdict(each) for each in outcomes], indent=1))
    else:
        for each in outcomes:
            click.echo(f"{each.state:<8} {each.check:<20} {each.message}".rstrip())
    if any(each.state == "failed" for each in outcomes):
        raise SystemExit(1)
