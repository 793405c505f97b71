"""System calls that a stage has no need of, refused by the kernel (seccomp, Linux on x86-64 and 64-bit ARM).

Landlock holds a process to its files. It knows nothing of most sockets, of other processes' limits, of shared memory of
the System V kind, or of the mode and times of a file: these calls fail here, with EPERM, as if the right were lacking.
"""

from __future__ import annotations

import ctypes
import errno
import platform
import struct
from typing import Final

# Numbers by machine: linux/arch/x86/entry/syscalls/syscall_64.tbl, and linux/include/uapi/asm-generic/unistd.h for ARM.
# What isn't there on a machine has no number in its column.
_REFUSED: Final[dict[str, tuple[int | None, int | None]]] = {
    # The network, and sockets of other processes on this machine; what io_uring does isn't seen by a filter.
    "socket": (41, 198), "io_uring_setup": (425, 425), "io_uring_enter": (426, 426), "io_uring_register": (427, 427),
    # Other processes' memory and files.
    "ptrace": (101, 117), "process_vm_readv": (310, 270), "process_vm_writev": (311, 271), "kcmp": (312, 272),
    "pidfd_getfd": (438, 438), "process_madvise": (440, 440), "userfaultfd": (323, 282), "perf_event_open": (298, 241),
    "move_pages": (279, 239), "migrate_pages": (256, 238),
    # Other processes' turns on the processor, and its own cores.
    "sched_setparam": (142, 118), "sched_setscheduler": (144, 119), "sched_setattr": (314, 274),
    "sched_setaffinity": (203, 122), "ioprio_set": (251, 30),
    # What becomes of others' files, which their paths tell.
    "inotify_add_watch": (254, 27), "fanotify_init": (300, 262),
    # What outlives a process, in memory.
    "shmget": (29, 194), "semget": (64, 190), "msgget": (68, 186), "mq_open": (240, 180),
    "add_key": (248, 217), "request_key": (249, 218), "keyctl": (250, 219),
    # Files past their paths; their mode, owner, times and attributes, which Landlock leaves to whoever owns them.
    "name_to_handle_at": (303, 264), "open_by_handle_at": (304, 265),
    "chmod": (90, None), "fchmod": (91, 52), "fchmodat": (268, 53), "fchmodat2": (452, 452),
    "chown": (92, None), "fchown": (93, 55), "lchown": (94, None), "fchownat": (260, 54),
    "utime": (132, None), "utimes": (235, None), "futimesat": (261, None), "utimensat": (280, 88),
    "setxattr": (188, 5), "lsetxattr": (189, 6), "fsetxattr": (190, 7),
    "setxattrat": (463, 463), "file_setattr": (469, 469),
    "removexattr": (197, 14), "lremovexattr": (198, 15), "fremovexattr": (199, 16), "removexattrat": (466, 466),
    # Another view of the system, in which more is allowed.
    "unshare": (272, 97), "setns": (308, 268), "chroot": (161, 51), "pivot_root": (155, 41), "mount": (165, 40),
    "umount2": (166, 39), "open_tree": (428, 428), "move_mount": (429, 429), "fsopen": (430, 430),
    "fsmount": (432, 432), "mount_setattr": (442, 442), "bpf": (321, 280), "syslog": (103, 116),
}  # fmt: skip
# Calls that concern the caller when one argument is 0, and may concern others when it isn't: number, position.
_OWN_ALONE: Final[dict[str, tuple[int, int, int]]] = {
    "prlimit64": (302, 261, 0), "setpriority": (141, 140, 1),
}  # fmt: skip
_CLONE, _CLONE3, _IOCTL, _PRCTL = (56, 220), (435, 435), (16, 29), (157, 167)
# Typing into a terminal, and the flags of a file that can be read (FS_IOC_SETFLAGS, FS_IOC_FSSETXATTR).
_REQUESTS: Final = (0x5412, 0x4008_6602, 0x401C_5820)
NAMESPACES: Final = 0x7E02_0000  # CLONE_NEW*
# From linux/audit.h, by the name that the kernel gives the machine.
_MACHINES: Final = {"x86_64": (0, 0xC000_003E), "aarch64": (1, 0xC000_00B7)}
_X32: Final = 0x4000_0000  # The numbers of another table on x86-64 begin here.

# From linux/seccomp.h, linux/prctl.h and linux/bpf_common.h.
_PR_SET_PDEATHSIG, _PR_GET_SECCOMP, _PR_SET_SECCOMP, _MODE_FILTER = 1, 21, 22, 2
_ALLOW, _ERRNO = 0x7FFF_0000, 0x0005_0000
_LOAD, _RETURN, _IF_EQUAL, _IF_AT_LEAST, _IF_ANY = 0x20, 0x06, 0x15, 0x35, 0x45
_NUMBER_AT, _MACHINE_AT, _ARGUMENTS_AT = 0, 4, 16  # Offsets in struct seccomp_data.


class _Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("instructions", ctypes.c_char_p))


def numbers(machine: str) -> dict[str, int]:
    """Return the numbers of all calls that the filter knows on a machine ("x86_64", "aarch64")."""
    column = _MACHINES[machine][0]
    plain = {name: by_machine[column] for name, by_machine in _REFUSED.items()}
    own = {name: by_machine[column] for name, by_machine in _OWN_ALONE.items()}
    others = {"clone": _CLONE[column], "clone3": _CLONE3[column], "ioctl": _IOCTL[column], "prctl": _PRCTL[column]}
    return {name: number for name, number in (plain | own | others).items() if number is not None}


def available() -> bool:
    """Return whether this kernel can be given the filter, on a machine whose numbers are known."""
    if platform.machine() not in _MACHINES or struct.calcsize("P") != 8:
        return False
    return int(ctypes.CDLL(None).prctl(_PR_GET_SECCOMP, 0, 0, 0, 0)) >= 0


def restrict() -> None:
    """Refuse the calls to this thread and all that it starts. New privileges must have been given up before.

    Raises
    ------
    OSError
    """
    code = b"".join(_filter(platform.machine()))
    program = _Program(len(code) // 8, code)
    if ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_SECCOMP, _MODE_FILTER, ctypes.byref(program), 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "system calls can't be refused (seccomp)")


def _filter(machine: str) -> list[bytes]:
    """Return the filter's instructions."""
    number = numbers(machine)
    made = [
        _instruction(_LOAD, _MACHINE_AT),
        _instruction(_IF_EQUAL, _MACHINES[machine][1], 1, 0),
        _REFUSE,  # Calls of 32-bit programs have other numbers.
        _instruction(_LOAD, _NUMBER_AT),
        _instruction(_IF_AT_LEAST, _X32, 0, 1),
        _REFUSE,
    ]
    for name in _REFUSED:
        if name in number:
            made += [_instruction(_IF_EQUAL, number[name], 0, 1), _REFUSE]
    for name, (*_, position) in _OWN_ALONE.items():
        made += _by_argument(number[name], position, [_instruction(_IF_EQUAL, 0, 1, 0)])
    made += _by_argument(number["ioctl"], 1, [_instruction(_IF_EQUAL, each, 0, 1) for each in _REQUESTS])
    # Ending with the run is what it stays bound to.
    made += _by_argument(number["prctl"], 0, [_instruction(_IF_EQUAL, _PR_SET_PDEATHSIG, 0, 1)])
    made += _by_argument(number["clone"], 0, [_instruction(_IF_ANY, NAMESPACES, 0, 1)])
    # Its flags lie in memory, where a filter can't look: the C library takes `clone` where there is none.
    made += [_instruction(_IF_EQUAL, number["clone3"], 0, 1), _instruction(_RETURN, _ERRNO | errno.ENOSYS)]
    return [*made, _ALLOWED]


def _by_argument(number: int, position: int, tests: list[bytes]) -> list[bytes]:
    """Return what refuses a call where one of the tests of an argument doesn't skip the instruction behind it."""
    tested = [each for test in tests for each in (test, _REFUSE)]
    argument = _instruction(_LOAD, _ARGUMENTS_AT + 8 * position)
    return [_instruction(_IF_EQUAL, number, 0, len(tested) + 2), argument, *tested, _ALLOWED]


def _instruction(code: int, value: int, then: int = 0, otherwise: int = 0) -> bytes:
    """Return an instruction; a jump skips so many others where it holds, and so many where it doesn't."""
    return struct.pack("=HBBI", code, then, otherwise, value)


_REFUSE: Final = _instruction(_RETURN, _ERRNO | errno.EPERM)
_ALLOWED: Final = _instruction(_RETURN, _ALLOW)
