"""The one way that this package compiles a kernel with numba, and runs it in threads."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import ParamSpec, TypeVar, cast

import numba

Arguments = ParamSpec("Arguments")
Result = TypeVar("Result")


def kernel(function: Callable[Arguments, Result]) -> Callable[Arguments, Result]:
    """Compile a function on its first call, keep the code on disk, and run it without the GIL.

    Never ``parallel=True``: starting numba's thread layer changes the thread count of torch in the same
    process. Kernels work on a range of rows, and their callers split the rows over ordinary threads (`in_threads`).
    """
    return cast(Callable[Arguments, Result], numba.njit(nogil=True, cache=True)(function))


def summing_kernel(function: Callable[Arguments, Result]) -> Callable[Arguments, Result]:
    """Compile as `kernel` does, where floating-point sums may be added up in any order, hence in vectors.

    The order is the compiler's choice, not the data's: on one machine, the same input gives the same bits.
    """
    fast = {"reassoc", "contract", "nsz"}
    return cast(Callable[Arguments, Result], numba.njit(nogil=True, cache=True, fastmath=fast)(function))


def in_threads(work: Callable[[int, int], Result], rows: int, threads: int) -> list[Result]:
    """Call ``work(start, stop)`` for as many ranges of the rows as threads, and return what it returned, in order."""
    if threads <= 1:
        return [work(0, rows)]
    bounds = [rows * part // threads for part in range(threads + 1)]
    with ThreadPoolExecutor(threads) as pool:
        return list(pool.map(work, bounds[:-1], bounds[1:]))
