"""The one way that this package compiles a kernel with numba."""

from __future__ import annotations

from collections.abc import Callable
from typing import ParamSpec, TypeVar, cast

import numba

Arguments = ParamSpec("Arguments")
Result = TypeVar("Result")


def kernel(function: Callable[Arguments, Result]) -> Callable[Arguments, Result]:
    """Compile a function on its first call, keep the code on disk, and run it without the GIL.

    Never ``parallel=True``: starting numba's thread layer changes the thread count of torch in the same
    process. Kernels work on a range of rows, and their callers split the rows over ordinary threads.
    """
    return cast(Callable[Arguments, Result], numba.njit(nogil=True, cache=True)(function))
