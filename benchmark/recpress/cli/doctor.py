"""``recpress doctor``: the machine, and what it lacks."""

from __future__ import annotations

import json
from dataclasses import asdict

import click


@click.command("doctor")
@click.option("--format", "format_", type=click.Choice(["text", "json"]), default="text", show_default=True)
def command(format_: str) -> None:
    """Show the machine's fingerprint and what each counter or library that it lacks costs.

    \b
    Example:
      recpress doctor
    """
    from recpress.measure.checkup import checkup
    from recpress.measure.machine import fingerprint
    from recpress.run import sandbox

    machine = fingerprint()
    advice = [*checkup(machine), sandbox.advice()]
    if format_ == "json":
        report = {
            "fingerprint": machine.fingerprint,
            "label": machine.label,
            "machine": asdict(machine),
            "advice": [asdict(each) for each in advice],
        }
        click.echo(json.dumps(report, indent=1))
        return
    click.echo(f"{machine.label} ({machine.fingerprint})")
    packages = ", ".join(f"{name} {version}" for name, version in machine.packages.items())
    click.echo(f"  {machine.system} {machine.kernel}, Python {machine.python}, {packages}, {machine.blas}")
    click.echo(f"  {' '.join(machine.flags)}")
    click.echo(f"  {', '.join(f'{name} {size // 1024:,} KiB' for name, size in machine.caches.items())}")
    for each in advice:
        click.echo(f"{each.state:<8} {each.topic:<13} {each.message}")
