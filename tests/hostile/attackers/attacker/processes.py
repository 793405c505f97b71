"""Ways to do something to another process, or to see into it; and to shed limits of one's own."""

import ctypes
import fcntl
import os
import resource
import signal
from collections.abc import Iterator
from pathlib import Path

from .system import Refused, call, checked, libc

# As long as the stage lives, the fork server is its parent.
SERVER = os.getppid()
PTRACE_SEIZE, SIGNAL_OF_PIPES = 0x4206, 10
PERF_ATTRIBUTES = 128


def kills(where: str) -> str:
    os.kill(int(where), signal.SIGKILL)
    return "a process killed"


def terminates(where: str) -> str:
    os.kill(int(where), signal.SIGTERM)
    return "a process ended"


def kills_a_group(where: str) -> str:
    os.killpg(int(where), signal.SIGUSR1)
    return "a group killed"


def kills_by_descriptor(where: str) -> str:
    signal.pidfd_send_signal(os.pidfd_open(int(where)), signal.SIGKILL)
    return "a process killed"


def kills_a_thread(where: str) -> str:
    checked(libc.tgkill(int(where), int(where), signal.SIGKILL))
    return "a thread killed"


def queues_a_signal(where: str) -> str:
    checked(libc.sigqueue(int(where), signal.SIGUSR1, ctypes.c_void_p(0)))
    return "a signal queued"


def kills_as_owner_of_a_pipe(where: str) -> str:
    """Let the kernel send the signal, as it does to whoever owns a pipe that can be read."""
    reading, writing = os.pipe()
    fcntl.fcntl(reading, fcntl.F_SETOWN, int(where))
    fcntl.fcntl(reading, SIGNAL_OF_PIPES, signal.SIGKILL)
    fcntl.fcntl(reading, fcntl.F_SETFL, os.O_ASYNC | os.O_NONBLOCK)
    os.write(writing, b"x")
    return "whatever the kernel sent: see the process"


def finds_its_parents_alive(where: str) -> str:
    os.kill(SERVER, 0)
    return "its parent could be signalled"


def limits(where: str) -> str:
    resource.prlimit(int(where), resource.RLIMIT_NOFILE, (16, 16))
    return "another's limit set"


def reads_limits(where: str) -> str:
    return f"another's limit is {resource.prlimit(int(where), resource.RLIMIT_NOFILE)}"


def slows(where: str) -> str:
    os.setpriority(os.PRIO_PROCESS, int(where), 19)
    return "another slowed down"


def pins(where: str) -> str:
    os.sched_setaffinity(int(where), {min(os.sched_getaffinity(int(where)))})
    return "another pinned to a core"


def idles(where: str) -> str:
    os.sched_setscheduler(int(where), os.SCHED_IDLE, os.sched_param(0))
    return "another runs when nobody else does"


def slows_the_disk(where: str) -> str:
    call("ioprio_set", 1, int(where), 3 << 13)
    return "another's disk slowed down"


def traces(where: str) -> str:
    checked(libc.ptrace(PTRACE_SEIZE, int(where), None, None))
    return "another traced"


def counts_events(where: str) -> str:
    attributes = ctypes.create_string_buffer(PERF_ATTRIBUTES)
    attributes[0:8] = (1 | PERF_ATTRIBUTES << 32).to_bytes(8, "little")  # A software counter: of the clock.
    os.close(call("perf_event_open", attributes, int(where), -1, -1, 0))
    return "a counter on another"


def takes_a_descriptor(where: str) -> str:
    os.close(call("pidfd_getfd", os.pidfd_open(int(where)), 0, 0))
    return "another's file"


def reads_environment(where: str) -> str:
    """Read the environment of a process, or of everybody above this one."""
    for pid in [where] if where else _above():
        found = Path(f"/proc/{pid}/environ").read_bytes()
    return f"{len(found)} bytes"


def reads_its_own_environment(where: str) -> str | None:
    """Look for what the run was started with in what this process was started with."""
    given = Path("/proc/self/environ").read_bytes() + repr(dict(os.environ)).encode()
    return "the canary" if where.encode() in given else None


def reads_command_line(where: str) -> str:
    return f"{len(Path(f'/proc/{where}/cmdline').read_bytes())} bytes"


def reads_by_anothers_root(where: str) -> str:
    return f"{len(list(Path(f'/proc/{where}/root').iterdir()))} entries"


def reads_memory(where: str) -> str:
    """Read the fork server's memory, where everything lies as it does here."""
    with Path(f"/proc/{SERVER}/mem").open("rb", buffering=0) as memory:
        memory.seek(id(Path))
        return f"{len(memory.read(64))} bytes"


def writes_memory(where: str) -> str:
    with Path(f"/proc/{where}/mem").open("r+b", buffering=0):
        return "another's memory to write in"


def reads_memory_by_call(where: str) -> str:
    class Part(ctypes.Structure):
        _fields_ = (("start", ctypes.c_void_p), ("length", ctypes.c_size_t))

    here = ctypes.create_string_buffer(64)
    ours, theirs = Part(ctypes.addressof(here), 64), Part(id(Path), 64)
    read = libc.process_vm_readv(SERVER, ctypes.byref(ours), 1, ctypes.byref(theirs), 1, 0)
    return f"{checked(read)} bytes"


def lifts_its_limits(where: str) -> str:
    try:
        resource.setrlimit(resource.RLIMIT_DATA, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    except ValueError as error:  # As Python puts it.
        raise Refused(str(error)) from error
    return "all the memory there is"


def is_spared(where: str) -> str:
    """Let others be ended when memory is short."""
    path = Path("/proc/self/oom_score_adj")
    before = int(path.read_text())
    path.write_text(str(before - 1))
    path.write_text(str(before))
    return "others end first"


def has_capabilities(where: str) -> str | None:
    status = Path("/proc/self/status").read_text()
    held = {line.partition(":")[0]: int(line.split()[1], 16) for line in status.splitlines() if line.startswith("Cap")}
    got = [name for name in ("CapEff", "CapPrm", "CapInh", "CapAmb") if held[name]]
    return ", ".join(got) or None


def _above() -> Iterator[int]:
    pid = SERVER
    while pid > 1:
        yield pid
        status = Path(f"/proc/{pid}/status").read_text()
        pid = int(status.partition("PPid:")[2].split()[0])
