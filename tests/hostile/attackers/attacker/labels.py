"""Ways to test labels, for a method that would train on them. One that gets none goes on as an honest one."""

import io
import socket
import urllib.request
from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from recpress.core.errors import UserError
from recpress.data.dataset import Dataset

from .descriptors import fork
from .system import Refused


def stolen(way: str, where: str) -> NDArray[np.int64] | None:
    """Return pairs of a user and a test item, or None where they can't be had."""
    try:
        return WAYS[way](where)
    except (OSError, UserError, Refused):
        return None


def _loaded(where: str) -> NDArray[np.int64]:
    from recpress.data import load

    return _pairs(load(where))


def _parsed(where: str) -> NDArray[np.int64]:
    from recpress.data import dataset

    return _pairs(dataset.parse(where))


def _read(where: str) -> NDArray[np.int64]:
    return np.load(where)


def _cached(where: str) -> NDArray[np.int64]:
    """Read what the run has kept of the parsed set."""
    folder = next(Path(where).iterdir())
    ends, items = np.load(folder / "test_indptr.npy"), np.load(folder / "test_items.npy")
    return _stacked(ends, items)


def _fetched(where: str) -> NDArray[np.int64]:
    with urllib.request.urlopen(f"http://{where}/labels", timeout=5) as answer:
        return np.load(io.BytesIO(answer.read()))


def _told(where: str) -> NDArray[np.int64]:
    """Ask whoever listens at a name, or a path."""
    with socket.socket(socket.AF_UNIX) as made:
        made.connect(where.replace("@", "\0"))
        return np.load(io.BytesIO(made.makefile("rb").read()))


def _forked(where: str) -> NDArray[np.int64]:
    """Have a process outside load them, and leave them here."""
    left = Path("labels.npy").resolve()
    for _ in range(20):  # When another stage ends, the run ends whatever it finds beside its stages.
        fork(_leave, where, str(left))
        if left.exists():
            return np.load(left)
    raise Refused("the process outside left nothing")


def _leave(where: str, path: str) -> None:
    np.save(f"{path}.part.npy", _loaded(where))
    Path(f"{path}.part.npy").rename(path)


def _pairs(dataset: Dataset) -> NDArray[np.int64]:
    return _stacked(dataset.split.test.indptr, dataset.split.test.items)


def _stacked(ends: NDArray[np.int64], items: NDArray[np.int32]) -> NDArray[np.int64]:
    return np.stack([np.repeat(np.arange(len(ends) - 1), np.diff(ends)), items], axis=1).astype(np.int64)


WAYS: dict[str, Callable[[str], NDArray[np.int64]]] = {
    "loaded": _loaded,
    "parsed": _parsed,
    "read": _read,
    "cached": _cached,
    "fetched": _fetched,
    "told": _told,
    "forked": _forked,
}
