"""Locations: the checkout, the packaged resources, the cache."""

from __future__ import annotations

import os
from pathlib import Path

import platformdirs

PACKAGE = Path(__file__).resolve().parent.parent
# The environment variable of folders with methods of the user's own, separated as in PATH; workers read it, too.
PLUGINS = "RECPRESS_PLUGINS"


def checkout_root() -> Path | None:
    """Return the root of the source checkout that this package is imported from, or None for a wheel."""
    root = PACKAGE.parent.parent
    return root if PACKAGE.parent.name == "benchmark" and (root / "pyproject.toml").is_file() else None


def resources(kind: str) -> Path:
    """Return the folder of packaged resources of one kind.

    Parameters
    ----------
    kind : {"methods", "datasets", "suites", "configs"}
        In a checkout the first two lie at its root and the others in ``benchmark/``; a wheel has all
        four inside the package.
    """
    root = checkout_root()
    if root is None:
        return PACKAGE / kind
    return root / kind if kind in ("methods", "datasets") else root / "benchmark" / kind


def cache_dir() -> Path:
    """Return the cache folder: ``RECPRESS_CACHE``, or the platform's own place. It may not exist yet."""
    override = os.environ.get("RECPRESS_CACHE")
    return Path(override).expanduser() if override else platformdirs.user_cache_path("recpress")
