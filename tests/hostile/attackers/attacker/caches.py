"""Ways into compiled code that later processes run."""

import importlib.util
import marshal
import os
import pickle
from pathlib import Path


def spoils_a_kernel(where: str) -> str:
    """Put a pickle in the place of numba's index of a kernel that the run itself uses."""
    index, touched = where.split(os.pathsep)
    Path(index).write_bytes(pickle.dumps(Touch(touched)))
    return "a kernel's index"


def spoils_a_module(where: str) -> str:
    """Compile a module of somebody else's with a line more, in the place of what Python compiled."""
    name, touched = where.split(os.pathsep)
    source = Path(name)
    facts = source.stat()
    header = importlib.util.MAGIC_NUMBER + b"".join(
        number.to_bytes(4, "little") for number in (0, int(facts.st_mtime) & 0xFFFFFFFF, facts.st_size & 0xFFFFFFFF)
    )
    code = compile(f"{source.read_text()}\nopen({touched!r}, 'a').close()\n", name, "exec")
    Path(importlib.util.cache_from_source(name)).write_bytes(header + marshal.dumps(code))
    return "a module's code"


class Touch:
    """Makes a file where it is unpickled."""

    def __init__(self, where: str) -> None:
        self.where = where

    def __reduce__(self):
        return Path.touch, (Path(self.where),)
