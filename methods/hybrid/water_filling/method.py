"""Bits per principal axis, by what they are worth to the scores."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from itertools import product
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor

from recpress.api import Artefact, Field, Method, Params, Shape, Task, largest
from recpress.codecs.tables.columns import MOST_BITS, ColumnUniform, steps
from recpress.compression.rotation import principal

# Rows that error curves are measured on.
SAMPLE = 8192
# Users whose lists are compared where variants are chosen by agreement, and the lists' length.
ASKED = 512
DEPTH = 20
TEMPERS = (1.0, 0.5)
Lengths = Literal["coded", "one", "own"]
LENGTHS: tuple[Lengths, ...] = ("coded", "one", "own")
# Candidate rates, in hundredths of a bit.
RATES = range(100 * MOST_BITS, 0, -1)


class WaterParams(Params):
    """The rate; the bits of every column follow from it and the data."""

    bits: float = Field(2.0, gt=0, le=MOST_BITS, description="Bits per value, averaged over both tables.")
    temper: float | None = Field(
        None,
        ge=0,
        le=1,
        description="Power of a column's worth: 1 lowers the error of all scores most, 0 gives all columns the same "
        "bits. By default the better of 1 and 0.5, by agreement with the backbone.",
    )
    lengths: Lengths | None = Field(
        None,
        description="coded: decoded items have the lengths that their codes give. one: they are stretched to one. own: "
        "rows are coded at one length, and items stretched to their own, a byte each. By default what agrees most with "
        "the backbone.",
    )


def tensor_bytes(params: WaterParams, shape: Shape) -> float:
    """Return the bytes of codes (a byte a row at least), scales and offsets, and of the bits in the manifest."""
    codes = max(params.bits * shape.dim / 8, 1) * shape.entities
    return codes + 2 * shape.dim * (4 + 3)


def curves(table: Tensor) -> Tensor:
    """Return the mean squared error of every column at 0 to 8 bits, float64 of shape (9, d), never rising."""
    centred = table - table.mean(0)
    rows = centred[:: max(1, len(table) // SAMPLE)]
    errors = [rows.square().mean(0), *(steps(rows, bits)[1] for bits in range(1, MOST_BITS + 1))]
    return torch.stack(errors).double().cummin(0).values


def worth(errors: Tensor, met: Tensor, temper: float) -> Tensor:
    """Return what every next bit of a column is worth, float64 of shape (8, d).

    Parameters
    ----------
    errors : float64 Tensor of shape (9, d)
        See `curves`.
    met : float64 Tensor of shape (d,)
        Sum of squares of the other table's column, which an error is multiplied with.
    temper : float in [0, 1]
    """
    relative = -errors.diff(dim=0) / torch.where(errors[0] > 0, errors[0], 1.0)
    return relative * (errors[0] * met) ** temper


def allocate(gain: tuple[Tensor, Tensor], rows: tuple[int, int], budget: float) -> tuple[list[int], list[int]]:
    """Give bits one by one to the column where the next one is worth most, while codes fit the budget.

    Parameters
    ----------
    gain : pair of float64 Tensor of shape (8, d)
        What each next bit of a column is worth, per row that it is stored for; see `worth`.
    rows : pair of int
        Of users and items.
    budget : float
        Bytes, at least one a row. Rows end on bytes: bits that fill up a byte are free.

    Returns
    -------
    pair of list of int
        Bits of every column of users and of items.
    """
    bits = ([0] * gain[0].shape[1], [0] * gain[1].shape[1])
    open_ = {(side, column) for side in (0, 1) for column in range(len(bits[side]))}
    gains = [each.tolist() for each in gain]
    while open_:
        # Of equal columns the first.
        side, column = max(sorted(open_), key=lambda place: gains[place[0]][bits[place[0]][place[1]]][place[1]])
        bits[side][column] += 1
        if sum(count * max(1, -(-sum(each) // 8)) for count, each in zip(rows, bits, strict=True)) > budget:
            bits[side][column] -= 1
            open_ = {place for place in open_ if place[0] != side}
        elif bits[side][column] == MOST_BITS:
            open_.discard((side, column))
    return bits


@dataclass(frozen=True)
class Measured:
    """Two tables, what their columns lose at each number of bits, and what those errors meet; see `worth`."""

    users: Tensor
    items: Tensor
    errors: tuple[Tensor, Tensor]
    met: tuple[Tensor, Tensor]

    @classmethod
    def of(cls, users: Tensor, items: Tensor) -> Measured:
        """Measure two tables on the same axes."""
        met = ((items - items.mean(0)).double().square().sum(0), users.double().square().sum(0))
        return cls(users, items, (curves(users), curves(items)), met)


def agreement(task: Task[WaterParams], made: Artefact) -> float:
    """Return the share of the backbone's own best unseen items that an artefact finds too, over a sample of users.

    No label takes part: what is compared are lists of the compressed and the uncompressed tables.
    """
    seen, backbone = task.graph.user_items, task.backbone
    users = torch.arange(0, seen.n_users, max(1, seen.n_users // ASKED))
    k = min(DEPTH, seen.n_items)
    before = backbone.users[users] @ backbone.items.T
    after = made.users.decode(users) @ made.items.decode().T
    for row, user in enumerate(users.tolist()):
        before[row, seen.of(user)] = after[row, seen.of(user)] = -torch.inf
    wanted = torch.zeros_like(before, dtype=torch.bool).scatter_(1, before.topk(k).indices, True)
    return float(wanted.gather(1, after.topk(k).indices).float().mean())


class WaterFilling(Method[WaterParams]):
    """Transform coding at a fixed rate (Huang and Schultheiss 1963), with bits that follow the error of scores.

    Users and items are rotated together to the principal axes of both (scores don't change). An error of a user in
    column j meets every item's value there, so the squared error of all scores is the sum over columns of
    ``D^U_j(b_j) · ‖E_I[:, j]‖²`` for users and of the same with the sides exchanged for items, where ``D_j(b)`` is the
    error that b bits leave in a column, measured rather than assumed to be Gaussian. A bit of a user column costs as
    many bits as there are users. The greedy choice of the best next bit per bit stored is optimal for curves that
    fall ever more slowly; columns whose first bit isn't worth it get none, which is reverse water-filling.

    The error of all scores isn't yet that of the best ones. Where much of it lies between groups of users and items
    and lists are told apart by the small columns, it starves them, and items that live there are shortened and never
    found; and a grid clips long rows, which are the popular items where lengths carry popularity. So two tempers and
    three ways with lengths are tried, and the one is kept whose lists agree most with the backbone's.

    In memory the artefact is what it is on disk, and is ranked as bits. `transform_coding` does with an entropy coder
    what this does with allocation.
    """

    Params = WaterParams

    def params_for(self, budget: int, shape: Shape) -> WaterParams:
        """See `Method.params_for`: the highest rate that fits, to a hundredth of a bit."""
        candidates = [WaterParams(bits=rate / 100) for rate in RATES]
        return largest(candidates, lambda params: tensor_bytes(params, shape), budget)

    def compress(self, task: Task[WaterParams]) -> Artefact:
        """See `Method.compress`.

        Raises
        ------
        ValueError
            When a value is not finite.
        """
        tables = [task.backbone.users, task.backbone.items]
        if not all(torch.isfinite(table).all() for table in tables):
            raise ValueError("a value of the backbone is not finite")
        users, items = tables
        # Scores move by the same for all items of a user when items are centred: their mean needs no axes.
        centred = items - items.mean(0)
        scaled = [table / (table.norm() or 1.0) for table in (users, centred)]
        axes = principal(torch.cat(scaled), users.shape[1])
        turned = users @ axes, items @ axes
        rows = (len(users), len(items))
        whole = max(task.params.bits * users.shape[1] / 8, 1) * sum(rows)

        norms = turned[1].norm(dim=1)

        @cache
        def measured(one_length: bool) -> Measured:
            # Lists don't depend on the lengths of users: theirs need no byte.
            return Measured.of(*(F.normalize(t) * t.norm(dim=1).mean() if one_length else t for t in turned))

        def made(temper: float, lengths: Lengths) -> Artefact:
            own = lengths == "own"
            tables = measured(own)
            gains = tuple(worth(*each, temper) for each in zip(tables.errors, tables.met, strict=True))
            bits = allocate((gains[0], gains[1]), rows, whole - len(items) if own else whole)
            length = float(norms.mean()) if lengths == "one" else None
            coded = ColumnUniform.encode(tables.items, bits[1], length, norms if own else None)
            return Artefact(ColumnUniform.encode(tables.users, bits[0]), coded)

        tempers = TEMPERS if task.params.temper is None else (task.params.temper,)
        # A row takes a byte of codes at least.
        ways = [each for each in LENGTHS if each != "own" or whole - len(items) >= sum(rows)]
        variants = list(product(tempers, ways if task.params.lengths is None else [task.params.lengths]))
        if len(variants) == 1:
            return made(*variants[0])
        found = []
        for number, variant in enumerate(variants):
            candidate = made(*variant)
            found.append((agreement(task, candidate), -number, candidate))
            task.progress((number + 1) / len(variants))
        # Of equal ones the first.
        return max(found, key=lambda entry: entry[:2])[2]
