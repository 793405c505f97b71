"""What an attacker must not reach: files, processes, servers, a terminal, all of them a test's own, and their state."""

from __future__ import annotations

import ctypes
import fcntl
import os
import pty
import resource
import select
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from multiprocessing import shared_memory
from pathlib import Path

from recpress.core.hashing import sha256_file

SECRET = b"a test label: user 7 likes item 11"
# A data set of a hundred pairs, as a file.
SET = "".join(f"{number // 10}\t{number % 10}\n" for number in range(100)).encode()
# How a process that waits to be attacked can be told from others.
ASLEEP = "import time; time.sleep(600)  # a canary of the tests"
libc = ctypes.CDLL(None, use_errno=True)
# From linux/fs.h and linux/keyctl.h.
GET_FLAGS, SET_FLAGS = 0x80086601, 0x40086602
USERS_KEYRING, SEARCH, UNLINK = -4, 10, 9
KEYCTL = {"x86_64": 250, "aarch64": 219}.get(os.uname().machine)


@dataclass
class Servers:
    """Listeners of a test, of every kind, and how often each was reached.

    Attributes
    ----------
    answer : bytes
        What they give to whoever asks.
    address : str
        Of TCP and UDP alike.
    """

    answer: bytes
    address: str = ""
    path: str = ""
    name: str = ""
    datagrams: str = ""
    reached: list[str] = field(default_factory=list)


@contextmanager
def servers(folder: Path, answer: bytes) -> Iterator[Servers]:
    """Listen by HTTP, UDP, and at Unix sockets with a path and with a name."""
    made = Servers(answer)

    class Handler(BaseHTTPRequestHandler):
        def setup(self) -> None:
            made.reached.append("tcp")
            self.timeout = 5.0
            super().setup()

        def do_GET(self) -> None:
            self.send_response(200)
            content = SET if self.path.endswith(".txt") else answer
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: object) -> None: ...

    mark = f"recpress-test-{os.getpid()}"
    with ExitStack() as stack:
        http = stack.enter_context(ThreadingHTTPServer(("127.0.0.1", 0), Handler))
        threading.Thread(target=http.serve_forever, daemon=True).start()
        stack.callback(http.shutdown)
        made.address = f"127.0.0.1:{http.server_address[1]}"
        made.path, made.name, made.datagrams = str(folder / "socket"), mark, f"{mark}-datagrams"
        bound: list[tuple[str, socket.socket]] = []
        for how, family, kind, where in (
            ("udp", socket.AF_INET, socket.SOCK_DGRAM, http.server_address),
            ("path", socket.AF_UNIX, socket.SOCK_STREAM, made.path),
            ("name", socket.AF_UNIX, socket.SOCK_STREAM, f"\0{made.name}"),
            ("datagrams", socket.AF_UNIX, socket.SOCK_DGRAM, f"\0{made.datagrams}"),
        ):
            listener = stack.enter_context(closing(socket.socket(family, kind)))
            listener.bind(where)
            bound.append((how, listener))
        ending, end = os.pipe()
        serving = threading.Thread(target=_serve, args=(made, bound, ending), daemon=True)
        serving.start()
        try:
            yield made
        finally:
            os.write(end, b"x")
            serving.join()
            os.close(ending)
            os.close(end)


def _serve(made: Servers, bound: list[tuple[str, socket.socket]], ending: int) -> None:
    for _, listener in bound:
        if listener.type == socket.SOCK_STREAM:
            listener.listen()
    while True:
        ready, *_ = select.select([ending, *(listener for _, listener in bound)], [], [])
        if ending in ready:
            return
        for how, listener in bound:
            if listener not in ready:
                continue
            made.reached.append(how)
            if listener.type == socket.SOCK_DGRAM:
                listener.recv(1_000)
                continue
            with listener.accept()[0] as asking, suppress(OSError):
                asking.settimeout(5)
                asking.sendall(made.answer)


@contextmanager
def asleep(token: str) -> Iterator[subprocess.Popen[bytes]]:
    """Start a process that sleeps, in a group of its own, with a token in its environment."""
    process = subprocess.Popen(
        [sys.executable, "-c", ASLEEP], env=os.environ | {"CANARY": token}, start_new_session=True
    )
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def state_of(process: subprocess.Popen[bytes]) -> dict[str, object]:
    """Return all that others could have changed of a process."""
    if process.poll() is not None:
        return {"ended": process.returncode}
    status = Path(f"/proc/{process.pid}/status").read_text()
    return {
        "files": resource.prlimit(process.pid, resource.RLIMIT_NOFILE),
        "nice": os.getpriority(os.PRIO_PROCESS, process.pid),
        "cores": os.sched_getaffinity(process.pid),
        "scheduler": os.sched_getscheduler(process.pid),
        "disk": libc.syscall(ctypes.c_long({"x86_64": 252}.get(os.uname().machine, 31)), 1, process.pid),
        "traced": status.partition("TracerPid:")[2].split()[0] != "0",
    }


def state_of_file(path: Path) -> dict[str, object]:
    """Return all that others could have changed of a file, other than when it was read."""
    if not path.exists():
        return {"exists": False}
    facts = path.stat()
    made: dict[str, object] = {
        "mode": oct(facts.st_mode),
        "owner": (facts.st_uid, facts.st_gid),
        "written": facts.st_mtime_ns,
        "links": facts.st_nlink,
        "content": sha256_file(path),
    }
    with suppress(OSError):
        made["notes"] = os.listxattr(path)
    with suppress(OSError):
        made["flags"] = _flags(path)
    return made


def _flags(path: Path) -> int:
    room = bytearray(8)
    with path.open("rb") as file:
        fcntl.ioctl(file, GET_FLAGS, room)
    return int.from_bytes(room[:4], "little")


def clear_flags(path: Path) -> None:
    """Let a file be removed again."""
    with suppress(OSError), path.open("rb") as file:
        fcntl.ioctl(file, SET_FLAGS, bytes(8))


@contextmanager
def shared(name: str, content: bytes) -> Iterator[Path]:
    """Make shared memory that somebody else needs; give its file."""
    memory = shared_memory.SharedMemory(name, create=True, size=len(content))
    memory.buf[: len(content)] = content
    try:
        yield Path("/dev/shm") / name
    finally:
        memory.close()
        with suppress(FileNotFoundError):
            memory.unlink()


@contextmanager
def terminal() -> Iterator[tuple[str, Callable[[], bytes]]]:
    """Give a terminal's path, and a function that returns what came out of it or was typed at it."""
    ours, theirs = pty.openpty()

    def seen() -> bytes:
        got = b""
        for end in (ours, theirs):
            os.set_blocking(end, False)
            with suppress(BlockingIOError):
                got += os.read(end, 1_000)
        return got

    try:
        yield os.ttyname(theirs), seen
    finally:
        os.close(ours)
        os.close(theirs)


def system_v_left(key: int) -> list[str]:
    """Return what of System V's is there by a key, and remove it."""
    found = []
    for kind, get, control, arguments in (
        ("memory", libc.shmget, libc.shmctl, (key, 0, 0)),
        ("semaphores", libc.semget, lambda number, command, _: libc.semctl(number, 0, command), (key, 0, 0)),
        ("messages", libc.msgget, libc.msgctl, (key, 0)),
    ):
        number = get(*arguments)
        if number >= 0:
            found.append(kind)
            control(number, 0, None)
    return found


def queue_left(name: str) -> bool:
    """Tell whether there is a message queue, and remove it."""
    return bool(libc.mq_unlink(name.encode()) == 0)


def key_left(name: str) -> bool:
    """Tell whether the kernel keeps a key for this user, and remove it."""
    if KEYCTL is None:
        return False
    call = ctypes.c_long(KEYCTL)
    number = libc.syscall(call, SEARCH, ctypes.c_long(USERS_KEYRING), b"user", name.encode(), 0)
    if number < 0:
        return False
    libc.syscall(call, UNLINK, number, ctypes.c_long(USERS_KEYRING))
    return True
