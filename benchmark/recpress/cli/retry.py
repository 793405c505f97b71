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

    What was timed while others used the machine is timed again by `recpress time --noisy`.

    \b
    Examples:
      recpress retry --failed
      recpress retry --status timeout --timeout 7200
    """
    if not (failed or status):
        raise UserError("Say what to run again: --failed, or --status timeout.")
    from recpress.run.plan import make
    from recpress.run.redo import specs_of

    statuses = WENT_WRONG if failed else status
    again = (each for each in read_all(results) if each.status in statuses)
    launch(make(specs_of(again)), results, Running(**running), force=True)
