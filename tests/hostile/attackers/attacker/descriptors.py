"""Ways by what a stage has inherited: open files, pipes, the address of the fork server."""

import errno
import gc
import multiprocessing.context
import os
import pickle
import socket
import sys
import sysconfig
import tempfile
from collections.abc import Callable, Iterator
from io import BytesIO
from multiprocessing import forkserver, reduction
from multiprocessing.connection import Connection
from pathlib import Path

from .system import Refused

MARK = "I was here"


def holds_what_isn_t_its_own(where: str) -> str | None:
    """Look for open files other than the pipe to the parent, what lies in the scratch, and code."""
    answering = {str(Path(f"/proc/self/fd/{each.fileno()}").readlink()) for each in answers()}
    harmless = ("/dev/null", "/dev/zero", "/dev/urandom", "/dev/nvidia", "anon_inode:", "/memfd:", "/proc/")
    own = tuple(map(str, (Path.cwd(), *map(sysconfig.get_path, ("stdlib", "purelib")), sys.prefix, sys.base_prefix)))
    got = []
    for number in Path("/proc/self/fd").iterdir():
        try:
            leads_to = str(number.readlink())
        except FileNotFoundError:  # The listing's own.
            continue
        if leads_to not in answering and not leads_to.startswith((*harmless, *own)):
            got.append(f"{number.name} {leads_to}")
    return ", ".join(got) or None


def prints(where: str) -> None:
    """Write to whatever the run prints to, past Python and by it."""
    for number in (1, 2):
        os.write(number, f"\x1b]0;{MARK}\x07\n{{{MARK}".encode())
    print(MARK, flush=True)
    print(MARK, file=sys.stderr, flush=True)


def raises_escapes(where: str) -> None:
    raise PermissionError(errno.EPERM, f"\x1b[2J\x1b]0;{MARK}\x07 an error")


def reads_what_is_typed(where: str) -> str | None:
    """Take what was meant for the run."""
    got = os.read(0, 64)
    return f"{len(got)} bytes" if got else None


def is_forked_outside(where: str) -> str:
    fork(Path(where).write_text, MARK)
    return "a process outside: see the file"


def fork(function: Callable[..., object], *arguments: object) -> None:
    """Have the fork server start a process that calls a function: nobody has put it behind walls.

    Raises
    ------
    Refused
        When no server is found that would.
    """
    refusals = []
    for address in _servers():
        try:
            _ask(address, function, arguments)
            return
        except OSError as error:
            refusals.append(str(error))
    raise Refused("; ".join(refusals) or "no fork server is found")


def _servers() -> Iterator[str]:
    """Yield addresses of fork servers: as this process was told, and wherever such sockets lie."""
    known = forkserver._forkserver._forkserver_address
    if known:
        yield known
    for folder in (Path.cwd(), *Path.cwd().parents, Path(tempfile.gettempdir())):
        try:
            yield from map(str, folder.glob("pymp-*/listener-*"))
        except OSError:
            continue


def _ask(address: str, function: Callable[..., object], arguments: tuple[object, ...]) -> None:
    request, ours = os.pipe()
    told, server_tells = os.pipe()
    alive, tracker = os.open("/dev/null", os.O_RDONLY), os.open("/dev/null", os.O_RDONLY)
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(address)
        reduction.sendfds(client, [request, server_tells, alive, tracker])
    os.close(server_tells)
    process = multiprocessing.context.ForkServerProcess(target=function, args=arguments)
    multiprocessing.context.set_spawning_popen(process)
    message = BytesIO()
    pickle.dump({"name": "outside", "sys_path": sys.path}, message)
    reduction.dump(process, message)
    os.write(ours, message.getvalue())
    # The number of the process and, when it has ended, its exit code.
    for _ in range(2):
        os.read(told, 8)


def answers() -> list[Connection]:
    """Return the pipe to the parent, wherever it is held."""
    return [each for each in gc.get_objects() if type(each) is Connection and not each.closed]
