"""``recpress tune``: find a training config on train and valid."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click
from rich.console import Console

from recpress.cli.shared.output import command_line


@click.command("tune")
@click.option("--dataset", required=True, help="Name of a data set.")
@click.option("--backbone", required=True, help="Name of a backbone.")
@click.option(
    "--trials", type=click.IntRange(min=1), default=20, show_default=True, help="Training configs to try in all."
)
@click.option("--timeout", type=click.FloatRange(min=0, min_open=True), help="Seconds after which no trial is started.")
@click.option(
    "--trial-seconds",
    type=click.FloatRange(min=0, min_open=True),
    help="CPU seconds of one training; a longer schedule is shortened to fit.",
)
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True, help="Seed of search and training.")
@click.option("--device", default="cpu", show_default=True, help="Device of the trials, as torch names it, e.g. cuda.")
@click.option("--out", type=click.Path(path_type=Path), help="Configs folder.  [default: benchmark/configs]")
def command(out: Path | None, **asked: Any) -> None:
    """Search for the training config that ranks best on valid, and write it with its trials.

    The search trains on train and scores on valid, in a process that has no test data. After a stop, the same command
    continues; with more trials, it adds to those made. Give all backbones that you compare the same number of trials.

    \b
    Examples:
      recpress tune --dataset ml-100k --backbone lightgcn --trials 20
      recpress tune --dataset ml-100k --backbone lightgcn --trials 20 --trial-seconds 30
    """
    from recpress.cli.shared.job import one_job
    from recpress.core.io import write_atomic
    from recpress.core.paths import resources
    from recpress.tuning.study import SearchLimits, toml
    from recpress.tuning.tuning_store import tune

    limits = SearchLimits(asked["trials"], asked["timeout"], asked["trial_seconds"])
    dataset, backbone = asked["dataset"], asked["backbone"]
    with one_job(Console(stderr=True), f"{dataset} {backbone}") as (progress, notes):
        found = tune(dataset, backbone, limits, asked["seed"], asked["device"], progress, notes)
    path = (out or resources("configs")) / dataset / f"{backbone}.toml"
    write_atomic(path, toml(found))
    click.echo(
        f"{path}: {found.tuning.metric} {found.tuning.value:.4f} on valid, the best of {found.tuning.trials} trials.\n"
        f"Next: {command_line('train', '--dataset', dataset, '--backbone', backbone)}"
    )
