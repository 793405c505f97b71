"""``recpress results reproduce``: randomly drawn runs, repeated and compared with their records."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from tabulate import tabulate

from recpress.cli.shared.launch import Running, launch, running_options
from recpress.core.printable import markdown

if TYPE_CHECKING:
    from recpress.experiments.identity import PlannedRun
    from recpress.records.record import Record
    from recpress.reproduce.report import ReproductionReport


@click.command("reproduce")
@click.option("--sample", type=click.IntRange(min=1), default=20, show_default=True, help="Runs to draw.")
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True, help="Seed of the draw.")
@click.option("--changed", metavar="REVISION", help="Draw only from records that differ from a git revision.")
@click.option(
    "--results", type=click.Path(path_type=Path), default="results", show_default=True, help="Results folder."
)
@click.option("--reuse-backbones", is_flag=True, help="Take trained backbones from the cache; else train them anew.")
@click.option("--force", is_flag=True, help="Also repeat what this machine has repeated with the same code.")
@click.option("--summary", type=click.Path(path_type=Path), help="File to which the outcome is added, as Markdown.")
@click.option("--dry-run", is_flag=True, help="Print the draw and run nothing.")
@running_options
def command(
    sample: int,
    seed: int,
    changed: str | None,
    results: Path,
    reuse_backbones: bool,
    force: bool,
    summary: Path | None,
    dry_run: bool,
    **running: Any,
) -> None:
    """Repeat randomly drawn runs from training on, and compare them with their records.

    Quality and bytes must be equal to the last digit. The intervals of the ratios to fp32 must overlap, widened by the
    spread between runs with several seeds on this machine. Each run gets a reproduction report in attestations/ of the
    results folder, also if it differs. The tiers of the board rest on these reports. Records stay as they are. If the
    command is stopped, it continues from there. It ends with 1 if something differs.

    \b
    Examples:
      recpress results reproduce --sample 20 --seed 7
      recpress results reproduce --sample 3 --changed origin/main
      recpress results reproduce --sample 3 --dry-run
    """
    from recpress.records.record import read_all, relative_path
    from recpress.reproduce import sampling

    records = list(read_all(results))
    if changed:
        from recpress.cli.shared.revision import records_since

        files = set(records_since(changed, results))
        records = [each for each in records if relative_path(each.identity).as_posix() in files]
        sample = min(sample, sampling.drawable(records))
        if not sample:
            click.echo(f"No record that can be run again differs from {changed}.")
            return
    drawn = sampling.draw(results, records, sample, seed)
    click.echo(f"Drawn with seed {seed}:")
    for _, spec in drawn:
        click.echo(f"  {spec.label}")
    if dry_run:
        return
    from recpress.experiments.engine import write_machine
    from recpress.experiments.plan import make, timed_here
    from recpress.measure.repeats import between_runs
    from recpress.records import timing
    from recpress.reproduce.report import brief, differences, write_report

    said = f"recpress results reproduce --sample {sample} --seed {seed}"
    said += " --reuse-backbones" if reuse_backbones else ""
    planned = make([spec for _, spec in drawn])
    of = {each.id: made for each, (made, _) in zip(planned, drawn, strict=True)}
    found: dict[str, ReproductionReport] = {}
    if not force:
        for each in planned:
            if before := sampling.repetition(results, of[each.id], each, trained=not reuse_backbones):
                found[each.id] = before

    def finished(ran: PlannedRun, again: Record) -> None:
        timed = timing.own(Path(name), again)
        latency = timed.latency if timed else ()
        found[ran.id] = write_report(
            results, "rerun", of[ran.id], again, said, latency=latency, trained=not reuse_backbones
        )

    todo = [each for each in planned if each.id not in found]
    write_machine(results)
    cache = nullcontext() if reuse_backbones else sampling.empty_cache()
    with tempfile.TemporaryDirectory(prefix="recpress-rerun-") as name, cache:
        try:
            launch(todo, Path(name), Running(**running), done=len(found), force=True, on_result=finished)
        except SystemExit as ended:
            if ended.code != 1:  # 1: a run failed, which is a finding like others.
                raise
    lines, timings = [], timed_here(results)
    spread = between_runs(timings.all)
    for each in planned:
        made = of[each.id]
        differs = differences(made, timings.own(made), found[each.id], spread)
        lines.append((each.spec.label, brief(differs) or "agrees"))
    click.echo(tabulate(lines, headers=("Run", "Reproduced"), disable_numparse=True))
    agree = sum(said == "agrees" for _, said in lines)
    click.echo(f"{agree} of {len(lines)} agree; {results / 'attestations'} holds the reports.")
    if summary:
        _add(summary, f"{agree} of {len(lines)} records, drawn with seed {seed}, agree when run again.", lines)
    if agree < len(lines):
        raise SystemExit(1)


def _add(summary: Path, sentence: str, lines: Sequence[tuple[str, str]]) -> None:
    table = tabulate([tuple(map(markdown, line)) for line in lines], headers=("Run", "Again"), tablefmt="github")
    with summary.open("a", encoding="utf-8") as file:
        file.write(f"\n## Run again\n\n{sentence}\n\n{table}\n")
