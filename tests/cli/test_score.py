"""An artefact written without this project is measured like one of its own (docs/reference/artefact-format.md)."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from recpress.isolation.sandbox import isolation
from recpress.records.record import read

DOC = Path(__file__).parents[2] / "benchmark" / "docs" / "reference" / "artefact-format.md"
CELL = ("--dataset", "synthetic-tiny", "--backbone", "mf")


def recpress(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "recpress.cli", *words], cwd=folder, capture_output=True, text=True, check=False
    )


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    folder = tmp_path_factory.mktemp("brought")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RECPRESS_CACHE", str(folder / "cache"))
        patch.delenv("RECPRESS_DATA", raising=False)
        done = recpress(folder, "compress", *CELL, "--method", "none", "--out", "fp32")
        assert done.returncode == 0, done.stderr
        script = DOC.read_text(encoding="utf-8").split("```python\n")[1].split("```")[0]
        assert "recpress" not in script
        subprocess.run([sys.executable, "-c", script], cwd=folder, check=True)
        yield folder


@pytest.fixture
def brought(made: Path, tmp_path: Path) -> Path:
    shutil.copytree(made / "mine", tmp_path / "mine")
    return tmp_path


def test_it_gets_the_figures_of_the_method_in_the_tree(brought: Path) -> None:
    done = recpress(brought, "score", "mine", "--name", "my-int8", *CELL, "--timing-seconds", "0")
    assert done.returncode == 0, done.stderr
    assert "my-int8" in done.stdout
    done = recpress(brought, "run", *CELL, "--method", "uniform", "--param", "bits=8", "--timing-seconds", "0")
    assert done.returncode == 0, done.stderr
    records = brought / "results" / "records" / "synthetic-tiny" / "mf"
    theirs = read(records / "my-int8" / "as-is.seed0.json")
    (ours,) = map(read, (records / "uniform").glob("*.json"))
    assert theirs.quality == ours.quality
    assert theirs.quality.doubtful == ()
    assert theirs.provenance.isolated == ours.provenance.isolated == (isolation() is None)
    assert theirs.bytes.breakdown["values"] == ours.bytes.breakdown["values"]
    assert abs(theirs.bytes.file - ours.bytes.file) < 100
    assert theirs.identity.checkpoint == ours.identity.checkpoint


def test_what_does_not_fit_is_refused(brought: Path) -> None:
    done = recpress(brought, "score", "mine", "--name", "uniform", *CELL)
    assert (done.returncode, "name of its own" in done.stderr) == (2, True)
    done = recpress(brought, "score", "mine", "--name", "../x", *CELL)
    assert (done.returncode, "not a name" in done.stderr) == (2, True)
    done = recpress(brought, "score", "nowhere", "--name", "x", *CELL)
    assert (done.returncode, "not an artefact folder" in done.stderr) == (2, True)
    manifest = json.loads((brought / "mine" / "manifest.json").read_text(encoding="utf-8"))
    manifest["items"]["columns"] = 7
    (brought / "mine" / "manifest.json").write_text(json.dumps(manifest), encoding="utf-8")
    done = recpress(brought, "score", "mine", "--name", "x", *CELL)
    assert (done.returncode, "not an artefact of format 1" in done.stderr) == (2, True)
    assert not (brought / "results").exists()


@pytest.mark.parametrize("name", ["manifest.json", "artefact.safetensors"])
def test_a_pipe_or_a_link_in_the_folder_is_one_sentence(brought: Path, name: str) -> None:
    path = brought / "mine" / name
    path.unlink()
    os.mkfifo(path)
    done = recpress(brought, "score", "mine", "--name", "my-codes", *CELL, "--timing-seconds", "0")
    assert done.returncode == 2
    assert done.stderr.strip().splitlines()[-1].startswith("recpress: ")
    assert "not a regular file" in done.stderr
    assert not (brought / "results").exists()
