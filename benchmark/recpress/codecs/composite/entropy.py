"""Entropy-coded grids: frequent codes take fewer bits on disk; they are decoded once, when the artefact is loaded."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Any

import constriction
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from recpress.codecs.base import ALL, Codec, Rows, Scorer, nbytes
from recpress.codecs.packing import pack, unpack
from recpress.codecs.registry import register
from recpress.codecs.tables.uniform import Uniform
from recpress.codecs.work import Work

# Frequencies are stored as uint16: the counts themselves, or scaled down to add up to about this.
TOTAL = 2**16 - 1
STREAM, RANGES, FREQUENCIES = "stream", "ranges", "frequencies"
WORD = np.dtype("<u4")


@register
@dataclass(frozen=True)
class Entropy(Codec):
    """A `Uniform` table whose codes are stored as one stream, near their entropy column by column.

    The coder is the range variant of asymmetric numeral systems (Duda 2013, arXiv:1311.2540) of the constriction
    library, with one static model per column. On disk there is the stream; in memory, after loading, the plain
    uniform table, which decodes and scores as ever: the breakdown counts the first, `Uniform.breakdown` the second.

    Attributes
    ----------
    grid : Uniform
    coded : dict of str to Tensor
        ``stream`` : uint8, the coder's 32-bit words; ``ranges`` : uint8 of shape (2, d), the least and the greatest
        code of each column; ``frequencies`` : uint16, of the codes in the ranges that hold more than one,
        concatenated.
    """

    kind = "entropy"
    undone_at_load = (STREAM, RANGES, FREQUENCIES)
    grid: Uniform
    coded: dict[str, Tensor]

    @classmethod
    def encode(cls, grid: Uniform) -> Entropy:
        """Code a uniform table.

        Raises
        ------
        ValueError
            When it is empty, so that there is no code to count.
        """
        if not all(grid.shape):
            raise ValueError(f"a table of shape {grid.shape} has no codes to count")
        return cls(grid, code(unpack(grid.codes, grid.columns, grid.bits).numpy()))

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns."""
        return self.grid.shape

    def decode(self, rows: Rows = ALL) -> Tensor:
        """See `Codec.decode`."""
        return self.grid.decode(rows)

    def tensors(self) -> dict[str, Tensor]:
        """See `Codec.tensors`."""
        return self.coded | {name: tensor for name, tensor in self.grid.tensors().items() if name != "codes"}

    def options(self) -> dict[str, Any]:
        """See `Codec.options`."""
        return {"grid": self.grid.options(), "rows": self.grid.shape[0]}

    def breakdown(self) -> Counter[str]:
        """See `Codec.breakdown`; the models are a codebook."""
        models = nbytes(self.coded[RANGES]) + nbytes(self.coded[FREQUENCIES])
        return Counter(values=nbytes(self.coded[STREAM]), codebooks=models, scales=self.grid.breakdown()["scales"])

    @classmethod
    def restore(cls, options: dict[str, Any], tensors: dict[str, Tensor]) -> Entropy:
        """See `Codec.restore`."""
        coded = {name: tensors[name] for name in (STREAM, RANGES, FREQUENCIES)}
        grid, rows = options["grid"], int(options["rows"])
        if not 1 <= int(grid["bits"]) <= 8 or not 0 <= rows < 2**31:
            raise ValueError(f"an entropy-coded table has codes of 1 to 8 bits and at least no rows, not {rows}")
        codes = torch.from_numpy(uncode(coded, rows))
        rest = {name: tensor for name, tensor in tensors.items() if name not in coded}
        packed = pack(codes, int(grid["bits"]))
        return cls(Uniform.restore(grid, rest | {"codes": packed}), coded)

    def work(self, queries: int) -> Work:
        """See `Codec.work`: that of the table in memory."""
        return self.grid.work(queries)

    def scorer(self) -> Scorer:
        """Return the kernel of the uniform table."""
        return self.grid.scorer()


def code(symbols: NDArray[np.uint8]) -> dict[str, Tensor]:
    """Code a matrix of symbols; see `Entropy.coded` for what is returned."""
    low, high = symbols.min(0), symbols.max(0)
    varied = np.flatnonzero(high > low)
    frequencies = [_frequencies(symbols[:, column] - low[column]) for column in varied]
    coder = constriction.stream.stack.AnsCoder()
    # The coder is a stack: what is to come out first goes in last.
    for column, counts in zip(varied[::-1], frequencies[::-1], strict=True):
        coder.encode_reverse((symbols[:, column] - low[column]).astype(np.int32), _model(counts))
    stream = coder.get_compressed().astype(WORD).view(np.uint8)
    joined = np.concatenate([np.empty(0, np.uint16), *frequencies])
    arrays = {STREAM: stream, RANGES: np.stack([low, high]), FREQUENCIES: joined}
    return {name: torch.from_numpy(array) for name, array in arrays.items()}


def uncode(coded: dict[str, Tensor], rows: int) -> NDArray[np.uint8]:
    """Return the symbols of a coded matrix: the inverse of `code`.

    Raises
    ------
    ValueError
        When the parts don't fit together.
    """
    if [coded[name].dtype for name in (STREAM, RANGES, FREQUENCIES)] != [torch.uint8, torch.uint8, torch.uint16]:
        raise ValueError("the parts of an entropy-coded table have other types")
    stream, (low, high), frequencies = (coded[name].numpy() for name in (STREAM, RANGES, FREQUENCIES))
    varied = np.flatnonzero(high > low)
    lengths = (high - low)[varied].astype(np.int64) + 1
    if rows < 1:
        raise ValueError(f"an entropy-coded table has one row or more, not {rows}")
    if lengths.sum() != len(frequencies) or len(stream) % WORD.itemsize:
        raise ValueError("the models of an entropy-coded table don't fit its columns")
    models = np.split(frequencies, lengths.cumsum())[: len(varied)]
    if not all(counts.any() for counts in models):
        raise ValueError("a model of an entropy-coded table says that no code is ever used")
    coder = constriction.stream.stack.AnsCoder(stream.view(WORD).astype(np.uint32))
    symbols = np.repeat(low[None], rows, axis=0)
    for column, counts in zip(varied, models, strict=True):
        symbols[:, column] += coder.decode(_model(counts), rows).astype(np.uint8)
    return symbols


def _frequencies(symbols: NDArray[np.uint8]) -> NDArray[np.uint16]:
    counts = np.bincount(symbols)
    scaled = counts if len(symbols) <= TOTAL else np.ceil(counts * ((TOTAL - 2**8) / len(symbols)))
    return scaled.astype(np.uint16)


def _model(frequencies: NDArray[np.uint16]) -> Any:
    return constriction.stream.model.Categorical(frequencies / frequencies.sum(dtype=np.float64), perfect=False)
