"""Artefacts that score a user's history: the histories as a set of places, and weights between items.

Scores are ``s_ui = Σ_{j in history of u} W_ij``: an inner product of a row of ones and zeros with a row of W, so both
are tables of as many columns as there are items. Serving needs the histories, so they are stored and charged here,
whether or not a server keeps them anyway to leave out seen items.
"""

from __future__ import annotations

from functools import partial
from typing import Literal

from scipy import sparse

from recpress.codecs.base import Encoder
from recpress.codecs.composite.sparse import Sparse, layout_bytes, smaller_layout
from recpress.codecs.tables.constant import Constant
from recpress.codecs.tables.dense import Dense
from recpress.codecs.tables.uniform import Uniform

Values = Literal["fp16", "int8"]
ENCODERS: dict[Values, Encoder] = {
    "fp16": partial(Dense.encode, values="fp16"),
    "int8": partial(Uniform.encode, bits=8, granularity="tensor", symmetric=True),
}
VALUE_BYTES: dict[Values, int] = {"fp16": 2, "int8": 1}


def encode_histories(interactions: sparse.csr_array) -> Sparse:
    """Store who has what, losslessly: places only, in the smallest layout.

    Parameters
    ----------
    interactions : csr_array of shape (n_users, n_items)
        Ones.
    """
    return Sparse.from_csr(interactions, Constant.encode)


def encode_weights(weights: sparse.csr_array, values: Values = "fp16") -> Sparse:
    """Store item-item weights, shape (n_items, n_items): row i is what each history item adds to the score of i."""
    return Sparse.from_csr(weights, ENCODERS[values])


def history_bytes(n_users: int, n_items: int, interactions: int) -> int:
    """Return the bytes that `encode_histories` takes: those of the places, and one value."""
    return 4 + places_bytes(n_users, n_items, interactions)


def weight_bytes(n_items: int, count: int, values: Values = "fp16") -> int:
    """Return the most bytes that `encode_weights` takes for `count` weights in each row: some rows may have fewer."""
    nnz = n_items * count
    return nnz * VALUE_BYTES[values] + places_bytes(n_items, n_items, nnz) + 4


def places_bytes(rows: int, columns: int, nnz: int) -> int:
    """Return the bytes of the places of non-zeros in their smallest layout."""
    return layout_bytes(smaller_layout(rows, columns, nnz), rows, columns, nnz)
