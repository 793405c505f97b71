"""``recpress doctor``: the machine, and what it lacks."""

from __future__ import annotations

from dataclasses import asdict

import click

from recpress.cli.shared.groups import group_of
from recpress.cli.shared.output import as_json

TABLE = {"cache": ("recpress.cli.doctor.cache", "List, check and clear what is cached: data, backbones, lists, logs.")}


@click.group("doctor", cls=group_of("subcommand", TABLE), invoke_without_command=True)
@click.option("--format", "format_", type=click.Choice(["text", "json"]), default="text", show_default=True)
@click.pass_context
def command(context: click.Context, format_: str) -> None:
    """Show the machine's fingerprint and what each counter or library that it lacks costs.

    \b
    Examples:
      recpress doctor
      recpress doctor cache ls
    """
    if context.invoked_subcommand:
        return
    from recpress.isolation import sandbox
    from recpress.measure.checkup import checkup
    from recpress.measure.machine import fingerprint

    machine = fingerprint()
    advice = [*checkup(machine), sandbox.advice()]
    if format_ == "json":
        report = {
            "fingerprint": machine.fingerprint,
            "label": machine.label,
            "machine": asdict(machine),
            "advice": [asdict(each) for each in advice],
        }
        click.echo(as_json(report))
        return
    click.echo(f"{machine.label} ({machine.fingerprint})")
    packages = ", ".join(f"{name} {version}" for name, version in machine.packages.items())
    click.echo(f"  {machine.system} {machine.kernel}, Python {machine.python}, {packages}, {machine.blas}")
    click.echo(f"  {' '.join(machine.flags)}")
    click.echo(f"  {', '.join(f'{name} {size // 1024:,} KiB' for name, size in machine.caches.items())}")
    for each in advice:
        click.echo(f"{each.state:<8} {each.topic:<13} {each.message}")
