"""Energy with the grade of its evidence: analytic from counted work, and what all grades share.

A figure is *analytic* (operations and bytes × a published table; the same on every machine), *modelled* (power × time,
`recpress.measure.metering.modelled`) or *measured* (`recpress.measure.metering.counters`). The three aren't compared.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from recpress.records.record import Energy

if TYPE_CHECKING:
    from recpress.codecs.work import Work  # torch comes with it, which no reader of records needs


@dataclass(frozen=True)
class Band:
    """An energy in pJ as the low and the high end of its source."""

    low: float
    high: float

    @property
    def middle(self) -> float:
        """The figure that is reported: half-way."""
        return (self.low + self.high) / 2

    def __add__(self, other: Band) -> Band:
        return Band(self.low + other.low, self.high + other.high)

    def times(self, count: float) -> Band:
        """Return the energy of `count` of these."""
        return Band(self.low * count, self.high * count)


@dataclass(frozen=True)
class EnergyTable:
    """A published table: pJ of each kind of operation and of a byte from main memory."""

    version: str
    operations: Mapping[str, Band]
    dram_byte: Band

    @classmethod
    def read(cls, path: Path) -> EnergyTable:
        """Read a table. Its operations are sums over its own list of picojoules."""
        raw = tomllib.loads(path.read_text(encoding="utf-8"))
        entries = {name: Band(**ends) for name, ends in raw["picojoules"].items()}
        operations = {
            name: sum((entries[entry].times(count) for entry, count in config.items()), Band(0, 0))
            for name, config in raw["operations"].items()
        }
        return cls(raw["version"], operations, entries["dram_byte"])


@cache
def versions() -> frozenset[str]:
    """Return the versions that there is a packaged energy table of."""
    return frozenset(file.name.split(".")[1] for file in Path(__file__).parent.glob("energy.*.toml"))


@cache
def table(version: str = "v1") -> EnergyTable:
    """Return the packaged energy table of a version."""
    return EnergyTable.read(Path(__file__).with_name(f"energy.{version}.toml"))


def analytic(work: Work, queries: int = 1, version: str = "v1") -> Energy:
    """Return the energy per query of counted work: ``Σ operations · pJ + bytes read · pJ``.

    Parameters
    ----------
    work : Work
        Of one call that answers `queries` queries.
    queries : int
        At least 1.
    version : str
        Of the energy table.

    Raises
    ------
    ValueError
        When the work holds an operation that the table doesn't have.
    """
    prices = table(version)
    if unpriced := set(work.macs) - set(prices.operations):
        raise ValueError(f"energy table {version} has no price for {', '.join(sorted(unpriced))}")
    arithmetic = sum((prices.operations[name].times(count) for name, count in work.macs.items()), Band(0, 0))
    memory = prices.dram_byte.times(work.bytes_read)
    total = arithmetic + memory
    scale = 1e-12 / queries
    return Energy(
        grade="analytic",
        what="per-query",
        joules=total.middle * scale,
        low=total.low * scale,
        high=total.high * scale,
        table=version,
        parts={"arithmetic": arithmetic.middle * scale, "memory": memory.middle * scale},
    )


def break_even_queries(compressing: Energy, candidate: Energy, reference: Energy) -> float | None:
    """Return after how many queries the energy saved repays the energy of compressing; None for never.

    Raises
    ------
    ValueError
        When the three figures differ in grade: then there is no such number.
    """
    grades = {compressing.grade, candidate.grade, reference.grade}
    if len(grades) > 1:
        raise ValueError(f"energies of different grades are not compared: {', '.join(sorted(grades))}")
    saved = reference.joules - candidate.joules
    return compressing.joules / saved if saved > 0 else None
