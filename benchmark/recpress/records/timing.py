"""The timing record: what one machine took to serve what has one serving signature.

A run record says what an artefact is; how long it answers depends on its codec tree and on the machine, not on who made
it. So runs and timings are joined by the signature, and thirty runs that share one are timed once.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path
from typing import Final, Literal, Self

from pydantic import Field, model_validator

from recpress.core.cards import Sha256
from recpress.core.io import write_atomic
from recpress.core.paths import PACKAGE
from recpress.records.record import (
    Count,
    Energy,
    Identity,
    Latency,
    Part,
    Provenance,
    Record,
    read_as,
    relative_path,
    schema_of,
    text,
)

SCHEMA_VERSION: Final = 1
SCHEMA_FILE: Final = PACKAGE / "records" / "schema" / f"timing.v{SCHEMA_VERSION}.json"
FOLDER: Final = "timings"
# Names become folders and links, so nothing else may be in them.
FINGERPRINT: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,79}")


class Timing(Part):
    """All that one machine measured of one serving signature."""

    schema_version: Literal[1] = SCHEMA_VERSION
    signature: Sha256 = Field(description="Of the run record's `serving`: what has the same one takes as long.")
    run: str = Field(description="The run whose artefact was timed: dataset/backbone/method/variant.seed.")
    artefact: Sha256 | None = Field(None, description="Hash of the folder that was timed.")
    kernel: str | None = Field(None, description="What scored the items on this machine.")
    latency: tuple[Latency, ...] = Field(description="By scenario, timed in turn with dense fp32 of the same shape.")
    energy: tuple[Energy, ...] = Field((), description="Per query, metered or modelled.")
    reference_energy: tuple[Energy, ...] = Field((), description="The same of the dense fp32 tables.")
    resident: Count | None = Field(None, description="Growth of resident memory by loading and making the scorer.")
    peak_resident: Count | None = Field(
        None, description="Most resident bytes of the serving process, libraries and all, when users were answered."
    )
    provenance: Provenance

    @model_validator(mode="after")
    def _of_a_machine(self) -> Self:
        if not FINGERPRINT.fullmatch(self.machine):
            raise ValueError(f"its machine {self.machine[:40]!r} is not a fingerprint")
        return self

    @property
    def machine(self) -> str:
        """Fingerprint of the machine; described in machines/<fingerprint>.json."""
        return self.provenance.machine

    @property
    def dataset(self) -> str:
        """The data set of the run that was timed."""
        return self.run.partition("/")[0]

    @property
    def noisy(self) -> bool:
        """Whether other processes used too much of the machine in any scenario."""
        return any(each.noisy for each in self.latency)


def run_id(identity: Identity) -> str:
    """Return how a run is named: the path of its record, without folder and suffix."""
    return relative_path(identity).relative_to("records").as_posix().removesuffix(".json")


def place(machine: str, run: str) -> Path:
    """Return where the timing of a run's artefact on a machine lies in a results folder."""
    return Path(FOLDER) / machine / f"{run}.json"


def write(results: Path, timing: Timing) -> Path:
    """Write a timing to its place, atomically, replacing an earlier one of the same run on this machine."""
    path = results / place(timing.machine, timing.run)
    write_atomic(path, text(timing))
    return path


def read(path: Path) -> Timing:
    """Read one timing.

    Raises
    ------
    UserError
        When it isn't JSON or doesn't match the schema; the message names the file and the fields.
    """
    return read_as(Timing, path, "timing")


def own(results: Path, record: Record) -> Timing | None:
    """Return the timing of a run's own artefact on the machine that ran it; None where a folder has none."""
    path = results / place(record.provenance.machine, run_id(record.identity))
    return read(path) if path.is_file() else None


def read_all(results: Path, machine: str) -> list[Timing]:
    """Read every timing of one machine, in the order of their paths."""
    return [read(path) for path in sorted((results / FOLDER / machine).rglob("*.json"))]


class Timings:
    """The timings of one machine, found by what they are of.

    Parameters
    ----------
    timings : iterable of Timing
        All of one machine.
    """

    def __init__(self, timings: Iterable[Timing] = ()) -> None:
        self.all = tuple(timings)
        self._own = {(each.run, each.signature): each for each in self.all}
        self._alike: dict[str, list[Timing]] = defaultdict(list)
        for each in self.all:
            self._alike[each.signature].append(each)

    def __contains__(self, signature: object) -> bool:
        return signature in self._alike

    @property
    def newest(self) -> str:
        """When the last of them was made, as UTC time; "" where there is none."""
        return max((each.provenance.started for each in self.all), default="")

    def own(self, record: Record) -> Timing | None:
        """Return the timing of a run's own artefact."""
        return self._own.get((run_id(record.identity), record.signature))

    def of(self, record: Record) -> Timing | None:
        """Return the timing of a run: that of its own artefact, else the quietest and newest of its signature.

        Another's refresh is none of the run's, since it makes tables from another backbone.
        """
        if own := self.own(record):
            return own
        alike = self._alike.get(record.signature, [])
        best = max(alike, key=lambda each: (not each.noisy, each.provenance.started), default=None)
        if best is None or all(each.scenario != "refresh" for each in best.latency):
            return best
        latency = tuple(each for each in best.latency if each.scenario != "refresh")
        return best.model_copy(update={"latency": latency})


def schema_text() -> str:
    """Return the JSON schema of the timing record, as it is kept in `SCHEMA_FILE`."""
    return schema_of(Timing, SCHEMA_FILE.name)
