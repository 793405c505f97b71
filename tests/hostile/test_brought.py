"""What a stranger's folder may hold besides an artefact: refused before anything is read, allocated or followed."""

from __future__ import annotations

import json
import os
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow
import pytest
import torch

from recpress.codecs import Dense, Product, Uniform, Zstd, restore, untrusted
from recpress.codecs.artefact import MANIFEST, TENSORS, Artefact
from recpress.core.errors import UserError

SIZES = (20, 30)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    Artefact(*(Dense.encode(torch.randn(rows, 8)) for rows in SIZES)).save(tmp_path / "brought")
    return tmp_path / "brought"


def instead(path: Path, make: Callable[[Path], object]) -> None:
    path.unlink()
    make(path)


@pytest.mark.parametrize("name", [MANIFEST, TENSORS, "note"])
@pytest.mark.parametrize(
    "make",
    [os.mkfifo, Path.mkdir, lambda path: path.symlink_to("/etc/passwd"), lambda path: path.symlink_to("/dev/zero")],
)
def test_only_regular_files_are_read(folder: Path, tmp_path: Path, name: str, make: Callable[[Path], object]) -> None:
    (folder / name).touch()
    instead(folder / name, make)
    with pytest.raises(UserError) as told:
        untrusted.copy(folder, tmp_path / "copy", untrusted.most_bytes(sum(SIZES)))
    assert "\n" not in str(told.value)
    if name != "note":
        with pytest.raises(UserError, match="not a regular file"):
            Artefact.load(folder)


def test_sizes_and_numbers_of_files_are_bounded(folder: Path, tmp_path: Path) -> None:
    with (folder / TENSORS).open("r+b") as file:
        file.truncate(10**12)  # No byte of it is on the disk.
    with pytest.raises(UserError, match="too large"):
        untrusted.copy(folder, tmp_path / "a", 10**6)
    for number in range(20):
        (folder / f"{number}").touch()
    with pytest.raises(UserError, match="more than 16 files"):
        untrusted.copy(folder, tmp_path / "b", 10**6)
    with pytest.raises(UserError, match="not an artefact folder"):
        untrusted.copy(folder / MANIFEST, tmp_path / "c", 10**6)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"serve_form": "anything"}, "serve form"),
        ({"serve_form": "graph"}, "serve form"),
        ({"network": {}}, "serve form"),
        ({"users": {"kind": "constant", "rows": 10**12, "columns": 8}}, "more rows"),
        ({"users": {"kind": "hashed-network", "rows": 10**12, "widths": [4, 8]}}, "more rows"),
        ({"users": {"kind": "codebook", "rows": 20, "terms": 10**12}}, "more codewords"),
        ({"users": {"kind": "uniform", "columns": -8}}, "no count"),
        ({"format": 10**400}, "too large a number"),
    ],
)
def test_a_manifest_may_not_ask_for_more(folder: Path, change: dict[str, object], said: str) -> None:
    path = folder / MANIFEST
    path.write_text(json.dumps(json.loads(path.read_text()) | change), encoding="utf-8")
    with pytest.raises(UserError, match=said):
        untrusted.examine(folder, *SIZES)


@pytest.mark.parametrize("depth", [30, 900, 100_000])
def test_a_nested_manifest_is_one_sentence(folder: Path, depth: int) -> None:
    text = '{"kind":"zstd","tensors":[],"inner":' * depth + "0" + "}" * depth
    (folder / MANIFEST).write_text(f'{{"format":1,"serve_form":"table","users":{text},"items":{text}}}')
    with pytest.raises(UserError) as told:
        untrusted.examine(folder, *SIZES)
    assert "\n" not in str(told.value)
    with pytest.raises(UserError):
        Artefact.load(folder)


def test_what_is_no_number_and_other_sizes_are_refused(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="20 users and 30 items"):
        untrusted.examine(folder, 21, 30)
    tables = [torch.randn(rows, 8) for rows in SIZES]
    tables[0][3, 3] = torch.nan
    Artefact(*map(Dense, tables)).save(tmp_path / "nan")
    with pytest.raises(UserError, match="no number"):
        untrusted.examine(tmp_path / "nan", *SIZES)


def test_absurd_bits_are_refused_at_once() -> None:
    made = Product.encode(torch.randn(300, 8), 2, 4)
    with pytest.raises(ValueError, match="1 to 8 bits"):
        restore(made.spec() | {"code_bits": 2**31 - 1}, made.tensors())


def test_a_stream_unpacks_to_no_more_than_it_may_hold() -> None:
    made = Zstd.encode(Uniform.encode(torch.randn(50, 8), 4))
    bomb = pyarrow.Codec("zstd").compress(bytes(10**8)).to_pybytes()
    stream = torch.from_numpy(np.frombuffer(bomb, np.uint8).copy())
    options = made.options() | {"tensors": [["codes", "uint8", [10**8, 1]]]}
    tracemalloc.start()
    with pytest.raises(ValueError, match="can't hold"):
        Zstd.restore(options, {"stream": stream[:1000]})
    with pytest.raises(ValueError, match="zstd stream"):
        Zstd.restore(made.options(), {"stream": stream})
    assert tracemalloc.get_traced_memory()[1] < 10**7
    tracemalloc.stop()
