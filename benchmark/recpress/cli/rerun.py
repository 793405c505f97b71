"""``recpress rerun``: run randomly drawn cells again and compare them with their records."""

from __future__ import annotations

import tempfile
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import click
from tabulate import tabulate

from recpress.cli.launch import Running, launch, running_options


@click.command("rerun")
@click.option("--sample", type=click.IntRange(min=1), default=20, show_default=True, help="Cells to draw.")
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True, help="Of the draw.")
@click.option("--results", type=click.Path(path_type=Path), default="results", show_default=True, help="Folder.")
@click.option("--reuse-backbones", is_flag=True, help="Take trained backbones from the cache; else train them anew.")
@click.option("--dry-run", is_flag=True, help="Print the draw and run nothing.")
@running_options
def command(sample: int, seed: int, results: Path, reuse_backbones: bool, dry_run: bool, **running: Any) -> None:
    """Run randomly drawn cells again, from training on, and compare: nothing in their records changes.

    Quality and bytes must be equal to the last digit, and the intervals of the ratios to fp32 must meet. What was found
    is written to attestations/ in the results folder, also where it differs: the tiers of the board rest on it. Ends
    with 1 if something differs.

    \b
    Examples:
      recpress rerun --sample 20 --seed 7
      recpress rerun --sample 3 --dry-run
    """
    from recpress.run import rerun

    drawn = rerun.draw(results, sample, seed)
    click.echo(f"Drawn with seed {seed}:")
    for _, cell in drawn:
        click.echo(f"  {cell.label}")
    if dry_run:
        return
    from recpress.run.attest import attest, differences, read
    from recpress.run.engine import write_machine
    from recpress.run.plan import make

    said = f"recpress rerun --sample {sample} --seed {seed}" + (" --reuse-backbones" if reuse_backbones else "")
    with tempfile.TemporaryDirectory(prefix="recpress-rerun-") as name:
        again = Path(name)
        with nullcontext() if reuse_backbones else rerun.empty_cache():
            try:
                launch(make([cell for _, cell in drawn]), again, Running(**running), force=True)
            except SystemExit as ended:
                if ended.code != 1:  # 1: a cell failed, which is a finding like others.
                    raise
        write_machine(results)
        lines = []
        for made, new in rerun.found(drawn, again):
            path = attest(results, "rerun", made, new, said, trained=not reuse_backbones)
            who, differs = made.identity, differences(made, read(results, path))
            lines.append(
                (
                    f"{who.dataset} {who.backbone} {who.method} {who.setting} seed {who.seed}",
                    "; ".join(differs[:4]) + (f"; and {len(differs) - 4} more" if len(differs) > 4 else "") or "agrees",
                )
            )
    click.echo(tabulate(lines, headers=("Cell", "Run again"), disable_numparse=True))
    agree = sum(verdict == "agrees" for _, verdict in lines)
    click.echo(f"{agree} of {len(lines)} agree; {results / 'attestations'} holds what was found.")
    if agree < len(lines):
        raise SystemExit(1)
