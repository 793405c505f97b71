"""Ways to lead the run itself astray by what a stage answers and leaves: links, pipes, lies, half a message."""

import fcntl
import json
import os
import signal
import socket
import time
from collections.abc import Callable
from pathlib import Path

import torch

from recpress.codecs import Dense
from recpress.codecs.artefact import MANIFEST, TENSORS, Artefact

from .descriptors import answers
from .files import SET_FLAGS
from .system import libc

FORGED = "forged by an attacker"
DEPTH = 5_000


def links_to_a_secret(where: str) -> None:
    """Let the artefact lead to a file that the run may read and the method may not."""
    _when_saved(1, lambda folder: (folder / "note").symlink_to(where))


def links_to_a_folder(where: str) -> None:
    _when_saved(2, lambda folder: (folder / "notes").symlink_to(where, target_is_directory=True))


def links_its_manifest(where: str) -> None:
    _when_saved(3, lambda folder: _instead(folder / MANIFEST, lambda path: path.symlink_to(where)))


def leaves_a_pipe_beside(where: str) -> None:
    _when_saved(4, lambda folder: os.mkfifo(folder / "note"))


def leaves_a_pipe_for_tensors(where: str) -> None:
    _when_saved(5, lambda folder: _instead(folder / TENSORS, os.mkfifo))


def leaves_a_socket_beside(where: str) -> None:
    def bind(folder: Path) -> None:
        os.chdir(folder)  # The names of sockets are short.
        socket.socket(socket.AF_UNIX).bind("note")

    _when_saved(6, bind)


def nests_its_manifest(where: str) -> None:
    _when_saved(7, lambda folder: (folder / MANIFEST).write_text('{"users":' * 100_000))


def claims_other_params(where: str) -> None:
    """Say that it ran with other parameters, in no time, on no memory."""
    told = {"params": {"way": FORGED}, "seconds": 0.0, "peak_bytes": 1, "energy": [], "refresh": None}
    _when_saved(8, lambda folder: _send(json.dumps({"result": told}).encode()))


def claims_a_result_too_soon(where: str) -> None:
    """Say that it is done before there is any artefact."""
    told = {"params": {"way": FORGED}, "seconds": 0.0, "peak_bytes": 1, "energy": [], "refresh": None}
    _send(json.dumps({"result": told}).encode())


def answers_in_depth(where: str) -> None:
    """Nest what it answers deeper than a reader of it may go."""
    _send(b"[" * 1_000_000)


def answers_no_share(where: str) -> None:
    """Tell of progress what is no number, and go on."""
    for share in (b"NaN", b"1e999", b"-1e999"):
        for pipe in answers():
            os.write(pipe.fileno(), b'{"share": %s}\n' % share)


def answers_half(where: str) -> None:
    """Begin a message, and never finish it."""
    for pipe in answers():
        os.write(pipe.fileno(), b'{"share"')
    time.sleep(1_000)


def answers_slowly(where: str) -> None:
    """Finish a message, a byte a second, in hours."""
    for pipe in answers():
        for _ in range(10_000):
            os.write(pipe.fileno(), b" ")
            time.sleep(1)


def leaves_deep_folders(where: str) -> str:
    """Leave folders in folders, more than whoever removes them may call himself."""
    here = os.open(".", os.O_RDONLY)
    for _ in range(DEPTH):
        Path("d").mkdir()
        os.chdir("d")
    os.fchdir(here)
    return "deep folders: see whether they go"


def leaves_what_can_t_be_removed(where: str) -> str:
    """Leave a file that not even the administrator removes, unless he knows how."""
    with Path("for ever").open("wb") as file:
        fcntl.ioctl(file, SET_FLAGS, (0x10).to_bytes(8, "little"))
    return "a file that stays"


def leaves_a_closed_folder(where: str) -> str:
    Path("closed/inner").mkdir(parents=True)
    Path("closed/inner").chmod(0)
    Path("closed").chmod(0)
    return "a closed folder: see whether it goes"


def clears_its_death_signal(where: str) -> None:
    """Live on when the run and its server have gone."""
    libc.prctl(1, 0, 0, 0, 0)
    Path("hanging").touch()
    os.chdir("/")
    for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
        signal.signal(number, signal.SIG_IGN)
    time.sleep(1_000)


def _when_saved(more: int, then: Callable[[Path], object]) -> None:
    """Do something in the artefact's folder once it is full.

    The run keeps one artefact of each form: with some more columns, which change no score, this is the first of its.
    """
    save = Artefact.save

    def saving(self: Artefact, folder: Path) -> None:
        tables = (torch.nn.functional.pad(side.decode(), (0, more)) for side in (self.users, self.items))
        save(Artefact(*map(Dense.encode, tables)), folder)
        then(folder)

    Artefact.save = saving


def _instead(path: Path, make: Callable[[Path], object]) -> None:
    path.unlink()
    make(path)


def _send(message: bytes) -> None:
    for pipe in answers():
        left = message + b"\n"
        while left:
            left = left[os.write(pipe.fileno(), left) :]
    time.sleep(1_000)
