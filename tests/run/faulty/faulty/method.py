import ctypes
import os
import pickle
import subprocess
import sys
import time
from pathlib import Path

import torch

from recpress.api import Artefact, Dense, Field, Method, Params, Shape, Task


class FaultyParams(Params):
    fault: str = Field("none", description="What goes wrong.")
    where: str = Field("", description="A path that the fault needs.")


class Faulty(Method[FaultyParams]):
    Params = FaultyParams

    def params_for(self, budget: int, shape: Shape) -> FaultyParams:
        return FaultyParams()

    def compress(self, task: Task[FaultyParams]) -> Artefact:
        getattr(self, f"_{task.params.fault}")(task.params.where)
        return Artefact(Dense.encode(task.backbone.users), Dense.encode(task.backbone.items))

    def _none(self, where: str) -> None:
        """Do nothing wrong."""

    def _hangs(self, where: str) -> None:
        self._sleeper(start_new_session=True)
        Path("hanging").touch()
        time.sleep(1000)

    def _hangs_deaf(self, where: str) -> None:
        import signal

        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, signal.SIG_IGN)
        time.sleep(1000)

    def _raises(self, where: str) -> None:
        raise ValueError("this is\nwhat went wrong")

    def _exits(self, where: str) -> None:
        os._exit(3)

    def _segfaults(self, where: str) -> None:
        ctypes.string_at(0)

    def _eats_memory(self, where: str) -> None:
        kept = []
        while True:
            kept.append(torch.ones(16_000_000))

    def _eats_memory_in_python(self, where: str) -> None:
        kept = []
        while True:
            kept.append(bytearray(64_000_000))

    def _fills_the_disk(self, where: str) -> None:
        with Path("much").open("wb") as file:
            while True:
                file.write(bytes(1 << 20))

    def _writes_outside(self, where: str) -> None:
        Path(where).write_text("I was here")

    def _writes_outside_without_python(self, where: str) -> None:
        libc = ctypes.CDLL(None, use_errno=True)
        if libc.creat(where.encode(), 0o644) < 0:
            raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()), where)

    def _writes_outside_by_a_link(self, where: str) -> None:
        Path("link").symlink_to(where)
        Path("link").write_text("I was here")

    def _reads_elsewhere(self, where: str) -> None:
        Path(where).read_bytes()

    def _leaves_children(self, where: str) -> None:
        self._sleeper(start_new_session=False)

    def _leaves_daemons(self, where: str) -> None:
        self._sleeper(start_new_session=True)

    def _leaves_daemons_and_crashes(self, where: str) -> None:
        self._sleeper(start_new_session=True)
        ctypes.string_at(0)

    def _sleeper(self, start_new_session: bool) -> None:
        code = "import time; time.sleep(1000)  # left by a faulty method"
        subprocess.Popen([sys.executable, "-c", code], start_new_session=start_new_session)

    def _answers_nonsense(self, where: str) -> None:
        """Write to the pipe to the parent what it doesn't expect, as a hostile method would."""
        import gc
        from multiprocessing.connection import Connection

        for pipe in [each for each in gc.get_objects() if isinstance(each, Connection)]:
            os.write(pipe.fileno(), pickle.dumps(Exploit(where)) + b"\n")

    def _claims_another_result(self, where: str) -> None:
        import gc
        from multiprocessing.connection import Connection

        for pipe in [each for each in gc.get_objects() if isinstance(each, Connection)]:
            os.write(pipe.fileno(), b'{"result": {"params": {"x": 1e999}, "seconds": "NaN", "peak_bytes": -1}}\n')
        time.sleep(1000)


class Exploit:
    def __init__(self, where: str) -> None:
        self.where = where

    def __reduce__(self):
        return Path.touch, (Path(self.where),)
