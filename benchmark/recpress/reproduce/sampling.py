"""Runs of a results folder, drawn at random and made again from training, beside what their records say."""

from __future__ import annotations

import os
import random
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from recpress.core.errors import UserError
from recpress.core.hashing import sha256_file
from recpress.core.paths import cache_dir
from recpress.experiments.identity import PlannedRun
from recpress.experiments.suite import RunSpec, spec_of_command
from recpress.measure.machine import fingerprint
from recpress.records import record
from recpress.records.record import Record
from recpress.reproduce.report import ReproductionReport, place, read

# What a cache holds of raw data: reading it again would only ask the network for the same checked bytes.
RAW = ("raw", "ogb", "own")


def draw(results: Path, records: Sequence[Record], count: int, seed: int) -> list[tuple[Record, RunSpec]]:
    """Draw records that have figures, each as likely as any other; the same folder and seed give the same draw.

    Parameters
    ----------
    results : Path
    records : sequence of Record
        All of the folder's, in order.
    count, seed : int

    Returns
    -------
    list
        Records with the specs of their runs, in the order of their paths, so that runs of one backbone follow each
        other.

    Raises
    ------
    UserError
        When there are fewer. Records that no run of ours makes (artefacts brought from elsewhere) are not drawn.
    """
    able = [pair for result in records if result.quality and (pair := _with_spec(result))]
    if not able:
        raise UserError(f"{results} holds no records that can be run again: name another folder with --results.")
    if not 0 < count <= len(able):
        raise UserError(f"{results} holds {len(able)} records that can be run again: draw at most so many, at least 1.")
    places = random.Random(seed).sample(range(len(able)), count)
    return [able[place] for place in sorted(places)]


def drawable(records: Sequence[Record]) -> int:
    """Return how many of these records `draw` can draw."""
    return sum(result.quality is not None and _with_spec(result) is not None for result in records)


def _with_spec(result: Record) -> tuple[Record, RunSpec] | None:
    try:
        return result, spec_of_command(result.provenance.command)
    except ValueError:
        return None


@contextmanager
def empty_cache() -> Iterator[None]:
    """Work with a cache that holds raw data alone: all else is made again, and is gone afterwards."""
    before, real = os.environ.get("RECPRESS_CACHE"), cache_dir()
    with tempfile.TemporaryDirectory(prefix="recpress-rerun-") as name:
        for kind in RAW:
            if (real / kind).is_dir():
                (Path(name) / kind).symlink_to(real / kind)
        os.environ["RECPRESS_CACHE"] = name
        try:
            yield
        finally:
            if before is None:
                del os.environ["RECPRESS_CACHE"]
            else:
                os.environ["RECPRESS_CACHE"] = before


def repetition(results: Path, result: Record, planned: PlannedRun, *, trained: bool) -> ReproductionReport | None:
    """Return what this machine found when it ran a record again before.

    Parameters
    ----------
    results : Path
        The record's folder.
    result : Record
    planned : PlannedRun
        Its run, with the identity that the present code gives it.
    trained : bool
        Whether the backbone must have been trained anew, too.

    Returns
    -------
    ReproductionReport or None
        None where it hasn't, or where the record or the code has changed since.
    """
    file = record.relative_path(result.identity)
    path = results / place(file.as_posix(), "rerun", fingerprint().fingerprint)
    if planned.id != result.identity.key or not path.is_file():
        return None
    found = read(results, path)
    return found if found.sha256 == sha256_file(results / file) and found.trained >= trained else None
