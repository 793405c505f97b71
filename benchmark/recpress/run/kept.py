"""What a run keeps in the cache, and where: trained backbones, artefacts to time, per-user results, logs."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from recpress.paths import cache_dir

if TYPE_CHECKING:
    from recpress.run.identity import Planned


def backbone_path(planned: Planned) -> Path:
    """Return the folder of a cell's trained backbone."""
    return cache_dir() / "backbones" / planned.backbone_key


def per_user_path(made: str) -> Path:
    """Return where what was served, and its per-user metrics, are kept: in the cache, not in git.

    Parameters
    ----------
    made : str
        Of `recpress.run.identity.Planned`, or of a record's identity.
    """
    return cache_dir() / "per-user" / f"{made}.parquet"


def artefact_path(signature: str) -> Path:
    """Return the folder of the artefact that is kept to time a serving signature."""
    return cache_dir() / "artefacts" / signature


def log_of(cell: str) -> Path:
    """Return where the log of a cell is kept, by its hash."""
    return cache_dir() / "logs" / f"{cell}.txt"
