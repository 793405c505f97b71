"""What a disk, a folder, a name or a pipe refuses is one sentence and exit code 2, and loses nothing."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
import synthetic

from recpress.core.io import write_atomic

LONG = "x" * 300
NOWHERE = "/sys/recpress"  # Where nobody may make anything, root neither.


@pytest.fixture(scope="module")
def results(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("plain") / "results"
    made = [synthetic.make("synthetic-small", "mf", "low_rank", "svd", variant, 0) for variant in synthetic.SETTINGS]
    return synthetic.write_folder(folder, made)


def recpress(*words: str, stdout: int = subprocess.PIPE, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "recpress.cli", *words],
        stdout=stdout,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | environment,
        check=False,
    )


def plain(told: subprocess.CompletedProcess[str]) -> str:
    assert told.returncode == 2, told.stderr
    assert told.stderr.startswith("recpress: ")
    assert told.stderr.count("\n") == 1
    return told.stderr


@pytest.mark.parametrize("out", [NOWHERE, LONG])
def test_a_site_that_can_not_be_written(results: Path, tmp_path: Path, out: str) -> None:
    plain(recpress("site", "--results", str(results), "--out", str(tmp_path / out)))
    assert not list(tmp_path.iterdir())


def test_a_file_where_a_folder_is_wanted(results: Path, tmp_path: Path) -> None:
    (tmp_path / "site").write_text("mine", encoding="utf-8")
    plain(recpress("site", "--results", str(results), "--out", str(tmp_path / "site")))
    plain(recpress("site", "--results", str(results), "--out", str(tmp_path / "site" / "below")))
    assert (tmp_path / "site").read_text(encoding="utf-8") == "mine"


def test_results_of_a_name_that_is_too_long(tmp_path: Path) -> None:
    plain(recpress("show", "--results", str(tmp_path / LONG)))


def test_a_cache_that_can_not_be_written(tmp_path: Path) -> None:
    words = ("train", "--dataset", "synthetic-tiny", "--backbone", "mf")
    plain(recpress(*words, RECPRESS_CACHE=NOWHERE))


def test_results_that_can_not_be_written(tmp_path: Path) -> None:
    words = ("run", "--dataset", "synthetic-tiny", "--backbone", "mf", "--method", "uniform", "--budget", "1/4")
    plain(recpress(*words, "--results", NOWHERE, RECPRESS_CACHE=str(tmp_path / "cache")))


@pytest.mark.parametrize("verb", [("show",), ("show", "--format", "json"), ("list", "methods"), ("--help",)])
def test_standard_output_that_is_full(results: Path, verb: tuple[str, ...]) -> None:
    words = (*verb, "--results", str(results)) if "show" in verb else verb
    with Path("/dev/full").open("w") as full:
        assert "No space left" in plain(recpress(*words, stdout=full.fileno()))


@pytest.mark.parametrize("form", ["table", "json"])
def test_nobody_reads_on(results: Path, form: str) -> None:
    """As `recpress show | head -1` ends: without a word, and not as if something had been found."""
    reading, writing = os.pipe()
    os.close(reading)
    told = recpress("show", "--results", str(results), "--format", form, stdout=writing)
    os.close(writing)
    assert (told.returncode, told.stderr) == (2, "")


def test_a_full_disk_leaves_what_was_there(tmp_path: Path, monkeypatch) -> None:
    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    write_atomic(tmp_path / "record.json", "before")
    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        write_atomic(tmp_path / "record.json", "after")
    assert [each.name for each in tmp_path.iterdir()] == ["record.json"]
    assert (tmp_path / "record.json").read_text(encoding="utf-8") == "before"
