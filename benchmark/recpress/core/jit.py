"""The one way that this package compiles a kernel with numba, keeps it, and runs it in threads."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, ParamSpec, TypeVar, cast

import numba
from numba.core import caching
from numba.core.registry import cpu_target
from numba.core.sigutils import normalize_signature

from recpress.core.hashing import sha256_json
from recpress.core.io import write_atomic

Arguments = ParamSpec("Arguments")
Result = TypeVar("Result")
F = TypeVar("F", bound=Callable[..., Any])

# Kernels with the types that they are called with from Python, and whether this processor can run them.
_declared: list[tuple[Any, tuple[str, ...], Callable[[], bool]]] = []


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


def ahead(*signatures: str, where: Callable[[], bool] = lambda: True) -> Callable[[F], F]:
    """Name the types that a kernel is called with in stages, which can't keep what they compile.

    Parameters
    ----------
    signatures : str
        Types of the arguments, as numba writes them; kernels that are called by kernels alone need none.
    where : callable
        Returns whether this processor can run the kernel.
    """

    def declare(function: F) -> F:
        _declared.append((function, signatures, where))
        return function

    return declare


def compile_ahead() -> None:
    """Compile every declared kernel whose module is imported, and keep the code for all processes to come."""
    for function, signatures, where in _declared:
        if where():
            for signature in signatures:
                # As types: by another key than the call's, numba would not find the code again.
                types, _ = normalize_signature(f"({signature},)")
                function.compile(types)


def is_compiled_ahead() -> bool:
    """Return whether `compile_ahead` has run here, for this processor and these sources."""
    try:
        return _stamp().read_text(encoding="ascii") == _state()
    except OSError:
        return False


def note_compiled_ahead() -> None:
    """Note that `compile_ahead` has run."""
    write_atomic(_stamp(), _state())


def keep_nothing() -> None:
    """Let what this process compiles be its own: nothing is written to the folders of compiled code.

    Others execute what lies there, and this process may be led by a stranger's code or data.
    """
    caching.Cache.save_overload = lambda self, signature, data: None


def _stamp() -> Path:
    return Path(_declared[0][0].stats.cache_path) / "compiled-ahead"


def _state() -> str:
    """Return a hash of what numba itself asks before it takes code from disk, and of the types."""
    processor = cpu_target.target_context.codegen().magic_tuple()
    kernels = []
    for function, signatures, _ in _declared:
        about = Path(function.py_func.__code__.co_filename).stat()
        kernels.append([function.__module__, function.__name__, about.st_mtime, about.st_size, *signatures])
    return sha256_json([numba.__version__, [str(each) for each in processor], kernels])


def in_threads(work: Callable[[int, int], Result], rows: int, threads: int) -> list[Result]:
    """Call ``work(start, stop)`` for as many ranges of the rows as threads, and return what it returned, in order."""
    if threads <= 1:
        return [work(0, rows)]
    bounds = [rows * part // threads for part in range(threads + 1)]
    with ThreadPoolExecutor(threads) as pool:
        return list(pool.map(work, bounds[:-1], bounds[1:]))
