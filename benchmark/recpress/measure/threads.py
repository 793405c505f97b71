"""Pin the thread count of every library that computes, and notice when one of them changes it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from types import TracebackType

import torch
from threadpoolctl import ThreadpoolController


class ThreadCountChanged(RuntimeError):
    """The timed code uses another number of threads than it was given."""


class Pin:
    """Fix the thread count of torch, OpenMP and BLAS.

    Numba's pool is left alone: to ask it starts it, and that resets torch to all cores. No kernel of this package
    uses it; one of a method that does is found out by its CPU time (see `recpress.measure.latency`).

    Parameters
    ----------
    threads : int
        At least 1.
    """

    def __init__(self, threads: int) -> None:
        if threads < 1:
            raise ValueError(f"threads must be at least 1, not {threads}")
        self.threads = threads

    def __enter__(self) -> Pin:
        self._torch_before = torch.get_num_threads()
        self._pools = ThreadpoolController()
        self._limit = self._pools.limit(limits=self.threads)
        torch.set_num_threads(self.threads)
        return self

    def check(self) -> None:
        """Compare every pool with the count that was set.

        Raises
        ------
        ThreadCountChanged
            When one differs; the message names it.
        """
        counts = {"torch": torch.get_num_threads()}
        counts |= {pool.prefix: pool.num_threads for pool in self._pools.lib_controllers}
        for name, count in counts.items():
            # A pool may be built with fewer threads than asked for; more is what would make a timing a lie.
            if count > self.threads or (name == "torch" and count != self.threads):
                raise ThreadCountChanged(f"{name} uses {count} threads; {self.threads} was set for this timing")

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._limit.restore_original_limits()
        torch.set_num_threads(self._torch_before)


@contextmanager
def pinned(threads: int) -> Iterator[Pin]:
    """Pin the thread count inside a ``with`` block; it is checked on leaving and restored."""
    with Pin(threads) as pin:
        yield pin
        pin.check()
