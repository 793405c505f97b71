"""``recpress retry``: run the cells again whose records say that they went wrong."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from recpress.cli.launch import Running, launch, running_options
from recpress.errors import UserError
from recpress.record import WENT_WRONG, Status, read_all


@click.command("retry")
@click.option("--results", type=click.Path(path_type=Path), default="results", show_default=True, help="Folder.")
@click.option("--failed", is_flag=True, help="All that went wrong: failed, timeout, out-of-memory.")
@click.option("--status", multiple=True, type=click.Choice([*WENT_WRONG, "over-budget"]), help="Only these.")
@running_options
def command(results: Path, failed: bool, status: tuple[Status, ...], **running: Any) -> None:
    """Run cells again that went wrong, each as its record says that it was run.

    \b
    Examples:
      recpress retry --failed
      recpress retry --status timeout --timeout 7200
    """
    if not failed and not status:
        raise UserError("Say what to run again: --failed, or --status timeout.")
    from recpress.run.plan import make
    from recpress.run.redo import cells_of

    cells = cells_of(read_all(results), WENT_WRONG if failed else status)
    launch(make(cells), results, Running(**running), force=True)
