"""The notebook of the documentation: every cell runs, with nothing from a network."""

from __future__ import annotations

from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

import recpress as rp

NOTEBOOK = Path(__file__).parents[2] / "benchmark" / "docs" / "tutorial" / "notebook.ipynb"


def test_every_cell_runs(cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    # A cell that raises ends the test with its traceback.
    NotebookClient(notebook, timeout=120, resources={"metadata": {"path": str(tmp_path)}}).execute()
    shown = {
        cell.id: "".join(each.get("text", "") or each["data"]["text/plain"] for each in cell.outputs)
        for cell in notebook.cells
        if cell.cell_type == "code"
    }
    assert "200 users, 300 items" in "".join(shown.values())
    used = "".join(cell.source for cell in notebook.cells if cell.cell_type == "code")
    functions = [name for name in rp.__all__ if name.islower() and not name.startswith("_")]
    assert [name for name in functions if f"rp.{name}(" not in used] == []


def test_committed_outputs_are_small() -> None:
    assert NOTEBOOK.stat().st_size < 20_000
