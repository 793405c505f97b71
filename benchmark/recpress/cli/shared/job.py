"""How one long job is shown: a bar with what it sees on the way, or now and then a line."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn

# Seconds between two lines where there is no terminal.
QUIET = 20.0


@contextmanager
def one_job(console: Console, label: str) -> Iterator[tuple[Callable[[float], None], Callable[[str], None]]]:
    """Give two functions while the block lasts: one to be told the finished share, one to be told a line."""
    if not console.is_terminal:
        last = time.monotonic()

        def line(text: str) -> None:
            nonlocal last
            if time.monotonic() - last >= QUIET:
                last = time.monotonic()
                console.print(f"{label}: {text}", highlight=False, markup=False, soft_wrap=True)

        yield lambda share: None, line
        return
    with Progress(
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        TaskProgressColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.fields[note]}", markup=False),
        console=console,
        transient=True,
    ) as bars:
        job = bars.add_task(label, total=1.0, note="")
        yield lambda share: bars.update(job, completed=share), lambda text: bars.update(job, note=text)
