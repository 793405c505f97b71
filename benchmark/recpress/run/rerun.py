"""Cells of a results folder, drawn at random and run again from training, beside what their records say."""

from __future__ import annotations

import os
import random
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from recpress import record
from recpress.errors import UserError
from recpress.paths import cache_dir
from recpress.record import Record
from recpress.run.suite import Cell, cell_of_command

# What a cache holds of raw data: reading it again would only ask the network for the same checked bytes.
RAW = ("raw", "ogb", "own")


def draw(results: Path, count: int, seed: int) -> list[tuple[Record, Cell]]:
    """Draw records that have figures, each as likely as any other; the same folder and seed give the same draw.

    Returns
    -------
    list
        Records with the cells that they are of, in the order of their paths, so that cells of one backbone follow each
        other.

    Raises
    ------
    UserError
        When there are fewer. Records that no cell of ours makes (artefacts brought from elsewhere) are not drawn.
    """
    able = [pair for made in record.read_all(results) if made.quality and (pair := _with_cell(made))]
    if not 0 < count <= len(able):
        raise UserError(f"{results} holds {len(able)} records that can be run again: draw at most so many, at least 1.")
    places = random.Random(seed).sample(range(len(able)), count)
    return [able[place] for place in sorted(places)]


def _with_cell(made: Record) -> tuple[Record, Cell] | None:
    try:
        return made, cell_of_command(made.provenance.command)
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


def found(drawn: Sequence[tuple[Record, Cell]], results: Path) -> Iterator[tuple[Record, Record]]:
    """Return each drawn record with what running it again left in another folder.

    Raises
    ------
    UserError
        When a cell left nothing.
    """
    for made, cell in drawn:
        path = results / record.relative_path(made.identity)
        if not path.is_file():
            raise UserError(f"{cell.label} left no record: its run was stopped. Start again with the same seed.")
        yield made, record.read(path)
