"""Tables whose rows are stored in different codecs, such as few bits for rows that are rarely asked for."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from recpress.codecs.base import ALL, Codec, Encoder, Rows, Scorer, nbytes, part, prefixed
from recpress.codecs.packing import pack, row_bytes, unpack
from recpress.codecs.registry import register, restore
from recpress.codecs.work import Work

# What one part more adds to header and manifest, at most: names, types and shapes of its tensors, and its options.
PART_METADATA_BYTES = 320


@register
@dataclass(frozen=True)
class Mixed(Codec):
    """Rows in buckets, each bucket a codec of its own. Within a bucket rows keep their order.

    Attributes
    ----------
    parts : tuple of Codec
        One per bucket, all of d columns.
    index : uint8 Tensor of shape (1, row_bytes(n, width))
        The bucket of every row, packed to as few bits as the number of buckets needs.
    rows : int
    """

    kind = "mixed"
    parts: tuple[Codec, ...]
    index: Tensor
    rows: int

    @classmethod
    def encode(cls, table: Tensor, bucket: NDArray[np.uint8], encoders: Sequence[Encoder]) -> Mixed:
        """Encode the rows of each bucket with its encoder; a bucket without rows takes no place.

        Parameters
        ----------
        table : float32 Tensor of shape (n, d)
        bucket : uint8 array of shape (n,)
            Which of the encoders each row gets.
        encoders : sequence of callable
        """
        if not len(table):
            raise ValueError("a table without rows has no buckets")
        used, numbers = np.unique(bucket, return_inverse=True)
        parts = tuple(encoders[each](table[torch.from_numpy(bucket == each)]) for each in used)
        index = pack(torch.from_numpy(numbers.astype(np.uint8))[None], width(len(parts)))
        return cls(parts, index, len(table))

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns."""
        return (self.rows, self.parts[0].shape[1])

    @cached_property
    def buckets(self) -> Tensor:
        """The bucket of every row, uint8 of shape (n,)."""
        return unpack(self.index, self.rows, width(len(self.parts)))[0]

    @cached_property
    def members(self) -> list[Tensor]:
        """The rows of every bucket, in order."""
        return [(self.buckets == number).nonzero()[:, 0] for number in range(len(self.parts))]

    @cached_property
    def places(self) -> Tensor:
        """The row of its bucket's codec that every row is, int64 of shape (n,)."""
        places = torch.empty(self.rows, dtype=torch.int64)
        for members in self.members:
            places[members] = torch.arange(len(members))
        return places

    def decode(self, rows: Rows = ALL) -> Tensor:
        """See `Codec.decode`."""
        buckets, places = self.buckets[rows], self.places[rows]
        table = torch.empty(len(places), self.shape[1])
        for number, codec in enumerate(self.parts):
            inside = buckets == number
            table[inside] = codec.decode(places[inside])
        return table

    def tensors(self) -> dict[str, Tensor]:
        """See `Codec.tensors`."""
        stored = {"index": self.index}
        for number, codec in enumerate(self.parts):
            stored |= prefixed(str(number), codec.tensors())
        return stored

    def options(self) -> dict[str, Any]:
        """See `Codec.options`."""
        return {"parts": [codec.spec() for codec in self.parts], "rows": self.rows}

    def breakdown(self) -> Counter[str]:
        """See `Codec.breakdown`."""
        return sum((codec.breakdown() for codec in self.parts), Counter(indices=nbytes(self.index)))

    @classmethod
    def restore(cls, options: dict[str, Any], tensors: dict[str, Tensor]) -> Mixed:
        """See `Codec.restore`."""
        parts = tuple(restore(spec, part(str(number), tensors)) for number, spec in enumerate(options["parts"]))
        codec = cls(parts, tensors["index"], int(options["rows"]))
        if tuple(codec.index.shape) != (1, row_bytes(codec.rows, width(len(parts)))):
            raise ValueError(f"the buckets of {codec.rows} rows don't take {tuple(codec.index.shape)} bytes")
        if [len(members) for members in codec.members] != [each.shape[0] for each in parts]:
            raise ValueError("the buckets don't have as many rows as their codecs")
        if len({each.shape[1] for each in parts}) != 1:
            raise ValueError("the codecs of the buckets differ in columns")
        return codec

    def nominal(self) -> int:
        """Count the parts' own parameters."""
        return sum(codec.nominal() for codec in self.parts)

    def nonzero(self) -> int:
        """Count the parts' own parameters that are not zero."""
        return sum(codec.nonzero() for codec in self.parts)

    def work(self, queries: int) -> Work:
        """See `Codec.work`: that of all parts, and the index."""
        return sum((codec.work(queries) for codec in self.parts), Work({}, nbytes(self.index)))

    def scorer(self) -> Scorer:
        """Return the kernel that scores every bucket with its own."""
        return MixedScorer(self)


class MixedScorer(Scorer):
    """Score every bucket with its codec's own kernel, and put the scores where the rows are."""

    def __init__(self, codec: Mixed) -> None:
        self.parts = [(members, each.scorer()) for members, each in zip(codec.members, codec.parts, strict=True)]
        self.n = codec.rows
        self.kernel = "by bucket: " + "; ".join(dict.fromkeys(scorer.kernel for _, scorer in self.parts))

    def scores(self, queries: Tensor, out: Tensor | None = None) -> Tensor:
        """See `Scorer.scores`."""
        out = torch.empty(len(queries), self.n) if out is None else out
        for members, scorer in self.parts:
            out[:, members] = scorer.scores(queries)
        return out


def width(buckets: int) -> int:
    """Return the bits that tell so many buckets apart, at least 1."""
    return max(1, (buckets - 1).bit_length())


def head_and_tail(counts: NDArray[np.integer], share: float) -> NDArray[np.uint8]:
    """Put the most frequent rows in bucket 0 and the others in bucket 1.

    Parameters
    ----------
    counts : int array of shape (n,)
        Interactions of every row.
    share : float in [0, 1]
        Of the rows, rounded, that are the head; of equally frequent ones the first.
    """
    bucket = np.ones(len(counts), np.uint8)
    bucket[np.argsort(-counts, kind="stable")[: round(share * len(counts))]] = 0
    return bucket
