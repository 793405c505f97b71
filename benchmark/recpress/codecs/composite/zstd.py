"""Any codec, its tensors compressed by zstd: smaller on disk, the same in memory."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow
import torch
from torch import Tensor

from recpress.codecs.base import ALL, Codec, Rows, Scorer, nbytes
from recpress.codecs.registry import register, restore
from recpress.codecs.work import Work

# The highest level that needs no more memory than a default build gives to decompress.
LEVEL = 19
TYPES = {
    str(each).removeprefix("torch."): each
    for each in (torch.uint8, torch.uint16, torch.uint32, torch.float16, torch.bfloat16, torch.float32)
}
STREAM = "stream"
# Next to nothing is left of tables that are almost all zeros; more than this much less never.
MOST_TIMES = 1000
SPARE = 1 << 20


@register
@dataclass(frozen=True)
class Zstd(Codec):
    """The outermost codec of a table: matches and Huffman and FSE codes (RFC 8878) over all tensors of the inner one.

    It is undone once, when the artefact is loaded. The breakdown counts the stream, as values: which of its bytes are
    scales can't be told any more.

    Attributes
    ----------
    inner : Codec
    stream : uint8 Tensor of shape (·,)
        One frame: the inner tensors' bytes, by name.
    """

    kind = "zstd"
    undone_at_load = (STREAM,)
    inner: Codec
    stream: Tensor

    @classmethod
    def encode(cls, inner: Codec) -> Zstd:
        """Compress the tensors of a codec."""
        parts = [raw(tensor) for _, tensor in sorted(inner.tensors().items())]
        frame = pyarrow.Codec("zstd", compression_level=LEVEL).compress(torch.cat(parts).numpy().tobytes())
        return cls(inner, torch.from_numpy(np.frombuffer(frame, np.uint8).copy()))

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns."""
        return self.inner.shape

    def decode(self, rows: Rows = ALL) -> Tensor:
        """See `Codec.decode`."""
        return self.inner.decode(rows)

    def tensors(self) -> dict[str, Tensor]:
        """See `Codec.tensors`."""
        return {STREAM: self.stream}

    def options(self) -> dict[str, Any]:
        """See `Codec.options`: the inner spec, and name, type and shape of each of its tensors, by name."""
        described = [
            [name, str(tensor.dtype).removeprefix("torch."), list(tensor.shape)]
            for name, tensor in sorted(self.inner.tensors().items())
        ]
        return {"inner": self.inner.spec(), "tensors": described}

    def breakdown(self) -> Counter[str]:
        """See `Codec.breakdown`."""
        return Counter(values=nbytes(self.stream))

    @classmethod
    def restore(cls, options: dict[str, Any], tensors: dict[str, Tensor]) -> Zstd:
        """See `Codec.restore`."""
        stream = tensors[STREAM]
        if stream.dtype != torch.uint8 or stream.dim() != 1:
            raise ValueError(f"a zstd stream is a row of bytes, not {stream.dtype} {tuple(stream.shape)}")
        described = [
            (str(name), TYPES[kind], [int(side) for side in shape]) for name, kind, shape in options["tensors"]
        ]
        sizes = [math.prod(shape) * kind.itemsize for _, kind, shape in described]
        if any(side < 0 for _, _, shape in described for side in shape):
            raise ValueError("a tensor of a zstd stream has a negative size")
        # Before anything is allocated: a few bytes may claim to be terabytes.
        if sum(sizes) > SPARE + MOST_TIMES * len(stream):
            raise ValueError(f"a zstd stream of {len(stream)} bytes can't hold {sum(sizes)}")
        try:
            found = pyarrow.Codec("zstd").decompress(stream.numpy().tobytes(), sum(sizes), asbytes=True)
        except OSError as error:
            raise ValueError(f"a zstd stream can't be read: {error}") from error
        if len(found) != sum(sizes):
            raise ValueError(f"a zstd stream holds {len(found)} bytes, not {sum(sizes)}")
        parts = torch.split(torch.from_numpy(np.frombuffer(found, np.uint8).copy()), sizes)
        # Clones: a view into the middle of the stream need not be aligned for its type.
        inner = {
            name: part.clone().view(kind).view(shape) if len(part) else torch.empty(shape, dtype=kind)
            for part, (name, kind, shape) in zip(parts, described, strict=True)
        }
        return cls(restore(options["inner"], inner), stream)

    def nominal(self) -> int:
        """Count those of the inner codec."""
        return self.inner.nominal()

    def nonzero(self) -> int:
        """Count those of the inner codec."""
        return self.inner.nonzero()

    def work(self, queries: int) -> Work:
        """See `Codec.work`: that of the inner codec, which is in memory."""
        return self.inner.work(queries)

    def scorer(self) -> Scorer:
        """Return the kernel of the inner codec."""
        return self.inner.scorer()


def raw(tensor: Tensor) -> Tensor:
    """Return the bytes of a tensor, uint8 of shape (·,)."""
    if str(tensor.dtype).removeprefix("torch.") not in TYPES:
        raise ValueError(f"tensors of {tensor.dtype} are not stored")
    return tensor.contiguous().flatten().view(torch.uint8)
