"""Records of older schema versions, rewritten as run and timing records of today; nothing is run.

A record of version 2 held quality, bytes and times at once, and its identity was a hash of source files. Its times
become a timing record, and its identity is made of declared versions, if the code that made it is that of version 1.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from recpress.codecs.artefact import Artefact, folder_breakdown
from recpress.codecs.signature import serving
from recpress.core.cards import validation_message
from recpress.core.errors import UserError, unwritable
from recpress.core.hashing import sha256_file, sha256_folder
from recpress.core.io import write_atomic
from recpress.core.paths import PACKAGE
from recpress.core.strict_json import parse
from recpress.experiments.cache_layout import per_user_path
from recpress.experiments.plan import make
from recpress.experiments.suite import spec_of_command
from recpress.records import record, timing
from recpress.records.record import Record, Serving, relative_path
from recpress.records.timing import Timing, run_id
from recpress.records.upgrade import embedded_timing, upgraded
from recpress.reproduce import report

# By method: the hashes of the code by which version 2 told runs apart and which is version 1 of it today.
FIRST_VERSIONS = PACKAGE / "records" / "schema" / "code.v2.json"


@dataclass
class Migrated:
    """Outcome of a migration.

    Attributes
    ----------
    before, after : Counter
        Records by status.
    timings : int
        Timing records written.
    old : list of str
        Runs whose code has changed since: their records stay, and are run anew when they are asked for.
    unsigned : list of str
        Runs whose codec tree isn't known, so that no other run shares their timing.
    """

    before: Counter[str] = field(default_factory=Counter)
    after: Counter[str] = field(default_factory=Counter)
    timings: int = 0
    old: list[str] = field(default_factory=list)
    unsigned: list[str] = field(default_factory=list)


def migrate(results: Path, artefacts: Path | None = None) -> Migrated:
    """Rewrite every record of an older version in a results folder; one that was stopped goes on.

    Parameters
    ----------
    results : Path
    artefacts : Path, optional
        Folder of artefacts by the hash of their run (`made` of a record's identity): from them come codec trees, also
        of runs that were migrated before without one.

    Raises
    ------
    UserError
        When a record can't be read or a file can't be written. What was migrated stays so.
    """
    told = Migrated()
    for path in sorted((results / "records").rglob("*.json")):
        raw = _read(path)
        told.before[str(raw.get("status"))] += 1
        try:
            apart = raw.get("schema_version") not in (1, 2)
            new, timed = _signed(results, path, artefacts, told) if apart else _migrated(raw, artefacts, told)
            if not apart or timed is not None:
                _write(results, path, new, timed)
        except ValidationError as error:
            raise UserError(f"{path} can't be migrated: {validation_message(error)}.") from error
        except OSError as error:
            raise unwritable(error, path) from error
        told.timings += timed is not None
        told.after[new.status] += 1
    return told


def _read(path: Path) -> dict[str, Any]:
    try:
        return parse(path.read_bytes())
    except ValueError as error:
        raise UserError(f"{path} is not a record: {error}.") from error


def _migrated(raw: dict[str, Any], artefacts: Path | None, told: Migrated) -> tuple[Record, Timing | None]:
    old = Record.model_validate(upgraded(raw, record.SCHEMA_VERSION))
    name = run_id(old.identity)
    new = old.model_copy(update={"serving": _serving(old, artefacts)})
    if new.serving is None and new.bytes is not None:
        told.unsigned.append(name)
    keys = _keys(old)
    if keys is None:
        told.old.append(name)
    else:
        _rename_per_user(old.identity.artefact_key, keys["artefact_key"])
        new = new.model_copy(update={"identity": old.identity.model_copy(update=keys)})
    embedded = embedded_timing(raw)
    named = {"signature": new.signature, "run": name}
    return new, None if embedded is None else Timing.model_validate(embedded | named)


def _signed(results: Path, path: Path, artefacts: Path | None, told: Migrated) -> tuple[Record, Timing | None]:
    """Describe how a migrated run is served, now that an artefact is at hand, and let its own timing follow."""
    earlier = record.read(path)
    if earlier.serving is not None or earlier.bytes is None:
        return earlier, None
    new = earlier.model_copy(update={"serving": _serving(earlier, artefacts)})
    own = timing.own(results, earlier)
    if new.serving is None or own is None:
        told.unsigned.append(run_id(earlier.identity))
        return earlier, None
    return new, own.model_copy(update={"signature": new.signature})


def _keys(old: Record) -> dict[str, str] | None:
    """Return the identity that a run of its command has today; None where its code was another."""
    if old.provenance.code not in _first_versions().get(old.identity.method, ()):
        return None
    try:
        (planned,) = make([spec_of_command(old.provenance.command)])
    except (ValueError, UserError):
        return None
    if planned.split != old.identity.split:
        return None
    return {"key": planned.id, "artefact_key": planned.artefact_key}


@cache
def _first_versions() -> dict[str, list[str]]:
    read: dict[str, list[str]] = json.loads(FIRST_VERSIONS.read_text(encoding="ascii"))
    return read


def _serving(old: Record, artefacts: Path | None) -> Serving | None:
    """Describe how a run is served, by an artefact that has its bytes or at least as many of each kind."""
    folder = artefacts / str(old.identity.artefact_key) if artefacts else None
    if folder is None or old.bytes is None or not folder.is_dir():
        return None
    same = sha256_folder(folder) == old.bytes.sha256
    if not same and dict(folder_breakdown(folder)) != old.bytes.breakdown:
        return None
    made = Artefact.load(folder)
    entities = made.users.shape[0] + made.items.shape[0]
    return serving(made, old.bytes.sha256 or sha256_folder(folder), old.bytes.reference // (4 * entities))


def _rename_per_user(before: str | None, after: str) -> None:
    """Let the cache find what it keeps of a run by the run's new name."""
    if before and (kept := per_user_path(before)).is_file():
        kept.replace(per_user_path(after))


def _write(results: Path, path: Path, new: Record, timed: Timing | None) -> None:
    """Write the parts, the record last: stopped between two, the same is done again."""
    text = record.text(new)
    for written in _reproductions(results, new):
        made = report.read(results, written)
        if made.sha256 == sha256_file(path):
            renewed = made.model_copy(update={"sha256": hashlib.sha256(text.encode()).hexdigest()})
            write_atomic(written, json.dumps(renewed.model_dump(mode="json"), indent=1, sort_keys=True) + "\n")
    if timed is not None:
        timing.write(results, timed)
    write_atomic(path, text)


def _reproductions(results: Path, new: Record) -> Iterator[Path]:
    place = report.place(relative_path(new.identity).as_posix(), "rerun", "any").parent
    yield from sorted((results / place).glob("*.json"))
