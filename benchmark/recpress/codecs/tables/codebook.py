"""Tables whose rows are weighted sums of a few shared codewords."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from recpress.codecs.base import ALL, Codec, Rows, Scorer, nbytes, part, prefixed
from recpress.codecs.registry import register, restore
from recpress.codecs.tables.hashed import buckets
from recpress.codecs.work import Work

# stored: a place for each row and term. hash: term j of row i is codeword hash_j(i). quotient: the codewords are two
# tables, of remainders and of quotients by `size`, one above the other.
Rule = Literal["stored", "hash", "quotient"]


def places(rule: Rule, n: int, words: int, terms: int) -> Tensor:
    """Return the codewords of each of n rows by a formula, int64 of shape (n, terms).

    Parameters
    ----------
    rule : {"hash", "quotient"}
    n, words : int
        Rows, and codewords. For ``quotient``, see `remainders`.
    terms : int
        Codewords of a row; 2 for ``quotient``.
    """
    if rule == "hash":
        return torch.stack([buckets(n, words, seed) for seed in range(terms)], 1)
    size = remainders(n, words)
    ids = torch.arange(n)
    return torch.stack([ids % size, size + ids // size], 1)


def remainders(n: int, words: int) -> int:
    """Return the largest m with ``m + ceil(n / m) <= words``, so that m remainders and their quotients cover n rows.

    Raises
    ------
    ValueError
        When there is none: about ``2 sqrt(n)`` codewords are needed.
    """
    for size in range(words - 1, 0, -1):
        if size + -(-n // size) <= words:
            return size
    raise ValueError(f"{words} codewords can't be split into remainders and quotients of {n} rows")


@register
@dataclass(frozen=True)
class Codebook(Codec):
    """``row i = Σ_t weight[i, t] · codeword[place[i, t]]``.

    Attributes
    ----------
    words : Codec of shape (c, d)
    rule : {"stored", "hash", "quotient"}
        How places come about; see `places`.
    stored : uint8, uint16 or int32 Tensor of shape (n, t), or None
        With the rule "stored" only.
    weights : Codec of shape (n, t), or None
        None: all 1.
    rows, terms : int
        n and t.
    """

    kind = "codebook"
    words: Codec
    rule: Rule
    stored: Tensor | None
    weights: Codec | None
    rows: int
    terms: int

    @classmethod
    def encode(cls, words: Codec, where: Tensor, weights: Codec | None = None) -> Codebook:
        """Store places, an int64 Tensor of shape (n, t), in the narrowest type that holds them."""
        width = place_type(words.shape[0])
        return cls(words, "stored", torch.from_numpy(where.numpy().astype(width)), weights, *where.shape)

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns."""
        return (self.rows, self.words.shape[1])

    @cached_property
    def where(self) -> Tensor:
        """The codewords of each row, int64 of shape (n, t)."""
        if self.stored is None:
            return places(self.rule, self.rows, self.words.shape[0], self.terms)
        return torch.from_numpy(self.stored.numpy().astype(np.int64))

    def decode(self, rows: Rows = ALL) -> Tensor:
        """See `Codec.decode`."""
        where = self.where[rows]
        weights = None if self.weights is None else self.weights.decode(rows)
        return F.embedding_bag(where, self.words.decode(), mode="sum", per_sample_weights=weights)

    def tensors(self) -> dict[str, Tensor]:
        """See `Codec.tensors`."""
        tensors = prefixed("words", self.words.tensors())
        tensors |= {} if self.weights is None else prefixed("weights", self.weights.tensors())
        return tensors if self.stored is None else tensors | {"places": self.stored}

    def options(self) -> dict[str, Any]:
        """See `Codec.options`."""
        weights = None if self.weights is None else self.weights.spec()
        given = {"rule": self.rule, "rows": self.rows, "terms": self.terms}
        return {"words": self.words.spec(), "weights": weights, **given}

    def breakdown(self) -> Counter[str]:
        """See `Codec.breakdown`: the codewords' values are the codebook, the weights' go with the scales."""
        breakdown = Counter(codebooks=self.words.breakdown().total())
        if self.weights is not None:
            breakdown["scales"] = self.weights.breakdown().total()
        if self.stored is not None:
            breakdown["indices"] = nbytes(self.stored)
        return breakdown

    @classmethod
    def restore(cls, options: dict[str, Any], tensors: dict[str, Tensor]) -> Codebook:
        """See `Codec.restore`."""
        words = restore(options["words"], part("words", tensors))
        weights = restore(options["weights"], part("weights", tensors)) if options["weights"] else None
        rule, rows, terms = options["rule"], int(options["rows"]), int(options["terms"])
        stored = tensors["places"] if rule == "stored" else None
        codec = cls(words, rule, stored, weights, rows, terms)
        codec._check()
        return codec

    def _check(self) -> None:
        if self.rule not in ("stored", "hash", "quotient"):
            raise ValueError(f"{self.rule!r} is no rule for places")
        if self.rule == "quotient" and self.terms != 2:
            raise ValueError("quotient and remainder are two terms")
        if self.weights is not None and self.weights.shape != (self.rows, self.terms):
            raise ValueError(f"{self.rows} rows of {self.terms} terms have weights of shape {self.weights.shape}")
        where = self.where
        inside = not where.numel() or 0 <= int(where.min()) <= int(where.max()) < self.words.shape[0]
        if where.shape != (self.rows, self.terms) or not inside:
            raise ValueError("places of codewords lie outside the codebook or don't match its rows")

    def nominal(self) -> int:
        """Count codewords and weights: the sums are not stored."""
        return self.words.nominal() + (0 if self.weights is None else self.weights.nominal())

    def nonzero(self) -> int:
        """Count codewords and weights: the sums are not stored."""
        return self.words.nonzero() + (0 if self.weights is None else self.weights.nonzero())

    def work(self, queries: int) -> Work:
        """See `Codec.work`: the codebook is scored once, then each row looks its terms up."""
        found = queries * self.rows * self.terms
        weighing = {} if self.weights is None else {"fp32": found}
        return self.words.work(queries) + Work(
            {"lookup": found, **weighing}, self.breakdown().total() - self._words_bytes
        )

    @property
    def _words_bytes(self) -> int:
        return self.words.breakdown().total()

    def scorer(self) -> Scorer:
        """Return the kernel that scores codewords and adds up scalars."""
        return CodebookScorer(self)


class CodebookScorer(Scorer):
    """Score the c codewords once, then gather t scalars for each row: exact, and no row is ever made."""

    kernel = "codebook scores, gathered"

    def __init__(self, codec: Codebook) -> None:
        self.words = codec.words.scorer()
        self.where = codec.where.T.contiguous()
        self.weights = None if codec.weights is None else codec.weights.decode().T.contiguous()

    def scores(self, queries: Tensor, out: Tensor | None = None) -> Tensor:
        """See `Scorer.scores`."""
        of_words = self.words.scores(queries)
        if out is None:
            out = torch.empty(len(queries), self.where.shape[1])
        for term, where in enumerate(self.where):
            found = of_words.index_select(1, where)
            if self.weights is not None:
                found *= self.weights[term]
            out.copy_(found) if term == 0 else out.add_(found)
        return out


def place_type(words: int) -> type[np.uint8 | np.uint16 | np.int32]:
    """Return the narrowest type that holds a place among codewords."""
    return np.uint8 if words <= 2**8 else np.uint16 if words <= 2**16 else np.int32
