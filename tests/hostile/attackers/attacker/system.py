"""System calls as hostile code makes them: past Python, and past what the C library wraps."""

import ctypes
import os
import platform

libc = ctypes.CDLL(None, use_errno=True)
# From asm/unistd.h. What has come since 2019 has the same number on every machine.
SINCE_2019 = {
    "pidfd_send_signal": 424, "io_uring_setup": 425, "open_tree": 428, "fsopen": 430, "clone3": 435,
    "pidfd_getfd": 438, "fchmodat2": 452, "setxattrat": 463, "file_setattr": 469,
}  # fmt: skip
OF_MACHINE = {
    "x86_64": {"clone": 56, "add_key": 248, "keyctl": 250, "ioprio_set": 251, "perf_event_open": 298, "bpf": 321},
    "aarch64": {"clone": 220, "add_key": 217, "keyctl": 219, "ioprio_set": 30, "perf_event_open": 241, "bpf": 280},
}


class Refused(Exception):
    """There is nothing here to make this attack with."""


def call(name: str, *arguments: int | bytes | ctypes.Array | None) -> int:
    """Make a system call by name.

    Raises
    ------
    OSError
    """
    numbers = SINCE_2019 | OF_MACHINE.get(platform.machine(), {})
    if name not in numbers:
        raise Refused(f"the number of {name} on {platform.machine()} isn't known")
    # Integers go as longs: the C library would take half of each.
    passed = [ctypes.c_long(each) if isinstance(each, int) else each for each in arguments]
    return checked(libc.syscall(ctypes.c_long(numbers[name]), *passed))


def checked(result: int) -> int:
    """Return what a function of the C library returned, or raise OSError as it says."""
    if result < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return int(result)
