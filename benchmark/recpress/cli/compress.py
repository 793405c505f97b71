"""``recpress compress``: one compressed recommender as a folder that recommends by itself."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click
from rich.console import Console

from recpress.cli.shared.one_run import Asked, run_options, stage_printer
from recpress.cli.shared.output import command_line


@click.command("compress")
@run_options()
@click.option("--out", type=click.Path(path_type=Path), required=True, help="Folder to make.")
def command(out: Path, **asked: Any) -> None:
    """Train, compress, and write the artefact with the ids of its users and items beside it.

    \b
    Examples:
      recpress compress --dataset ml-100k --method uniform --budget 1/8 --out build/small
      recpress compress --data likes.csv --user-col user --item-col item --method uniform --out build/likes
      recpress recommend build/small --user 196
    """
    from recpress.export.fit import fit
    from recpress.measure.sizes import file_bytes
    from recpress.serve.fitted import ARTEFACT, Fitted

    planned = Asked(**asked).planned()
    fit(planned, out, stage_printer(Console(stderr=True)))
    made = Fitted.load(out)
    users, items = made.history.n_users, made.history.n_items
    click.echo(
        f"{out}: {planned.spec.method} {planned.spec.variant}, {users:,} users, {items:,} items; the artefact has "
        f"{file_bytes(out / ARTEFACT):,} bytes, fp32 tables {4 * planned.config.config.dim * (users + items):,}.\n"
        f"Next: {command_line('recommend', out, '--user', made.users.values[0])}"
    )
