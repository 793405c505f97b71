"""Fixtures and rules that all tests share."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

if "PYTEST_XDIST_WORKER" in os.environ:
    # Before torch is imported: workers that each use every core spin on each other's.
    os.environ.setdefault("OMP_NUM_THREADS", "1")

SHARED = Path(__file__).resolve().parents[2] / "shared" / "data"


def data_dir() -> Path | None:
    """Return the folder of original files: RECPRESS_DATA, or the one beside the checkout."""
    value = os.environ.get("RECPRESS_DATA")
    folder = Path(value) if value else SHARED
    return folder if folder.is_dir() else None


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    if data_dir() is None:
        skip = pytest.mark.skip(reason="needs original data files: set RECPRESS_DATA")
        for item in items:
            if item.get_closest_marker("data"):
                item.add_marker(skip)


@pytest.fixture(scope="session")
def original_data() -> Path:
    """The folder of original files; use it in tests marked `data`."""
    folder = data_dir()
    assert folder is not None
    return folder


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache folder, and no RECPRESS_DATA."""
    folder = tmp_path / "cache"
    monkeypatch.setenv("RECPRESS_CACHE", str(folder))
    monkeypatch.delenv("RECPRESS_DATA", raising=False)
    return folder
