"""Vector quantization with small codebooks: product (parts of a row) and residual (sums of whole rows)."""

from __future__ import annotations

from abc import abstractmethod
from collections import Counter
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import faiss
import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from recpress.codecs.base import ALL, Codec, Rows, Scorer, nbytes, no_floats
from recpress.codecs.kernels.fastscan import BITS, FastScanTopKScorer, faiss_threads
from recpress.codecs.kernels.lookup import LookupScorer, add_up, lay_out, wide
from recpress.codecs.packing import pack, row_bytes, unpack
from recpress.codecs.registry import register
from recpress.codecs.tables.exponent import exponent, lost, restored, shift, stored
from recpress.codecs.work import Work

# Rows that codebooks are trained on, per codeword: more no longer moves a mean by much (FAISS's own default).
POINTS_PER_WORD = 256
# Rounds of k-means, and of those that start an optimised rotation.
ROUNDS = 12
# Rows from which on 4-bit codes are scanned.
LEAST_SCANNED = 8192
# Candidates that residual quantization keeps from level to level.
BEAM = 5
# A place in a codebook is a byte at most.
MOST_CODE_BITS = 8


@dataclass(frozen=True)
class Codebooks(Codec):
    """Base of product and residual quantization: rows of codes, each naming a word of one of M codebooks.

    Attributes
    ----------
    codes : uint8 Tensor of shape (n, row_bytes(M, bits))
        Packed as `recpress.codecs.packing` says.
    words : float16 Tensor of shape (M, 2 ** bits, w)
    bits, columns, exponent : int
        The table is ``2 ** exponent`` times what these make; see `recpress.codecs.tables.exponent`.
    """

    codes: Tensor
    words: Tensor
    bits: int
    columns: int
    exponent: int = 0

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns."""
        return (self.codes.shape[0], self.columns)

    def named(self, rows: Rows) -> Tensor:
        """Return which word of each codebook the rows name, uint8 of shape (len(rows), M)."""
        return unpack(self.codes[rows], self.words.shape[0], self.bits)

    @cached_property
    def floats(self) -> Tensor:
        """The words in float32, as large as they stand for."""
        return shift(self.words.float(), self.exponent)

    @abstractmethod
    def products(self, queries: Tensor) -> Tensor:
        """Return the inner products of queries and words, float32 of shape (B, M, 2 ** bits)."""

    def looks_up(self, queries: int) -> bool:
        """Whether so many queries are answered by look-ups: there are fewer of them than values to decode."""
        return queries * self.words.shape[0] <= self.columns

    def work(self, queries: int) -> Work:
        """See `Codec.work`: where tables are looked up, their making, and a look-up per code and query."""
        if not self.looks_up(queries):
            return super().work(queries)
        return self.looked_up(queries)

    def looked_up(self, queries: int) -> Work:
        """Return the work of look-ups."""
        lookups = queries * self.shape[0] * self.words.shape[0]
        return Work({"lookup": lookups, "fp32": queries * self.words.numel()}, self.breakdown().total())

    def scorer(self) -> Scorer:
        """Return the look-ups."""
        return LookupScorer(self)

    def tensors(self) -> dict[str, Tensor]:
        """See `Codec.tensors`."""
        return {"codes": self.codes, "words": self.words}

    def options(self) -> dict[str, Any]:
        """See `Codec.options`."""
        return {"code_bits": self.bits, "columns": self.columns} | stored(self.exponent)

    def breakdown(self) -> Counter[str]:
        """See `Codec.breakdown`."""
        return Counter(indices=nbytes(self.codes), codebooks=nbytes(self.words))

    def nominal(self) -> int:
        """Count the words: the rows are only names of them."""
        return self.words.numel()

    def nonzero(self) -> int:
        """Count the words that are not zero."""
        return int(torch.count_nonzero(self.words))

    @classmethod
    def restore(cls, options: dict[str, Any], tensors: dict[str, Tensor]) -> Codebooks:
        """See `Codec.restore`."""
        bits, columns = int(options["code_bits"]), int(options["columns"])
        codes, words = tensors["codes"], tensors["words"]
        if not 1 <= bits <= MOST_CODE_BITS:
            raise ValueError(f"codes have 1 to {MOST_CODE_BITS} bits, not {bits}")
        if no_floats(words) or codes.dtype != torch.uint8 or words.dim() != 3 or words.shape[1] != 2**bits:
            raise ValueError(f"codes of {bits} bits need codebooks of {2**bits} words, not {tuple(words.shape)}")
        if not words.numel():
            raise ValueError(f"there are no codebooks among words of shape {tuple(words.shape)}")
        if codes.dim() != 2 or codes.shape[1] != row_bytes(words.shape[0], bits):
            raise ValueError(f"{words.shape[0]} codes of {bits} bits don't take {codes.shape[1:]} bytes a row")
        cls.check(words, columns)
        return cls(codes, words, bits, columns, restored(options))

    @staticmethod
    @abstractmethod
    def check(words: Tensor, columns: int) -> None:
        """Raise ValueError when the words can't make a row of so many columns."""


@register
@dataclass(frozen=True)
class Product(Codebooks):
    """A row is cut into M parts of w columns, and each part is a word of its codebook (Jégou et al. 2011).

    Where M · w is more than d, the last part is padded with zeros.
    """

    kind = "product"

    @classmethod
    def encode(cls, table: Tensor, parts: int, bits: int = 8, seed: int = 0) -> Product:
        """Learn a codebook for each part by k-means, and name the nearest words.

        Parameters
        ----------
        table : float32 Tensor of shape (n, d)
        parts : int in [1, d]
            Of ``ceil(d / parts)`` columns each.
        bits : int in [1, 8]
            Codebooks have ``2 ** bits`` words.
        seed : int

        Raises
        ------
        ValueError
            When a value is NaN or infinite, or there is none.
        """
        if by := _exponent(table):
            return replace(cls.encode(shift(table, -by), parts, bits, seed), exponent=by)
        padded = pad_columns(table, parts)
        trainable(table, bits)
        quantizer = faiss.ProductQuantizer(padded.shape[1], parts, bits)
        configure(quantizer.cp, seed)
        # One thread adds in one order: the same seed gives the same bytes.
        with faiss_threads(1):
            quantizer.train(training_rows(padded, bits, seed))
            words = faiss.vector_to_array(quantizer.centroids).reshape(parts, 2**bits, -1)
            # The nearest of the words as they are stored.
            kept = torch.from_numpy(words).half()
            faiss.copy_array_to_vector(kept.float().numpy().ravel(), quantizer.centroids)
            packed = quantizer.compute_codes(padded.numpy())
        codes = faiss.unpack_bitstrings(packed, parts, bits).astype(np.uint8)
        return cls(pack(torch.from_numpy(codes), bits), kept, bits, table.shape[1])

    def decode(self, rows: Rows = ALL) -> Tensor:
        """See `Codec.decode`."""
        codes = self.named(rows)
        parts, _, width = self.words.shape
        table = torch.empty(len(codes), parts * width)
        lay_out(codes.numpy(), wide(self.floats.numpy(), width), wide(table.numpy(), width))
        return table[:, : self.columns]

    def products(self, queries: Tensor) -> Tensor:
        """See `Codebooks.products`: of each part of a query with the words of that part."""
        parts, _, width = self.words.shape
        padded = F.pad(queries, (0, parts * width - self.columns))
        return torch.einsum("qmw,mcw->qmc", padded.view(-1, parts, width), self.floats).contiguous()

    def work(self, queries: int) -> Work:
        """See `Codebooks.work`; a scan looks up however many queries there are."""
        return self.looked_up(queries) if self.scans else super().work(queries)

    @property
    def scans(self) -> bool:
        """Whether codes are scanned in registers; for a small table that is not worth its making."""
        return self.bits == BITS and self.shape[0] >= LEAST_SCANNED

    def scorer(self) -> Scorer:
        """Return FAISS's fast scan for 4-bit codes of many rows, else the look-ups."""
        return FastScanTopKScorer(self) if self.scans else super().scorer()

    @staticmethod
    def check(words: Tensor, columns: int) -> None:
        """See `Codebooks.check`."""
        if words.shape[0] * words.shape[2] < columns:
            raise ValueError(f"{words.shape[0]} parts of {words.shape[2]} columns don't make {columns}")


@register
@dataclass(frozen=True)
class Residual(Codebooks):
    """A row is a sum of M words, each chosen for what the ones before it left over (Chen et al. 2010)."""

    kind = "residual"

    @classmethod
    def encode(cls, table: Tensor, levels: int, bits: int = 8, seed: int = 0) -> Residual:
        """Learn a codebook for each level by k-means on the residuals, and search the sums with a beam.

        Parameters
        ----------
        table : float32 Tensor of shape (n, d)
        levels : int, >= 1
        bits : int in [1, 8]
        seed : int

        Raises
        ------
        ValueError
            When a value is NaN or infinite, or there is none.
        """
        if by := _exponent(table):
            return replace(cls.encode(shift(table, -by), levels, bits, seed), exponent=by)
        finite(table)
        trainable(table, bits)
        if levels < 1:
            raise ValueError(f"a row is the sum of at least one word, not of {levels}")
        quantizer = faiss.ResidualQuantizer(table.shape[1], levels, bits)
        configure(quantizer.cp, seed)
        quantizer.max_beam_size = BEAM
        quantizer.verbose = False
        with faiss_threads(1):
            # It starts from principal axes, of which there are no more than rows.
            quantizer.train(training_rows(table, bits, seed, least=table.shape[1]))
            kept = torch.from_numpy(faiss.vector_to_array(quantizer.codebooks)).half()
            faiss.copy_array_to_vector(kept.float().numpy(), quantizer.codebooks)
            packed = quantizer.compute_codes(table.contiguous().numpy())
        codes = faiss.unpack_bitstrings(packed, levels, bits).astype(np.uint8)
        words = kept.view(levels, 2**bits, table.shape[1])
        return cls(pack(torch.from_numpy(codes), bits), words, bits, table.shape[1])

    def decode(self, rows: Rows = ALL) -> Tensor:
        """See `Codec.decode`."""
        codes = self.named(rows)
        table = torch.empty(len(codes), self.columns)
        add_up(codes.numpy(), self.floats.numpy(), table.numpy())
        return table

    def products(self, queries: Tensor) -> Tensor:
        """See `Codebooks.products`: of whole queries with the words of each level."""
        return torch.einsum("qd,mcd->qmc", queries, self.floats).contiguous()

    @staticmethod
    def check(words: Tensor, columns: int) -> None:
        """See `Codebooks.check`."""
        if words.shape[2] != columns:
            raise ValueError(f"words of {words.shape[2]} columns don't make rows of {columns}")


def optimized_rotation(table: Tensor, parts: int, bits: int, iterations: int, seed: int) -> Tensor:
    """Return the rotation after which product quantization errs least, shape (d', d') with d' padded to the parts.

    Optimized product quantization (Ge et al. 2013, section 3.1): codebooks and rotation are fitted in turns.
    """
    padded = pad_columns(shift(table, -_exponent(table)), parts)
    trainable(table, bits)
    width = padded.shape[1]
    rotation = faiss.OPQMatrix(width, parts)
    rotation.niter, rotation.niter_pq_0, rotation.verbose = iterations, ROUNDS, False
    trainer = faiss.ProductQuantizer(width, parts, bits)
    configure(trainer.cp, seed)
    rotation.pq = trainer
    with faiss_threads(1):
        # With fewer rows than columns FAISS writes beyond the end of its matrices.
        rotation.train(training_rows(padded, bits, seed, least=width))
    return torch.from_numpy(faiss.vector_to_array(rotation.A)).view(width, width).T.contiguous()


def _exponent(table: Tensor) -> int:
    """Return the exponent without which float16 would lose words, or 0."""
    return exponent(table) if table.numel() and lost(table, table.abs().max()) else 0


def pad_columns(table: Tensor, parts: int) -> Tensor:
    """Return the table with columns of zeros up to a multiple of the parts."""
    if not 1 <= parts <= table.shape[1]:
        raise ValueError(f"a row of {table.shape[1]} columns has 1 to {table.shape[1]} parts, not {parts}")
    return F.pad(finite(table), (0, -table.shape[1] % parts)).contiguous()


def finite(table: Tensor) -> Tensor:
    """Return the table, if its values are finite."""
    if not torch.isfinite(table).all():
        raise ValueError("a value is not finite")
    return table


def trainable(table: Tensor, bits: int) -> None:
    """Raise ValueError where there is nothing to learn codebooks from, or no such codebook: FAISS doesn't look."""
    if not 1 <= bits <= 8:
        raise ValueError(f"codes have 1 to 8 bits, not {bits}")
    if not table.numel():
        raise ValueError(f"codebooks can't be learned from a table of shape {tuple(table.shape)}")


def training_rows(table: Tensor, bits: int, seed: int, least: int = 1) -> NDArray[np.float32]:
    """Return at most `POINTS_PER_WORD` random rows per word, and at least one: a small table is repeated.

    There are at least as many as `least`, too.
    """
    words = 2**bits
    if len(table) < max(words, least):
        return table.repeat(-(-max(words, least) // len(table)), 1).numpy()
    chosen = torch.randperm(len(table), generator=torch.Generator().manual_seed(seed))[: POINTS_PER_WORD * words]
    rows: NDArray[np.float32] = table[chosen].numpy()
    return rows


def configure(clustering: Any, seed: int) -> None:
    """Set the seed, rounds and training rows of one of FAISS's clusterings."""
    clustering.seed, clustering.niter = seed, ROUNDS
    clustering.min_points_per_centroid = 1
    clustering.max_points_per_centroid = POINTS_PER_WORD
