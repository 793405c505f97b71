"""Base of all codecs, and the scorer of codecs without a kernel of their own."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Callable
from typing import Any, ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from recpress.codecs.work import Work
from recpress.data.interactions import UserItems

Items = NDArray[np.int32]
Scores = NDArray[np.float32]
Rows = Tensor | slice
ALL = slice(None)
# How a table becomes a codec: what nests inside another codec is passed as one of these.
Encoder = Callable[[Tensor], "Codec"]
# Rows that are decoded at a time while scoring: 8,192 rows of 64 floats are 2 MiB, which stays in cache.
BLOCK_ROWS = 8192


class Scorer(ABC):
    """Inner products of queries with every row of a table, in the form that the table is stored in."""

    kernel: str

    @abstractmethod
    def scores(self, queries: Tensor, out: Tensor | None = None) -> Tensor:
        """Return the scores of all rows.

        Parameters
        ----------
        queries : float32 Tensor of shape (B, d)
        out : float32 Tensor of shape (B, n), optional
            Where to write the result, so that a buffer can be kept.
        """


class TopKScorer(Scorer):
    """A scorer that ranks while it scans, so that scores which don't matter are never stored."""

    @abstractmethod
    def top(self, queries: Tensor, seen: UserItems, users: NDArray[np.int64], k: int) -> tuple[Items, Scores]:
        """Return the k best unseen rows of each query, as `recpress.serve.topk.select` would of `scores`.

        Parameters
        ----------
        queries : float32 Tensor of shape (B, d)
        seen : UserItems
            Rows to leave out, by user.
        users : int64 array of shape (B,)
            Who asks.
        k : int
            List length, >= 0.

        Returns
        -------
        items : int32 array of shape (B, k)
            By score descending, then by row ascending; -1 where there are no more.
        scores : float32 array of shape (B, k)

        Raises
        ------
        ValueError
            When a score is NaN, or shapes or ids don't fit together.
        """


class Codec(ABC):
    """How one table of shape (n, d) lies in bytes.

    A codec is its stored tensors and its options, nothing else: `tensors` and `options` are what goes to disk, and
    `restore` makes the same codec from them.
    """

    kind: ClassVar[str]
    # Whether it searches a part of its rows, so that how long it takes depends on their values.
    approximate: ClassVar[bool] = False
    # Stored tensors that are decompressed when it is loaded: they decide bytes, and not how long an answer takes.
    undone_at_load: ClassVar[tuple[str, ...]] = ()

    @property
    @abstractmethod
    def shape(self) -> tuple[int, int]:
        """Rows and columns of the decoded table."""

    @abstractmethod
    def decode(self, rows: Rows = ALL) -> Tensor:
        """Return the rows asked for as float32, shape (len(rows), d)."""

    @abstractmethod
    def tensors(self) -> dict[str, Tensor]:
        """Return the stored tensors by name. Those of a nested codec are prefixed ``<part>.``."""

    @abstractmethod
    def options(self) -> dict[str, Any]:
        """Return what `restore` needs besides the tensors, as JSON; a nested codec's is its `spec`."""

    @abstractmethod
    def breakdown(self) -> Counter[str]:
        """Return the stored bytes by kind (values, indices, scales, …). They add up to the tensors' bytes."""

    @classmethod
    @abstractmethod
    def restore(cls, options: dict[str, Any], tensors: dict[str, Tensor]) -> Codec:
        """Make the codec from its options and tensors.

        Raises
        ------
        KeyError, ValueError
            When they don't fit together.
        """

    def scorer(self) -> Scorer:
        """Return the fastest exact kernel for this codec; by default the one that decodes in blocks."""
        return BlockScorer(self)

    def work(self, queries: int) -> Work:
        """Return what one scoring call of the kernel costs, for this many queries: here, decoding and a GEMM."""
        n, columns = self.shape
        return Work({"fp32": (queries + 1) * n * columns}, self.breakdown().total())

    def spec(self) -> dict[str, Any]:
        """Return kind and options: how a manifest describes the codec."""
        return {"kind": self.kind, **self.options()}

    def nominal(self) -> int:
        """Return the parameters that it would be said to have if bytes didn't matter: those of its stored form."""
        return self.shape[0] * self.shape[1]

    def nonzero(self) -> int:
        """Return how many parameters of the decoded form are stored and not zero."""
        return sum(int(torch.count_nonzero(self.decode(rows))) for rows in blocks(self.shape[0]))


def no_floats(*tensors: Tensor | None) -> bool:
    """Tell whether one of the tensors that are there, scales or offsets, holds other than floating-point numbers."""
    return any(each is not None and not each.is_floating_point() for each in tensors)


def nbytes(tensor: Tensor) -> int:
    """Return the bytes of a tensor's values."""
    return tensor.numel() * tensor.element_size()


def blocks(n: int, size: int = BLOCK_ROWS) -> list[slice]:
    """Cut ``range(n)`` into consecutive slices of at most `size`."""
    return [slice(start, min(start + size, n)) for start in range(0, n, size)]


def prefixed(name: str, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """Return the tensors of a nested codec under the name of the part."""
    return {f"{name}.{key}": tensor for key, tensor in tensors.items()}


def part(name: str, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """Return the tensors of one part, without its prefix: the inverse of `prefixed`."""
    return {key.removeprefix(f"{name}."): value for key, value in tensors.items() if key.startswith(f"{name}.")}


class BlockScorer(Scorer):
    """Decode a block of rows to float32, multiply, go on: never more than a block is decoded at a time."""

    kernel = "decode blocks, fp32 GEMM"

    def __init__(self, codec: Codec) -> None:
        self.codec = codec

    def scores(self, queries: Tensor, out: Tensor | None = None) -> Tensor:
        """See `Scorer.scores`."""
        n = self.codec.shape[0]
        if out is None:
            out = torch.empty(len(queries), n)
        for rows in blocks(n):
            torch.mm(queries, self.codec.decode(rows).T, out=out[:, rows])
        return out
