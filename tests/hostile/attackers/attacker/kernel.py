"""Ways to parts of the kernel that no method needs, and that walls around files don't close."""

import ctypes
import os
import signal
from collections.abc import Callable

from .system import call, libc

NEW_USER, NEW_NETWORK, NEW_MOUNTS = 0x10000000, 0x40000000, 0x00020000


def unshares_users(where: str) -> str:
    return _in_a_child(lambda: libc.unshare(NEW_USER))


def unshares_network(where: str) -> str:
    return _in_a_child(lambda: libc.unshare(NEW_NETWORK))


def unshares_mounts(where: str) -> str:
    return _in_a_child(lambda: libc.unshare(NEW_MOUNTS))


def joins_a_namespace(where: str) -> str:
    place = os.open("/proc/self/ns/net", os.O_RDONLY)
    return _in_a_child(lambda: libc.setns(place, 0))


def clones_users(where: str) -> str:
    return _gone(call("clone", NEW_USER | signal.SIGCHLD, 0, 0, 0, 0))


def clones_users_by_the_new_call(where: str) -> str:
    arguments = (ctypes.c_uint64 * 11)(NEW_USER, 0, 0, 0, signal.SIGCHLD)
    return _gone(call("clone3", arguments, ctypes.sizeof(arguments)))


def uses_a_ring(where: str) -> str:
    """Have the kernel make calls by itself, past whatever filters ours."""
    os.close(call("io_uring_setup", 1, ctypes.create_string_buffer(120)))
    return "a ring"


def loads_a_program(where: str) -> str:
    """Have a program run in the kernel: here, make the table that one would keep its findings in."""
    attributes = (ctypes.c_uint32 * 18)(2, 4, 4, 1)
    os.close(call("bpf", 0, attributes, ctypes.sizeof(attributes)))
    return "a table of the kernel's"


def opens_a_file_system(where: str) -> str:
    os.close(call("fsopen", b"tmpfs", 0))
    return "a file system to mount"


def opens_a_tree(where: str) -> str:
    """Take a copy of all mounts, which walls around paths may not know."""
    os.close(call("open_tree", -100, b"/", 0x8001))
    return "all mounts once more"


def _in_a_child(enter: Callable[[], int]) -> str:
    """Enter a namespace in a process without other threads, as the kernel wants it."""
    pid = os.fork()
    if pid == 0:
        os._exit(ctypes.get_errno() if enter() < 0 else 0)
    _, status = os.waitpid(pid, 0)
    if code := os.waitstatus_to_exitcode(status):
        raise OSError(code, os.strerror(code) if code > 0 else "the child was killed")
    return "a namespace"


def _gone(pid: int) -> str:
    if pid == 0:
        os._exit(0)
    os.waitpid(pid, 0)
    return "a process in a namespace of its own"
