"""What a run keeps in the cache, and where: trained backbones, artefacts to time, per-user results, logs."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from recpress.core.paths import cache_dir

if TYPE_CHECKING:
    from recpress.experiments.identity import PlannedRun


def backbone_path(planned: PlannedRun) -> Path:
    """Return the folder of a run's trained backbone."""
    return cache_dir() / "backbones" / planned.backbone_key


def per_user_path(artefact_key: str) -> Path:
    """Return where what was served, and its per-user metrics, are kept: in the cache, not in git.

    Parameters
    ----------
    artefact_key : str
        Of `recpress.experiments.identity.PlannedRun`, or `made` of a record's identity.
    """
    return cache_dir() / "per-user" / f"{artefact_key}.parquet"


def artefact_path(signature: str) -> Path:
    """Return the folder of the artefact that is kept to time a serving signature."""
    return cache_dir() / "artefacts" / signature


def log_of(run: str) -> Path:
    """Return where the log of a run is kept, by the hash that is its identity."""
    return cache_dir() / "logs" / f"{run}.txt"
