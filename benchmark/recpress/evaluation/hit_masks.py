"""Hits of a user's first 20 places as the bits of one integer, which is all that metrics up to @20 need."""

from __future__ import annotations

import zlib
from typing import Final

import numpy as np
from numpy.typing import NDArray

from recpress.core.errors import UserError, unknown
from recpress.data.interactions import UserItems
from recpress.evaluation import _hits
from recpress.metrics import METRICS, Hits

Masks = NDArray[np.uint32]

DEPTH: Final = 20
_PLACES: Final = np.arange(DEPTH, dtype=np.uint32)
# A gap of so many places or more is written as this byte and what remains of it.
_FAR: Final = 255


def of_lists(topk: NDArray[np.int32], users: NDArray[np.int64], test: UserItems) -> Masks:
    """Return a mask a list: bit r is set where place r + 1 holds a test item.

    Parameters
    ----------
    topk : int32 array of shape (n, depth)
        Items, best first; -1 fills the places that a short list leaves empty. Places after the 20th don't count.
    users : int64 array of shape (n,)
        The user of each list; each must have a test item.
    test : UserItems
    """
    hits = _hits.find(topk[:, :DEPTH], users, test)
    bits = np.exp2(hits.places - 1)
    return np.bincount(hits.rows, bits, len(users)).astype(np.uint32)


def metric(name: str, masks: Masks, n_test: NDArray[np.int64]) -> NDArray[np.float64]:
    """Compute a metric user by user; the values are those of `recpress.evaluation.per_user`.

    Parameters
    ----------
    name : str
        ``recall@20``: a metric of `recpress.evaluation.METRICS`, and a cut-off from 1 to 20.
    masks : uint32 array of shape (n,)
    n_test : int64 array of shape (n,)
        Test items of each user, at least 1.

    Raises
    ------
    UserError
        When masks can't give it; what they can give is listed.
    """
    what, k = parsed(name)
    return METRICS[what](_hits_of(masks, n_test), k)


def parsed(name: str) -> tuple[str, int]:
    """Return metric and cut-off of a name that masks can give.

    Raises
    ------
    UserError
        When they can't; what they can give is listed.
    """
    what, _, k = name.partition("@")
    if what not in METRICS:
        raise unknown("metric", name, [f"{each}@{DEPTH}" for each in METRICS], f"there are {can_give()}")
    if not k.isascii() or not k.isdigit() or not 1 <= int(k) <= DEPTH:
        raise UserError(f"{name} can't be told from the first {DEPTH} places; there are {can_give()}.")
    return what, int(k)


def can_give() -> str:
    """Return the metrics that masks can give."""
    return f"{', '.join(METRICS)}, each at 1 to {DEPTH}, such as ndcg@{DEPTH}"


def _hits_of(masks: Masks, n_test: NDArray[np.int64]) -> Hits:
    rows, columns = np.nonzero(_bits(masks))
    found = np.bincount(rows, minlength=len(masks))
    before = np.cumsum(found) - found
    return Hits(rows, columns + 1, np.arange(1, len(rows) + 1) - before[rows], n_test)


def _bits(masks: Masks) -> NDArray[np.bool_]:
    return (masks[:, None] >> _PLACES & 1).astype(np.bool_)


def pack(masks: Masks) -> bytes:
    """Return masks in few bytes: the number of misses before each hit, over all users one after the other.

    Hits are rare and fall nearly at random, so the gaps between them are what is worth coding: a byte each (255 is
    255 misses, and more to come), in zlib's format, which browsers read. That takes 0.8 to 1.7 bytes a user;
    benchmark/docs/reference/statistics.md has what other layouts take.
    """
    gaps = np.diff(np.flatnonzero(_bits(masks)), prepend=-1) - 1
    far = gaps // _FAR
    written = np.full(len(gaps) + far.sum(), _FAR, np.uint8)
    written[np.cumsum(far + 1) - 1] = gaps % _FAR
    # Repeated strings are worth looking for where users are few and hits many, and cost bits elsewhere.
    return min((_deflated(written.tobytes(), each) for each in (zlib.Z_HUFFMAN_ONLY, zlib.Z_FILTERED)), key=len)


def _deflated(plain: bytes, strategy: int) -> bytes:
    packer = zlib.compressobj(9, zlib.DEFLATED, 15, 9, strategy)
    return packer.compress(plain) + packer.flush()


def unpack(packed: bytes, n_users: int) -> Masks:
    """Return the masks that `pack` packed.

    Raises
    ------
    ValueError
        When this isn't what `pack` returns for so many users. No more is unpacked than a byte a place.
    """
    places = n_users * DEPTH
    unpacker = zlib.decompressobj()
    try:
        written = np.frombuffer(unpacker.decompress(packed, places + 1), np.uint8)
    except zlib.error as error:
        raise ValueError(str(error)) from error
    if not unpacker.eof or unpacker.unused_data:
        raise ValueError(f"this isn't the hits of {n_users} users")
    ends = np.cumsum(written + (written < _FAR), dtype=np.int64)
    hits = ends[written < _FAR] - 1
    if len(ends) and (written[-1] == _FAR or ends[-1] > places):
        raise ValueError(f"this isn't the hits of {n_users} users")
    bits = np.zeros(places, np.uint32)
    bits[hits] = 1
    return np.asarray((bits.reshape(n_users, DEPTH) << _PLACES).sum(axis=1, dtype=np.uint32))
