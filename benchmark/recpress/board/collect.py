"""Read a results folder for the board: what is a record, and what is refused and why.

A board shows what it can and names what it can't: one bad file never hides the others.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from recpress.cards import validation_message
from recpress.errors import UserError
from recpress.hashing import sha256_file
from recpress.record import SCHEMA_VERSION, Record, relative_path
from recpress.run import attest
from recpress.run.attest import Attestation
from recpress.schema.upgrade import upgraded

MAX_BYTES = 4_000_000
# Names become file names and links, so nothing else may be in them.
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+-]{0,79}")
MAX_SETTING = 160


@dataclass(frozen=True)
class Run:
    """A record and where it lies: ``<dataset>/<backbone>/<method>/<setting>.seed<seed>``."""

    id: str
    record: Record
    raw: dict[str, Any]
    sha256: str

    @property
    def file(self) -> str:
        """Where it lies in the results folder."""
        return f"records/{self.id}.json"


@dataclass(frozen=True)
class Refusal:
    """A file that is not shown, and why, in one sentence."""

    path: str
    reason: str


@dataclass(frozen=True)
class Collection:
    """Everything that a results folder holds."""

    runs: tuple[Run, ...]
    refused: tuple[Refusal, ...]
    machines: dict[str, dict[str, Any]]
    attestations: tuple[Attestation, ...] = ()


def _reject_constant(token: str) -> float:
    raise ValueError(f"it holds {token}, which JSON has no word for")


def _read_run(results: Path, path: Path) -> Run:
    """Read one record; ValueError says what is wrong with it."""
    size = path.stat().st_size
    if size > MAX_BYTES:
        raise ValueError(f"it has {size} bytes; a record has at most {MAX_BYTES}")
    text = path.read_bytes()
    try:
        raw = json.loads(text, parse_constant=_reject_constant)
    except json.JSONDecodeError as error:
        raise ValueError(f"it is not JSON: {error}") from error
    if not isinstance(raw, dict):
        raise ValueError("it is not a JSON object")
    try:
        raw = upgraded(raw, SCHEMA_VERSION)
    except UserError as error:
        raise ValueError(str(error)) from error
    record = Record.model_validate(raw)
    who = record.identity
    for field in ("dataset", "backbone", "family", "method"):
        value = getattr(who, field)
        if not NAME.fullmatch(value):
            raise ValueError(f"its {field} {value[:40]!r} is not a name (letters, digits and . _ + -, at most 80)")
    if not 0 < len(who.setting) <= MAX_SETTING:
        raise ValueError(f"its setting has {len(who.setting)} characters; 1 to {MAX_SETTING} are allowed")
    place = relative_path(who)
    if results / place != path:
        raise ValueError(f"its identity belongs at {place}")
    return Run(place.relative_to("records").as_posix().removesuffix(".json"), record, raw, sha256_file(path))


def collect(results: Path) -> Collection:
    """Read every record, machine and attestation of a results folder, in the order of their paths.

    Raises
    ------
    UserError
        When there is no such folder.
    """
    if not results.is_dir():
        raise UserError(
            f"There is no results folder {results}: `recpress run` makes one, or name yours with --results."
        )
    runs: list[Run] = []
    refused: list[Refusal] = []
    for path in sorted((results / "records").rglob("*.json")):
        try:
            runs.append(_read_run(results, path))
        except ValidationError as error:
            refused.append(Refusal(path.relative_to(results).as_posix(), validation_message(error)[:500]))
        except (ValueError, RecursionError, OSError) as error:
            refused.append(Refusal(path.relative_to(results).as_posix(), str(error)[:500]))
    machines: dict[str, dict[str, Any]] = {}
    for path in sorted((results / "machines").glob("*.json")):
        try:
            machine = json.loads(path.read_bytes(), parse_constant=_reject_constant)
            if not isinstance(machine, dict):
                raise ValueError("it is not a JSON object")
            machines[path.stem] = machine
        except (ValueError, RecursionError, OSError) as error:
            refused.append(Refusal(path.relative_to(results).as_posix(), str(error)[:500]))
    attestations: list[Attestation] = []
    for path in sorted((results / attest.FOLDER).rglob("*.json")):
        try:
            attestations.append(attest.read(results, path))
        except UserError as error:
            refused.append(Refusal(path.relative_to(results).as_posix(), str(error)[:500]))
    return Collection(tuple(runs), tuple(refused), machines, tuple(attestations))
