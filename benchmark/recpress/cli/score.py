"""``recpress score``: measure an artefact that was made elsewhere, in any language."""

from __future__ import annotations

import re
import shlex
from dataclasses import replace
from pathlib import Path
from typing import Literal

import click
from rich.console import Console

from recpress import registry
from recpress.cli.shared.one_run import Asked, run_options, stage_printer
from recpress.core.errors import UserError
from recpress.headline import HEADLINE
from recpress.metrics import LABEL


@click.command("score")
@click.argument("folder", type=click.Path(path_type=Path))
@click.option("--name", required=True, help="Name on the board, where methods have theirs.")
@click.option("--division", type=click.Choice(["closed", "open"]), default="closed", show_default=True)
@click.option(
    "--timing-seconds",
    type=click.FloatRange(min=0),
    default=2.0,
    show_default=True,
    help="Least seconds for each latency scenario; 0: no timing.",
)
@click.option(
    "--results", type=click.Path(path_type=Path), default="results", show_default=True, help="Results folder."
)
@run_options(without=("method", "budget", "param", "data", "user-col", "item-col", "time-col"))
def command(
    folder: Path,
    name: str,
    division: Literal["closed", "open"],
    timing_seconds: float,
    results: Path,
    dataset: str | None,
    backbone: str,
    seed: int,
) -> None:
    """Measure an artefact folder as if a method of ours had made it, and write its record.

    A fresh process without test data serves the folder.
    benchmark/docs/reference/artefact-format.md says what is
    in it; nothing of RecPress is needed to write one.

    \b
    Example:
      recpress score build/mine --name my-codes --dataset ml-100k --backbone lightgcn
    """
    if not re.fullmatch("[A-Za-z0-9][A-Za-z0-9._+-]{0,60}", name):
        raise UserError(f"{name!r} is not a name: use letters, digits and . _ + -, at most 61.")
    if name in registry.methods():
        raise UserError(f"{name} is a method of this project: give the artefact a name of its own.")
    from recpress.data import load
    from recpress.evaluation import store
    from recpress.experiments import per_user_hits
    from recpress.experiments.cache_layout import per_user_path
    from recpress.experiments.engine import write_machine
    from recpress.export.external import Brought, measure
    from recpress.records import record, timing
    from recpress.records.plausible import doubts

    planned = Asked(dataset=dataset, backbone=backbone, method="none", seed=seed).planned()
    planned = replace(planned, spec=planned.spec.model_copy(update={"timing_seconds": timing_seconds}))
    words = ["recpress", "score", str(folder), "--name", name, "--division", division]
    words += ["--dataset", planned.spec.dataset, "--backbone", backbone, "--seed", str(seed)]
    brought = Brought(folder, name, division, shlex.join(words))
    ended = measure(brought, planned, stage_printer(Console(stderr=True)))
    made = ended.result
    if made.identity.artefact_key and ended.scored:
        store.save(per_user_path(made.identity.artefact_key), ended.scored)
    write_machine(results)
    if ended.timing:
        timing.write(results, ended.timing)
    per_user_hits.keep(results, made, ended.scored, load(made.identity.dataset).split.test)
    path = record.write(results, made)
    if made.quality and made.bytes:
        retained = made.quality.retention.get(HEADLINE)
        said = "no retention: the backbone scores 0" if retained is None else f"{retained:.1%} retained"
        click.echo(
            f"{path}: {LABEL} {made.quality.metrics[HEADLINE]:.4f} ({said}), {made.bytes.file:,} bytes "
            f"({made.bytes.ratio:.2f}x smaller)."
        )
        for doubt in doubts(made.identity.division, made.quality):
            click.echo(f"recpress: ‡ flagged for review: {doubt}.", err=True)
