"""``recpress train``: train one backbone and print how it ranks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click
from rich.console import Console

from recpress.cli.shared.one_run import Asked, run_options
from recpress.cli.shared.output import as_json
from recpress.headline import HEADLINE, SECOND

if TYPE_CHECKING:
    from recpress.experiments.split_protocol import Protocol

SHOWN = (SECOND, HEADLINE, "recall@10", "ndcg@10", "hits@20", "hits@50", "hits@100", "mrr")


@click.command("train")
@run_options(without=("method", "budget", "param"))
@click.option(
    "--protocol",
    type=click.Choice(["standard", "paper"]),
    help="standard: train on train and valid. paper: on the published train part, for comparison with published "
    "figures.  [default: standard; paper for OGB link sets, whose leaderboards train so]",
)
@click.option("--device", default="cpu", show_default=True, help="Device, as torch names it, e.g. cuda.")
@click.option(
    "--valid", is_flag=True, help="Train on train alone and score on valid; nothing is saved, and test stays closed."
)
@click.option("--format", "format_", type=click.Choice(["text", "json"]), default="text", show_default=True)
def command(protocol: Protocol | None, device: str, valid: bool, format_: str, **asked: Any) -> None:
    """Train a backbone with its training config, or take it from the cache, and print its figures.

    The checkpoint is the one that `recpress run` compresses. OGB link sets are also judged by OGB's own Evaluator.

    \b
    Examples:
      recpress train --dataset ml-100k --backbone lightgcn
      recpress train --dataset gowalla --backbone xsimgcl --protocol paper
      recpress train --dataset ml-100k --backbone mf --valid
    """
    from recpress.cli.shared.job import one_job
    from recpress.tuning.training import train

    planned = Asked(method="none", **asked).planned()
    label = f"{planned.spec.dataset} {planned.spec.backbone}"
    with one_job(Console(stderr=True), label) as (progress, notes):
        told = train(planned, protocol, device, valid, progress, notes)
    if format_ == "json":
        click.echo(as_json(told.as_dict()))
        return
    click.echo(f"{label}, seed {planned.spec.seed}, {told.protocol} protocol: trained on {told.trained_on}")
    click.echo(f"  training  {told.seconds:.1f} s{' (from the cache)' if told.cached else ''}")
    for each in told.energy:
        click.echo(f"  energy    {each.joules:,.0f} J ({each.grade})")
    for part, figures in told.figures.items():
        shown = ", ".join(f"{name} {figures[name]:.4f}" for name in SHOWN if name in figures)
        click.echo(f"  {part:<9} {shown}")
    tuning = planned.config.tuning
    chosen = f"{tuning.trials} trials, {tuning.metric} {tuning.value:.4f} on valid" if tuning.value else tuning.note
    click.echo(f"  config    {chosen or 'set by hand'}")
    if told.folder:
        click.echo(f"  saved in  {told.folder}")
