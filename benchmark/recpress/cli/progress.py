"""How a run is shown: a live bar on a terminal, plain lines elsewhere."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from recpress.record import Record
from recpress.run.engine import Watcher
from recpress.run.identity import Planned


@contextmanager
def watcher(total: int, console: Console) -> Iterator[Watcher]:
    """Show the progress of a run of `total` cells while the block lasts."""
    if not console.is_terminal:
        count = iter(range(1, total + 1))

        def line(planned: Planned, done: Record) -> None:
            click.echo(f"[{next(count)}/{total}] {planned.cell.label}: {outcome(done)}")

        yield Watcher(lambda planned, stage, share: None, line)
        return
    with Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        console=console,
    ) as bars:
        cells = bars.add_task("cells", total=total)
        stages = bars.add_task("starting", total=100)

        def stage(planned: Planned, name: str, share: float) -> None:
            bars.update(stages, description=f"{planned.cell.label}: {name}", completed=round(100 * share))

        def finished(planned: Planned, done: Record) -> None:
            bars.advance(cells)
            if done.status != "ok":
                bars.console.print(f"{planned.cell.label}: {outcome(done)}", highlight=False, markup=False)

        yield Watcher(stage, finished)


def outcome(done: Record) -> str:
    """Return what became of a cell, in a few words."""
    if done.status != "ok" or done.quality is None or done.bytes is None:
        return f"{done.status}: {done.reason}"
    return f"ndcg@20 {done.quality.metrics['ndcg@20']:.4f}, {done.bytes.file:,} bytes, {done.bytes.ratio:.1f}x smaller"
