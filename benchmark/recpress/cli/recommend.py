"""``recpress recommend``: top-K lists in the ids of the data."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import click
import numpy as np
from rich.console import Console
from tabulate import tabulate

from recpress.cli.shared.one_run import Asked, run_options, stage_printer
from recpress.cli.shared.output import as_json
from recpress.core.errors import UserError

if TYPE_CHECKING:
    from recpress.serve.fitted import Suggestion


@click.command("recommend")
@click.argument("folder", type=click.Path(path_type=Path), required=False)
@click.option("--user", "users", multiple=True, help="An id as the data has it; may be given several times.")
@click.option("--users-file", type=click.File(encoding="utf-8"), help="File with one id a line; - for standard input.")
@click.option("--top", type=click.IntRange(min=1), default=10, show_default=True, help="Length of a list.")
@click.option(
    "--as-scored", is_flag=True, help="Leave out only items of train and valid: these are the lists that metrics score."
)
@click.option("--format", "form", type=click.Choice(["table", "csv", "json"]), default="table", show_default=True)
@run_options()
def command(
    folder: Path | None,
    users: tuple[str, ...],
    users_file: IO[str] | None,
    top: int,
    as_scored: bool,
    form: str,
    **asked: Any,
) -> None:
    """Recommend items that a user hasn't seen, from a folder of `recpress compress` or from a run.

    A run is compressed on the first call and cached. Items that a user has in the data, also those held out
    for test, are left out.

    \b
    Examples:
      recpress recommend build/small --user 196 --user 186 --top 5
      recpress recommend --dataset ml-100k --method uniform --budget 1/8 --user 196 --format json
      recpress recommend --data likes.csv --user-col user --item-col item --method uniform --user alice
    """
    wanted = [*users, *_lines(users_file)]
    if not wanted:
        raise UserError("Say for whom: --user ID, as the data has it, or --users-file FILE.")
    if folder is None:
        from recpress.export.fit import obtain

        folder = obtain(Asked(**asked).planned(), stage_printer(Console(stderr=True)))
    elif asked["dataset"] or asked["method"] or asked["data"]:
        raise UserError(f"{folder} says already what to recommend from: leave --dataset, --data and --method away.")
    from recpress.serve.fitted import Fitted

    fitted = Fitted.load(folder)
    click.echo(written(fitted.recommend(fitted.users.dense(wanted), top, as_scored=as_scored), form), nl=False)


def _lines(file: IO[str] | None) -> list[str]:
    return [line.strip() for line in file if line.strip()] if file else []


def written(found: Sequence[Suggestion], form: str) -> str:
    """Return suggestions as a table, as csv or as json: user, rank, item, score."""
    rows = [asdict(each) for each in found]
    if form == "json":
        return as_json(rows, default=np.generic.item) + "\n"
    fields = ["user", "rank", "item", "score"]
    if form == "csv":
        text = io.StringIO()
        table = csv.DictWriter(text, fields, lineterminator="\n")
        table.writeheader()
        table.writerows(rows)
        return text.getvalue()
    lines = [[each.user, each.rank, each.item, f"{each.score:.4f}"] for each in found]
    return tabulate(lines, headers=fields, disable_numparse=True, colalign=("left", "right", "left", "right")) + "\n"
