"""``recpress check``: does a method keep the contract and is its artefact what it says; does a results folder."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click
from rich.console import Console

from recpress.cli.cells import Asked, cell_options, stage_printer


@click.command("check")
@click.argument("method", metavar="METHOD|results")
@click.option(
    "--audit", "audits", is_flag=True, help="Audit the artefact too: bytes, answers, files, network, caching."
)
@click.option("--format", "form", type=click.Choice(["text", "json"]), default="text", show_default=True)
@click.option("--results", type=click.Path(path_type=Path), default="results", show_default=True, help="Folder.")
@click.option("--base", help="For results: a folder or git revision whose records must not be lost.")
@cell_options(without=("method",), dataset="synthetic-tiny")
def command(audits: bool, form: str, results: Path, base: str | None, **asked: Any) -> None:
    """Check one method, or the results folder; exit code 1 when something is found.

    The method compresses and serves in fresh processes. Without --budget or --param its default parameters are audited.

    \b
    Examples:
      recpress check uniform
      recpress check uniform --audit --dataset ml-100k --budget 1/8
      recpress check results --base origin/main
    """
    if asked["method"] == "results":
        _results(results, base, form)
        return
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


def _results(results: Path, base: str | None, form: str) -> None:
    from recpress.board.folder import check
    from recpress.cli.revision import results_of

    earlier = {f"records/{run.id}.json": run.raw for run in results_of(base, results).runs} if base else {}
    found = check(results, earlier)
    if form == "json":
        click.echo(json.dumps([asdict(each) for each in found], indent=1))
    else:
        for each in found:
            click.echo(f"{each.file}: {each.check}: {each.fix}")
        click.echo(f"{len(found)} findings in {results}.")
    if found:
        raise SystemExit(1)
