"""Raw times as a record keeps them.

A record of 5,000 times took 19 kB as whole nanoseconds. An empty call takes about 100 ns (`Latency.overhead_ms`), so
what is below that says nothing of the artefact; and a byte compresses better beside its like, the second byte
of each time after the second byte of the one before.
"""

from __future__ import annotations

import base64
import zlib
from typing import Final

import numpy as np
from numpy.typing import NDArray

Times = NDArray[np.int64]
TICK_NS: Final = 100
# Of one time, before it is compressed.
BYTES: Final = 8


def pack(candidate: Times, reference: Times) -> str:
    """Return the times of both sides as text.

    Parameters
    ----------
    candidate, reference : int64 arrays of the same number of elements
        Nanoseconds, at least 0.

    Returns
    -------
    str
        Base64 of zlib of byte planes: the lowest bytes of all times, candidate first, then the second lowest, and so
        on to the eighth, of whole ticks of `TICK_NS`.
    """
    nanoseconds = np.concatenate([candidate.ravel(), reference.ravel()])
    ticks = np.rint(nanoseconds / TICK_NS).astype("<i8")
    planes = ticks.view(np.uint8).reshape(-1, 8).T
    return base64.b64encode(zlib.compress(planes.tobytes(), 9)).decode("ascii")


def unpack(samples: str, queries: int) -> Times:
    """Return the times that `pack` packed, in ns to the nearest `TICK_NS`: (2, queries), candidate first.

    Raises
    ------
    ValueError
        When this isn't what `pack` returns for so many calls of each side.
    """
    raw = _inflated(samples, 2 * BYTES * queries)
    if len(raw) != 2 * BYTES * queries:
        raise ValueError(f"they are not two times {queries} times")
    planes = np.frombuffer(raw, np.uint8).reshape(BYTES, 2, -1)
    return TICK_NS * np.ascontiguousarray(planes.transpose(1, 2, 0)).view("<i8")[:, :, 0].astype(np.int64)


def repack(samples: str, queries: int) -> str:
    """Return the raw times of a record of version 1 (base64 of zlib of int64 nanoseconds) as `pack` packs them.

    Raises
    ------
    ValueError
        When these aren't times of at most so many calls of each side.
    """
    nanoseconds = np.frombuffer(_inflated(samples, 2 * BYTES * queries), "<i8")
    candidate, reference = nanoseconds.astype(np.int64).reshape(2, -1)
    return pack(candidate, reference)


def _inflated(samples: str, most: int) -> bytes:
    """Return what was compressed, of at most so many bytes: a few kilobytes may unfold to gigabytes."""
    inflater = zlib.decompressobj()
    try:
        raw = inflater.decompress(base64.b64decode(samples, validate=True), most + 1)
    except zlib.error as error:
        raise ValueError(str(error)) from error
    if len(raw) > most or not inflater.eof:
        raise ValueError(f"they unpack to other than at most {most} bytes")
    return raw
