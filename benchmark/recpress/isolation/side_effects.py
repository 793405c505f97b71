"""What code of a method does beside its work, seen while it runs."""

from __future__ import annotations

import gc
import io
import os
import random
import sys
import tempfile
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, redirect_stdout
from dataclasses import dataclass, field

import numpy as np
import torch

from recpress.measure.watch import Watch, watch

# How long a thread that was started may take to end.
PATIENCE = 0.5


@dataclass
class Seen:
    """What was seen while code of a method ran.

    Attributes
    ----------
    watch : Watch
    printed : str
    settings : list of str
        What was not as before when it ended.
    threads : list of str
        Names of threads that went on.
    """

    watch: Watch = field(default_factory=Watch)
    printed: str = ""
    settings: list[str] = field(default_factory=list)
    threads: list[str] = field(default_factory=list)


@contextmanager
def observed() -> Iterator[Seen]:
    """See what happens inside the ``with`` block; what it printed and left is there when the block has ended."""
    seen, before, threads = Seen(), _settings(), set(threading.enumerate())
    text = io.StringIO()
    with tempfile.TemporaryFile() as file:
        kept = os.dup(1)
        sys.stdout.flush()
        os.dup2(file.fileno(), 1)
        try:
            with redirect_stdout(text), watch() as seen.watch:
                yield seen
        finally:
            os.dup2(kept, 1)
            os.close(kept)
        file.seek(0)
        seen.printed = text.getvalue() + file.read().decode(errors="replace")
    seen.settings += [name for name, value in _settings().items() if before[name] != value]
    new = [each for each in threading.enumerate() if each not in threads]
    for each in new:
        each.join(PATIENCE)
    seen.threads = [each.name for each in new if each.is_alive()]


def _settings() -> dict[str, object]:
    return {
        "torch's number of threads": torch.get_num_threads(),
        "torch's default type": torch.get_default_dtype(),
        "torch's recording of gradients": torch.is_grad_enabled(),
        "torch's deterministic algorithms": torch.are_deterministic_algorithms_enabled(),
        # But for what libraries tell OpenMP when they are loaded.
        "the environment": {name: value for name, value in os.environ.items() if not name.startswith("KMP_")},
        "the working folder": os.getcwd(),  # noqa: PTH109  # it may be gone
        "the recursion limit": sys.getrecursionlimit(),
        "the garbage collector": gc.isenabled(),
    }


@contextmanager
def global_seed(seed: int) -> Iterator[None]:
    """Seed the global generators inside a ``with`` block; afterwards they go on from where they were."""
    kept = torch.get_rng_state(), np.random.get_state(), random.getstate()  # noqa: NPY002  # what is guarded
    torch.manual_seed(seed)
    np.random.seed(seed)  # noqa: NPY002
    random.seed(seed)
    try:
        yield
    finally:
        torch.set_rng_state(kept[0])
        np.random.set_state(kept[1])  # noqa: NPY002
        random.setstate(kept[2])


def reseeded(seed: int) -> list[str]:
    """Return which global generators were given another seed since they got this one; drawing from one is no seed."""
    found = ["torch's global seed"] if torch.initial_seed() != seed else []
    words = np.random.get_state(legacy=False)["state"]["key"]  # noqa: NPY002
    fresh = np.random.RandomState(seed)
    # The generator's words change every 624 draws; of one that was seeded anew, none of the next states is the same.
    for _ in range(1000):
        if np.array_equal(fresh.get_state(legacy=False)["state"]["key"], words):
            break
        fresh.bytes(4 * 624)
    else:
        found.append("numpy's global seed")
    return found


def company(seen: Seen) -> str | None:
    """Return what was connected to, started, or left running, in a sentence; None where there was nothing."""
    if seen.watch.network:
        return f"it connects to {some(seen.watch.network)}"
    if seen.watch.processes:
        return f"it starts {some(seen.watch.processes)}"
    return f"its thread {some(seen.threads)} goes on" if seen.threads else None


def some(names: Iterable[object]) -> str:
    """Return the first three different names in a row, and how many more there are."""
    found = list(dict.fromkeys(map(str, names)))
    return ", ".join(found[:3]) + (f" and {len(found) - 3} more" if len(found) > 3 else "")
