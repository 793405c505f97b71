"""``recpress time kernels``: methods' kernels on a synthetic catalogue that fits no cache."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import click
from pydantic import ValidationError
from tabulate import tabulate

from recpress.cli.shared.output import as_json
from recpress.cli.shared.types import BudgetType, ParamType, refuse_both
from recpress.core.errors import UserError

if TYPE_CHECKING:
    from recpress.core.budget import Budget
    from recpress.measure.kernels import KernelTrack

HEADINGS = ("Method", "Params", "MB", "Smaller", "MB read", "Single ms", "× fp32", "Batch ms", "× fp32", "Analytic mJ")


@click.command("kernels")
@click.argument("methods", nargs=-1, required=True)
@click.option("--budget", multiple=True, type=BudgetType(), help="Fraction of the fp32 bytes; several are allowed.")
@click.option("--param", multiple=True, type=ParamType(), help="Sets a parameter of the methods instead.")
@click.option("--rows", type=click.IntRange(min=1), default=1_000_000, show_default=True, help="Number of items.")
@click.option("--columns", type=click.IntRange(min=1), default=64, show_default=True, help="Values of each item.")
@click.option(
    "--seconds",
    type=click.FloatRange(min=0.05),
    default=2.0,
    show_default=True,
    help="Least seconds for each scenario.",
)
@click.option("--threads", type=click.IntRange(min=1), default=1, show_default=True, help="Threads.")
@click.option("--format", "form", type=click.Choice(["table", "json"]), default="table", show_default=True)
def command(
    methods: tuple[str, ...],
    budget: tuple[Budget, ...],
    param: tuple[tuple[str, Any], ...],
    rows: int,
    columns: int,
    seconds: float,
    threads: int,
    form: str,
) -> None:
    """Time whole answers from a synthetic catalogue, in turn with dense fp32: one user, and 16 at a time.

    A million items of 64 values are 256 MB in fp32, more than a cache holds, so fewer bytes take less time. The tables
    are random: quality isn't measured.

    \b
    Examples:
      recpress time kernels uniform svd --budget 1/4 --budget 1/8
      recpress time kernels uniform --param bits=4 --rows 200000 --format json
    """
    from recpress import registry
    from recpress.api import BudgetUnreachable
    from recpress.measure.kernels import track

    refuse_both(budget, param)
    for name in methods:
        if registry.method(name).card.division == "open":
            raise UserError(
                f"{name} trains, and there is nothing to learn from a random catalogue: use `recpress run`."
            )
    found: list[KernelTrack] = []
    for name in methods:
        for share in budget or (None,):
            try:
                found.append(
                    track(
                        name,
                        budget=share.fraction if share else None,
                        params=dict(param),
                        rows=rows,
                        columns=columns,
                        seconds=seconds,
                        threads=threads,
                    )
                )
            except BudgetUnreachable as error:
                click.echo(f"{name} can't reach {share}: {error}.", err=True)
            except ValidationError as error:
                from recpress.core.cards import validation_message

                raise UserError(f"{name}: {validation_message(error)}.") from error
    if form == "json":
        shown = [asdict(each) | {"latency": [one.model_dump() for one in each.latency]} for each in found]
        click.echo(as_json(shown, default=lambda part: part.model_dump()))
        return
    align = ["left", "left", *["right"] * (len(HEADINGS) - 2)]
    click.echo(tabulate(map(_cells, found), headers=HEADINGS, disable_numparse=True, colalign=align if found else None))
    if any(each.noisy for one in found for each in one.latency):
        click.echo("\nOthers used much of the machine meanwhile: look at the ratios alone, or time it again.", err=True)


def _cells(one: KernelTrack) -> list[str]:
    params = ", ".join(f"{name}={value}" for name, value in one.params.items())
    timings = [
        text
        for each in one.latency
        for text in (f"{each.p50_ms:.2f}", f"{each.ratio:.2f} ({each.ratio_low:.2f}–{each.ratio_high:.2f})")
    ]
    smaller = one.reference_bytes / one.file_bytes
    sizes = [f"{one.file_bytes / 1e6:.1f}", f"{smaller:.1f}×", f"{one.touched_per_query / 1e6:.1f}"]
    return [one.method, params[:48], *sizes, *timings, f"{1e3 * one.energy.joules:.2f}"]
