"""Ways to other people's files: to read or change them, and what may be done to a file without opening it."""

import ctypes
import fcntl
import os
import stat
import termios
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from .system import Refused, call, checked, libc

HERE, NODUMP = -100, 0x40
GET_FLAGS, SET_FLAGS = 0x80086601, 0x40086602


def reads(where: str) -> str:
    return f"{len(Path(where).read_bytes())} bytes"


def lists(where: str) -> str:
    return f"{len(list(Path(where).iterdir()))} entries"


def lists_the_run(where: str) -> str:
    """List where the run's other stages have their scratch folders and artefacts."""
    return f"{len(list(Path.cwd().parent.iterdir()))} entries"


def writes_in_the_run(where: str) -> str:
    for folder in (Path.cwd().parent, *Path.cwd().parent.iterdir()):
        if folder != Path.cwd():
            (folder / "left by an attacker").touch()
    return "a file beside its scratch"


def makes_anything(where: str) -> str | None:
    """Make a file of each kind in a folder."""
    source, got = Path("own"), []
    source.touch()
    makers: dict[str, Callable[[Path], object]] = {
        "file": Path.touch,
        "folder": Path.mkdir,
        "pipe": os.mkfifo,
        "device": lambda path: os.mknod(path, stat.S_IFCHR | 0o600, os.makedev(1, 5)),
        "link": lambda path: path.symlink_to("/"),
        "hard-link": lambda path: path.hardlink_to(source),
        "renamed": lambda path: source.rename(path),
    }
    for name, make in makers.items():
        with suppress(OSError):
            make(Path(where) / name)
            got.append(name)
    if not got:
        raise Refused("nothing could be made")
    return ", ".join(got)


def removes(where: str) -> str:
    Path(where).unlink()
    return "a file removed"


def cuts(where: str) -> str:
    os.truncate(where, 0)
    return "a file emptied"


def takes(where: str) -> str:
    """Bring a file into its own folder, where it may read."""
    Path("taken").hardlink_to(where)
    return f"{len(Path('taken').read_bytes())} bytes"


def moves(where: str) -> str:
    Path(where).rename("moved")
    return f"{len(Path('moved').read_bytes())} bytes"


def makes_a_device(where: str) -> str:
    """Make a device of its own: one of the disk would show all files. This one is /dev/zero."""
    os.mknod("device", stat.S_IFCHR | 0o600, os.makedev(1, 5))
    return f"{len(os.read(os.open('device', os.O_RDONLY), 1))} byte"


def opens_by_handle(where: str) -> str:
    class Handle(ctypes.Structure):
        _fields_ = (("room", ctypes.c_uint), ("kind", ctypes.c_int), ("name", ctypes.c_ubyte * 128))

    handle, mount = Handle(128), ctypes.c_int()
    name = where.encode()
    checked(libc.name_to_handle_at(HERE, name, ctypes.byref(handle), ctypes.byref(mount), 0))
    place = os.open(".", os.O_RDONLY)
    found = checked(libc.open_by_handle_at(place, ctypes.byref(handle), os.O_RDONLY))
    return f"{len(os.read(found, 64))} bytes"


def changes_mode(where: str) -> str:
    Path(where).chmod(0o666)
    return "a mode changed"


def changes_mode_by_the_new_call(where: str) -> str:
    call("fchmodat2", HERE, where.encode(), 0o666, 0)
    return "a mode changed"


def changes_mode_by_descriptor(where: str) -> str:
    with Path(where).open("rb") as file:
        os.fchmod(file.fileno(), 0o666)
    return "a mode changed"


def changes_owner(where: str) -> str:
    os.chown(where, os.getuid(), os.getgid() + 1)
    return "an owner changed"


def changes_owner_by_descriptor(where: str) -> str:
    with Path(where).open("rb") as file:
        os.fchown(file.fileno(), os.getuid(), os.getgid() + 1)
    return "an owner changed"


def changes_times(where: str) -> str:
    os.utime(where, (1, 1))
    return "a time changed"


def changes_times_by_descriptor(where: str) -> str:
    with Path(where).open("rb") as file:
        os.utime(file.fileno(), (1, 1))
    return "a time changed"


def notes_on_a_file(where: str) -> str:
    os.setxattr(where, "user.attacker", b"I was here")
    return "a note"


def notes_on_a_file_by_the_new_call(where: str) -> str:
    class Note(ctypes.Structure):
        _fields_ = (("value", ctypes.c_char_p), ("size", ctypes.c_uint32), ("flags", ctypes.c_uint32))

    note = Note(b"I was here", 10, 0)
    call("setxattrat", HERE, where.encode(), 0, b"user.attacker", ctypes.byref(note), ctypes.sizeof(note))
    return "a note"


def notes_on_a_file_by_descriptor(where: str) -> str:
    with Path(where).open("rb") as file:
        os.setxattr(file.fileno(), "user.attacker", b"I was here")
    return "a note"


def sets_flags(where: str) -> str:
    flags = bytearray(8)
    with Path(where).open("rb") as file:
        fcntl.ioctl(file, GET_FLAGS, flags)
        flags[0] |= NODUMP
        fcntl.ioctl(file, SET_FLAGS, flags)
    return "a flag set"


def sets_flags_by_the_new_call(where: str) -> str:
    attributes = ctypes.create_string_buffer(0x80.to_bytes(8, "little"), 24)  # Not to be dumped.
    call("file_setattr", HERE, where.encode(), attributes, 24, 0)
    return "a flag set"


def locks(where: str) -> str:
    """Take a lock that others wait for."""
    with Path(where).open("rb") as file:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    return "a lock"


def watches(where: str) -> str:
    """Be told what others do in a folder."""
    checked(libc.inotify_add_watch(checked(libc.inotify_init1(os.O_NONBLOCK)), where.encode(), 0xFFF))
    return "a watch on others' files"


def types_at_a_terminal(where: str) -> str:
    """Type a command, as if the user had."""
    terminal = os.open(where, os.O_RDONLY | os.O_NOCTTY)
    for letter in b"I was here\n":
        fcntl.ioctl(terminal, termios.TIOCSTI, bytes([letter]))
    return "a command typed"


def listens_at_a_terminal(where: str) -> str:
    os.close(os.open(where, os.O_RDONLY | os.O_NOCTTY))
    return "what the user types"


def writes_to_a_terminal(where: str) -> str:
    os.write(os.open(where, os.O_WRONLY | os.O_NOCTTY), b"\x1b[2JI was here")
    return "what the user reads"
