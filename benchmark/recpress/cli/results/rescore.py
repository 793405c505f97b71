"""``recpress results rescore``: metrics from the lists that runs served."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import click

from recpress.records.record import Record


@click.command("rescore")
@click.option(
    "--results", type=click.Path(path_type=Path), default="results", show_default=True, help="Results folder."
)
def command(results: Path) -> None:
    """Compute every metric again from the served lists in the cache; nothing is run.

    \b
    Example:
      recpress results rescore --results results
    """
    from recpress.reproduce.result_store import rescore

    counts: Counter[str] = Counter()

    def on_result(result: Record, reason: str | None) -> None:
        counts["left as they are" if reason else "scored again"] += 1
        if reason:
            who = result.identity
            click.echo(f"{who.dataset} {who.backbone} {who.method} {who.variant} seed {who.seed}: {reason}.")

    rescore(results, on_result)
    click.echo(", ".join(f"{count} {what}" for what, count in sorted(counts.items())) or f"No records in {results}.")
