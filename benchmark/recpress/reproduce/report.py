"""Reproduction reports: what was found when a record was repeated, in small files that name the record by its hash.

A record says of itself what its maker likes. A reproduction report holds the figures that a repetition got. Whether
they agree is judged by whoever reads both, and never taken from the file.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, ValidationError

from recpress.core.cards import Sha256, validation_message
from recpress.core.errors import UserError
from recpress.core.hashing import sha256_file
from recpress.core.io import write_atomic
from recpress.headline import HEADLINE as METRIC
from recpress.measure.repeats import Repetition, Spread, interval, widened
from recpress.records.record import (
    Count,
    Latency,
    Part,
    Positive,
    Record,
    Retained,
    Scenario,
    Share,
    Status,
    relative_path,
)
from recpress.records.timing import Timing

FOLDER = "attestations"
# Differences that are told first.
HEADLINE = ("status ", f"{METRIC} ", "bytes ", "single ", "batch ")
Event = Literal["rescored", "rerun"]
Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,79}$")]


class ReportedRatio(Part):
    """A latency as a ratio to fp32, timed again, with its 95 % interval."""

    ratio: Positive
    low: Positive
    high: Positive
    noisy: bool = Field(description="Others used too much of the machine: not compared.")


class ReproductionReport(Part):
    """One repetition of one record."""

    schema_version: Literal[1] = 1
    event: Event = Field(description="rescored: its lists were scored again; rerun: all of it was run again.")
    record: str = Field(description="The record's file, relative to the results folder.")
    sha256: Sha256 = Field(
        description="Of the record's file: a reproduction report of what it was is none of what it is."
    )
    machine: Name = Field(description="Fingerprint of the machine that repeated it.")
    date: str = Field(description="UTC time, ISO 8601.")
    commit: str | None = Field(description="Of the code that repeated it.")
    command: str
    trained: bool = Field(False, description="The backbone was trained anew, too.")
    status: Status
    metrics: dict[str, Share] = Field({}, description="As in the record's quality.")
    retention: dict[str, Retained | None] = Field({}, description="As in the record's quality.")
    bytes: Count | None = Field(None, description="Of the artefact that was made again.")
    latency: dict[Scenario, ReportedRatio] = Field({}, description="Of a rerun.")


def place(record: str, event: Event, machine: str) -> Path:
    """Return the place of a reproduction report: one for each run, event and machine; a later one replaces it."""
    run = Path(record).relative_to("records").with_suffix("")
    return Path(FOLDER) / run / f"{event}-{machine}.json"


def write_report(
    results: Path,
    event: Event,
    of: Record,
    found: Record,
    command: str,
    *,
    latency: Iterable[Latency] = (),
    trained: bool = False,
) -> ReproductionReport:
    """Write that a record of a results folder was repeated, and what was found.

    Parameters
    ----------
    results : Path
    event : {"rescored", "rerun"}
    of : Record
        Which lies in the folder.
    found : Record
        What repeating it gave.
    command : str
        That repeated it.
    latency : iterable of Latency
        Of what was run again.
    trained : bool
        Whether the backbone was trained anew.

    Raises
    ------
    UserError
        When the disk is full, or the folder can't be written.
    """
    from recpress.core.paths import checkout_root
    from recpress.measure.machine import fingerprint
    from recpress.measure.provenance import git_state

    file, again = relative_path(of.identity), event == "rerun"
    made = ReproductionReport(
        event=event,
        record=file.as_posix(),
        sha256=sha256_file(results / file),
        machine=fingerprint().fingerprint,
        date=datetime.now(UTC).isoformat(timespec="seconds"),
        commit=git_state(checkout_root())[0],
        command=command,
        trained=trained,
        status=found.status,
        metrics=found.quality.metrics if found.quality else {},
        retention=found.quality.retention if found.quality else {},
        bytes=found.bytes.file if found.bytes and again else None,
        latency={each.scenario: _ratio(each) for each in latency},
    )
    path = results / place(made.record, event, made.machine)
    try:
        write_atomic(path, json.dumps(made.model_dump(mode="json"), indent=1, sort_keys=True) + "\n")
    except OSError as error:
        raise UserError(f"{path} can't be written: {error.strerror}.") from error
    return made


def _ratio(timed: Latency) -> ReportedRatio:
    return ReportedRatio(ratio=timed.ratio, low=timed.ratio_low, high=timed.ratio_high, noisy=timed.noisy)


def read(results: Path, path: Path) -> ReproductionReport:
    """Read one reproduction report.

    Raises
    ------
    UserError
        When it is none, or lies where another belongs.
    """
    try:
        made = ReproductionReport.model_validate_json(path.read_bytes())
        belongs = place(made.record, made.event, made.machine)
        if results / belongs != path:
            raise ValueError(f"it belongs at {belongs}")
    except ValidationError as error:
        raise UserError(validation_message(error)) from error
    except (ValueError, RecursionError, OSError) as error:
        raise UserError(str(error)) from error
    return made


def differences(record: Record, timing: Timing | None, reproduction: ReproductionReport, spread: Spread) -> list[str]:
    """Return in what a repetition differs from its record, each in a few words; none: it agrees.

    Quality must be the same to the last digit, and so must the bytes of a rerun. The interval of its ratio to fp32 must
    meet that of the timing on the same machine, both widened by what lies between two runs (`measure.repeats`), where
    neither was disturbed.

    Parameters
    ----------
    record : Record
    timing : Timing or None
        Of the record's signature, on any machine: one of another machine isn't compared, which has other ratios.
    reproduction : ReproductionReport
    spread : Spread
    """
    if reproduction.status != record.status:
        return [f"status {record.status} → {reproduction.status}"]
    found = []
    if record.quality:
        for kind in ("metrics", "retention"):
            ours, theirs = getattr(record.quality, kind), getattr(reproduction, kind)
            for name in sorted(ours):
                if ours[name] != theirs.get(name):
                    what = name if kind == "metrics" else f"{name} retained"
                    found.append(f"{what} {_said(ours[name])} → {_said(theirs.get(name))}")
    if reproduction.event == "rerun":
        if record.bytes and reproduction.bytes != record.bytes.file:
            found.append(f"bytes {record.bytes.file:,} → {reproduction.bytes or 0:,}")
        if timing and timing.machine == reproduction.machine:
            found += _apart(timing, reproduction, spread)
    return found


def _said(figure: float | None) -> str:
    return "none" if figure is None else f"{figure:.6g}"


def _apart(timing: Timing, reproduction: ReproductionReport, spread: Spread) -> list[str]:
    found = []
    for each in timing.latency:
        pair = repetition_of(timing, each, reproduction, spread)
        if pair and not pair.meet:
            found.append(f"{each.scenario} / fp32 {_ends(pair.before, pair.within)} → {_ends(pair.after, pair.again)}")
    return found


def _ends(ratio: float, interval: tuple[float, float]) -> str:
    return f"{ratio:.3f} ({interval[0]:.3f}–{interval[1]:.3f})"


def brief(differs: Sequence[str]) -> str:
    """Return what matters most of differences, and how many more there are; nothing where there are none."""
    told = [each for each in differs if each.startswith(HEADLINE) and " retained " not in each] or list(differs[:1])
    rest = len(differs) - len(told)
    return "; ".join([*told, *([f"and {rest} more"] if rest else [])])


def repetition_of(
    timing: Timing, timed: Latency, reproduction: ReproductionReport, spread: Spread
) -> Repetition | None:
    """Return a timing's scenario beside its repetition; None where there is none, or one of them was disturbed."""
    again = reproduction.latency.get(timed.scenario)
    if again is None or timed.noisy or again.noisy:
        return None
    sd = spread.of(reproduction.machine, timed.scenario, timing.dataset)
    ends = widened(again.ratio, again.low, again.high, sd)
    return Repetition(timed.ratio, interval(timed, timing, spread), again.ratio, ends)
