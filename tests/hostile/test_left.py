"""What a stage leaves is read by the run itself: no link is followed there, no pipe waited for, no number believed."""

from __future__ import annotations

import io
import os
import signal
import socket
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import ModuleType, SimpleNamespace

import numpy as np
import pytest
import torch
from canaries import SECRET

from recpress.codecs import Dense
from recpress.codecs.artefact import Artefact
from recpress.experiments import stages, worker
from recpress.isolation import leftovers
from recpress.isolation.processes import WorkFailed, call

USERS, ITEMS = 3, 200
SIGNATURE = "0" * 64
# A module that a stage can import.
WORK = r"""
import gc
import os
import time
from multiprocessing.connection import Connection
from pathlib import Path

import numpy as np
from numpy.typing import NDArray


def answers(report) -> NDArray[np.int32]:
    return np.arange(4, dtype=np.int32)


def leads_elsewhere(where: str, report) -> NDArray[np.int32]:
    Path("result.npy").symlink_to(where)
    _tell()


def makes_a_pipe(where: str, report) -> NDArray[np.int32]:
    os.mkfifo("result.npy")
    _tell()


def makes_a_folder(where: str, report) -> NDArray[np.int32]:
    Path("result.npy").mkdir()
    _tell()


def promises_much(where: str, report) -> NDArray[np.int32]:
    with Path("result.npy").open("wb") as file:
        header = {"descr": "<i4", "fortran_order": False, "shape": (10**12,)}
        np.lib.format.write_array_header_1_0(file, header)
    _tell()


def leads_what_it_saves_elsewhere(where: str, report) -> NDArray[np.int32]:
    Path("result.npy").symlink_to(where)
    return np.arange(4, dtype=np.int32)


def _tell():
    for pipe in [each for each in gc.get_objects() if type(each) is Connection]:
        os.write(pipe.fileno(), b'{"result": "result.npy"}\n')
    time.sleep(600)
"""


@contextmanager
def within(seconds: int) -> Iterator[None]:
    """Fail where something takes longer: whoever waits for a pipe waits for ever."""

    def late(*_: object) -> None:
        pytest.fail(f"it waits for what never comes, {seconds} s already")

    before = signal.signal(signal.SIGALRM, late)
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


@pytest.fixture(scope="module")
def work(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ModuleType]:
    folder = tmp_path_factory.mktemp("work")
    (folder / "left_work.py").write_text(WORK)
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(folder)
        yield __import__("left_work")
    sys.modules.pop("left_work", None)


def test_an_array_comes_back(work: ModuleType) -> None:
    assert call(work.answers, timeout=60).tolist() == [0, 1, 2, 3]


@pytest.mark.parametrize("way", ["leads_elsewhere", "makes_a_pipe", "makes_a_folder", "promises_much"])
def test_a_result_is_a_file_of_the_stage_s_own(work: ModuleType, tmp_path: Path, way: str) -> None:
    np.save(tmp_path / "secret.npy", np.arange(7, dtype=np.int32))
    with within(45), pytest.raises(WorkFailed):
        call(getattr(work, way), str(tmp_path / "secret.npy"), timeout=30)


def test_a_result_is_not_saved_through_a_link(work: ModuleType, tmp_path: Path) -> None:
    np.save(tmp_path / "other.npy", np.arange(7, dtype=np.int32))
    with suppress(WorkFailed):
        made = call(work.leads_what_it_saves_elsewhere, str(tmp_path / "other.npy"), timeout=40)
        assert made.tolist() == [0, 1, 2, 3]
    assert np.load(tmp_path / "other.npy").tolist() == [*range(7)]


def saved(array: np.ndarray) -> bytes:
    file = io.BytesIO()
    np.save(file, array)
    return file.getvalue()


def promising(shape: tuple[int, ...]) -> bytes:
    """Return the header of an array, without the array."""
    file = io.BytesIO()
    np.lib.format.write_array_header_1_0(file, {"descr": "<i4", "fortran_order": False, "shape": shape})
    return file.getvalue()


SOUND = saved(np.tile(np.arange(worker.DEPTH, dtype=np.int32), (USERS, 1)))
LISTS: dict[str, Callable[[Path], object]] = {
    "folder": Path.mkdir,
    "nothing": lambda path: None,
    "empty": Path.touch,
    "cut": lambda path: path.write_bytes(SOUND[:-4]),
    "promise": lambda path: path.write_bytes(promising((10**12, worker.DEPTH))),
    "negative": lambda path: path.write_bytes(promising((-3, worker.DEPTH))),
    "pickle": lambda path: np.save(path, np.array([[Path]], dtype=object), allow_pickle=True),
    "other type": lambda path: path.write_bytes(saved(np.zeros((USERS, worker.DEPTH)))),
    "other shape": lambda path: path.write_bytes(saved(np.zeros((USERS + 1, worker.DEPTH), np.int32))),
    "unknown items": lambda path: path.write_bytes(saved(np.full((USERS, worker.DEPTH), ITEMS, np.int32))),
}


@pytest.mark.parametrize("kind", LISTS)
def test_lists_are_a_file_of_the_stage_s_own(tmp_path: Path, kind: str) -> None:
    dataset = SimpleNamespace(split=SimpleNamespace(n_users=USERS, n_items=ITEMS))
    path = tmp_path / worker.TOPK
    LISTS[kind](path)
    with pytest.raises(WorkFailed, match="served lists"):
        stages._read_lists(path, dataset)


def test_sound_lists_are_read(tmp_path: Path) -> None:
    dataset = SimpleNamespace(split=SimpleNamespace(n_users=USERS, n_items=ITEMS))
    (tmp_path / worker.TOPK).write_bytes(SOUND)
    assert stages._read_lists(tmp_path / worker.TOPK, dataset).shape == (USERS, worker.DEPTH)


def bound(path: Path) -> None:
    """Put a socket somewhere, by a name as short as such names are."""
    before = Path.cwd()
    os.chdir(path.parent)
    try:
        socket.socket(socket.AF_UNIX).bind(path.name)
    finally:
        os.chdir(before)


def deep(path: Path) -> None:
    for _ in range(200):
        path = path / "d"
    path.mkdir(parents=True)


BESIDE: dict[str, Callable[[Path, Path], object]] = {
    "link": lambda path, outside: path.symlink_to(outside / "secret"),
    "link to a folder": lambda path, outside: path.symlink_to(outside),
    "dangling link": lambda path, outside: path.symlink_to(outside / "nothing"),
    "endless link": lambda path, outside: path.symlink_to(path),
    "endless device": lambda path, outside: path.symlink_to("/dev/zero"),
    "pipe": lambda path, outside: os.mkfifo(path),
    "socket": lambda path, outside: bound(path),
    "deep folders": lambda path, outside: deep(path),
}


@pytest.mark.parametrize("kind", BESIDE)
def test_what_is_no_regular_file_is_refused_and_removed(tmp_path: Path, kind: str) -> None:
    outside, left = tmp_path / "outside", tmp_path / "left"
    outside.mkdir()
    (outside / "secret").write_bytes(SECRET)
    Artefact(*(Dense.encode(torch.randn(rows, 4)) for rows in (USERS, ITEMS))).save(left)
    (left / "inner").mkdir()
    BESIDE[kind](left / "inner" / "note", outside)
    with within(20), pytest.raises(ValueError, match="it left"), leftovers.checked(left):
        pass
    assert list(left.iterdir()) == []
    assert (outside / "secret").read_bytes() == SECRET


def test_what_failed_is_cleared_too_and_fails_as_it_did(tmp_path: Path) -> None:
    left = tmp_path / "left"
    left.mkdir()
    deep(left / "note")
    with pytest.raises(KeyError, match="as it did"), leftovers.checked(left):
        raise KeyError("as it did")
    assert list(left.iterdir()) == []


def test_a_sound_artefact_is_kept(tmp_path: Path, cache: Path) -> None:
    made = Artefact(*(Dense.encode(torch.randn(rows, 4)) for rows in (USERS, ITEMS)))
    made.save(tmp_path / "artefact")
    stages.keep_artefact(tmp_path / "artefact", SIGNATURE)
    (kept,) = (cache / "artefacts").iterdir()
    assert Artefact.load(kept).kinds() == made.kinds()
