"""``recpress retry``: run the cells again whose records say that they went wrong, or were timed amid other work."""

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
@click.option("--noisy", is_flag=True, help="All that were timed while other processes kept the processor busy.")
@running_options
def command(results: Path, failed: bool, status: tuple[Status, ...], noisy: bool, **running: Any) -> None:
    """Run cells again that went wrong or whose timings were disturbed, each as its record says that it was run.

    \b
    Examples:
      recpress retry --failed
      recpress retry --status timeout --timeout 7200
      recpress retry --noisy
    """
    if not (failed or status or noisy):
        raise UserError("Say what to run again: --failed, --status timeout, or --noisy.")
    from recpress.run.plan import make
    from recpress.run.redo import cells_of

    statuses = WENT_WRONG if failed else status
    again = (
        each
        for each in read_all(results)
        if each.status in statuses or (noisy and any(timed.noisy for timed in each.latency))
    )
    launch(make(cells_of(again)), results, Running(**running), force=True)
