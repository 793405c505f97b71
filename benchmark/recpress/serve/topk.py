"""Exact top-K: seen items masked, ties broken by the lowest item id, memory bounded."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, nullcontext
from functools import partial

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from recpress.codecs.kernels.simd import has_vnni
from recpress.data.interactions import UserItems
from recpress.serve._round import MOST_COLUMNS, Rounded
from recpress.serve._select import GROUP, SEEN, mask_rows, select_near, select_rows

Items = NDArray[np.int32]
Scores = NDArray[np.float32]

EVAL_MEMORY = 128 << 20
"""Default bound in bytes for the score buffer of `rank`."""

ROWS = 256
"""Default number of users that `rank` scores at once."""

_CACHED = 8 << 20  # Bytes of products that stay in the cache until they are looked at.

_FEWEST = 32  # With fewer users at once, products of bytes wait for the table.

_GROUPS_PER_PLACE = 2  # With fewer groups of items for each place of a list, most of a catalogue would be scored.

_CELLS_PER_THREAD = 1 << 18  # Below this, handing work to a thread costs more than it saves.


def mask(scores: Tensor, seen: UserItems, users: NDArray[np.int64]) -> None:
    """Set the scores of each user's seen items to -inf, in place.

    Parameters
    ----------
    scores : float32 tensor of shape (B, n_items)
    seen : UserItems
    users : int64 array of shape (B,)
        The user of each row.
    """
    _check(scores, seen, users)
    if scores.device.type == "cpu":
        mask_rows(scores.numpy(), seen.indptr, seen.items, users, -np.inf)
        return
    counts = seen.counts[users]
    rows = np.repeat(np.arange(len(users)), counts)
    columns = np.concatenate([seen.of(user) for user in users.tolist()])
    device = scores.device
    scores[torch.from_numpy(rows).to(device), torch.from_numpy(columns).to(device)] = -torch.inf


def select(scores: Tensor, seen: UserItems | None, users: NDArray[np.int64], k: int) -> tuple[Items, Scores]:
    """Return the k best unseen items of each row, by (score descending, item id ascending).

    An item whose score is -inf is never returned, and +inf is an ordinary, highest score. Rows with fewer
    than `k` items left, down to none, are padded with item -1 and score -inf; `k` = 0 gives empty rows.

    Parameters
    ----------
    scores : float32 tensor of shape (B, n_items)
        Overwritten with -inf at the seen items.
    seen : UserItems or None
        Items to leave out, by user.
    users : int64 array of shape (B,)
        The user of each row.
    k : int
        List length, >= 0. It may exceed `n_items`.

    Returns
    -------
    items : int32 array of shape (B, k)
    scores : float32 array of shape (B, k)

    Raises
    ------
    ValueError
        When an unseen item has the score NaN, which can't be ranked; the message names the user. Also when
        shapes, types or user ids don't fit together.
    """
    items = np.empty((len(users), max(k, 0)), np.int32)
    best = np.empty(items.shape, np.float32)
    with _threads(len(users), scores.shape[-1]) as pool:
        _select_into(scores, seen, users, items, best, k, pool)
    return items, best


def rank(
    score_block: Callable[[NDArray[np.int64], Tensor | None], Tensor],
    users: NDArray[np.int64],
    seen: UserItems | None,
    k: int,
    n_items: int,
    memory_bytes: int = EVAL_MEMORY,
    rows: int = ROWS,
) -> Items:
    """Rank the whole catalogue for many users, block by block, and return the top-K items.

    Parameters
    ----------
    score_block : callable
        Takes users, int64 of shape (B,), and a buffer, float32 tensor of shape (B, n_items) or None, and
        returns scores of that shape, in the buffer or elsewhere. They are overwritten. It is called from several
        threads at once, each with a buffer of its own, where torch has several.
    users : int64 array of shape (n,)
    seen : UserItems or None
    k : int
    n_items : int
    memory_bytes : int
        Bound on the score buffers, which are the only large arrays beside the result. One row a thread is
        always allowed, however little this is.
    rows : int
        The most users that are scored at once. With few, the scores stay in the cache between product and
        selection; with many, a scorer that decodes its table at each call does so less often.

    Returns
    -------
    int32 array of shape (n, k)
        As `select` gives them.
    """

    def fill(block: NDArray[np.int64], buffer: Tensor, items: Items, best: Scores) -> None:
        scores = score_block(block, buffer)
        if scores.shape != (len(block), n_items):
            raise ValueError(f"scores have shape {tuple(scores.shape)}, not {(len(block), n_items)}")
        _select_into(scores, seen, block, items, best, k, None)

    return _by_blocks(fill, users, k, n_items, torch.float32, memory_bytes, rows)


def rank_tables(
    queries: Callable[[NDArray[np.int64]], Tensor],
    table: Tensor,
    users: NDArray[np.int64],
    seen: UserItems,
    k: int,
    memory_bytes: int = EVAL_MEMORY,
) -> Items:
    """Rank the whole catalogue by products with a float32 table, exactly, and sooner than the products take.

    With AVX-512 VNNI and a large catalogue, products of both sides rounded to signed bytes tell each score to within a
    bound; only the items that may be among the k best by that, some hundreds, are scored in float32. Elsewhere this
    is `rank`.

    Parameters
    ----------
    queries : callable
        Takes users, int64 of shape (B,), and returns their queries, float32 of shape (B, d). It is called from several
        threads at once.
    table : float32 Tensor of shape (n_items, d)
    users, seen, k, memory_bytes
        See `rank`.

    Returns
    -------
    int32 array of shape (n, k)
        As `select` gives them.

    Raises
    ------
    ValueError
        See `select`.
    """
    n_items, columns = table.shape
    few = k < 1 or n_items < _GROUPS_PER_PLACE * GROUP * k
    # torch 2.13's product of bytes is wrong for tables of one column.
    unfit = not 2 <= columns <= MOST_COLUMNS
    if few or unfit or table.device.type != "cpu" or not has_vnni() or not torch.isfinite(table).all():

        def score(block: NDArray[np.int64], out: Tensor | None) -> Tensor:
            made = queries(block)
            return torch.mm(made, table.T, out=out if made.device.type == "cpu" else None)

        return rank(score, users, seen, k, n_items, memory_bytes)
    if n_items != seen.n_items or (len(users) and (users.min() < 0 or users.max() >= seen.n_users)):
        raise ValueError(f"{n_items} items and these users don't fit {seen.n_users} users × {seen.n_items} items")
    table = table.contiguous()
    rounded = Rounded.of(table)

    def fill(block: NDArray[np.int64], buffer: Tensor, items: Items, best: Scores) -> None:
        made = queries(block).contiguous()
        if not torch.isfinite(made).all():
            # Whether it has a rank depends on the table.
            scores = torch.mm(made, table.T)
            return _select_into(scores, seen, block, items, best, k, None)
        codes, margins = rounded.queries(made)
        products = torch._int_mm(codes, rounded.codes.T, out=buffer).numpy()
        mask_rows(products, seen.indptr, seen.items, block, SEEN)
        bad = select_near(products, margins, made.numpy(), table.numpy(), items, best)
        if bad >= 0:
            raise _not_a_number(block, bad)

    rows = min(ROWS, max(_FEWEST, _CACHED // (4 * n_items)))
    return _by_blocks(fill, users, k, n_items, torch.int32, memory_bytes, rows)


def _by_blocks(
    fill: Callable[[NDArray[np.int64], Tensor, Items, Scores], None],
    users: NDArray[np.int64],
    k: int,
    n_items: int,
    dtype: torch.dtype,
    memory_bytes: int,
    rows: int,
) -> Items:
    """Fill in the lists of some users at a time, in as many threads as torch has, each with a buffer of its own."""
    threads = max(1, min(torch.get_num_threads(), len(users), len(users) * n_items // _CELLS_PER_THREAD))
    rows = max(1, min(rows, -(-len(users) // threads), memory_bytes // max(4 * n_items * threads, 1)))
    items = np.empty((len(users), max(k, 0)), np.int32)
    starts = iter(range(0, len(users), rows))  # Shared: who is done first takes the next block.

    def work() -> None:
        buffer = torch.empty((rows, n_items), dtype=dtype)
        best = np.empty((rows, max(k, 0)), np.float32)
        for start in starts:
            block = users[start : start + rows]
            fill(block, buffer[: len(block)], items[start : start + rows], best[: len(block)])

    if threads == 1:
        work()
    else:
        _in_threads(work, threads)
    return items


def _in_threads(work: Callable[[], None], threads: int) -> None:
    """Do the same work in several threads, in each of which torch has but one.

    Two products on a core each, each followed by its own selection, take less time than one product on both: nobody
    waits for the other between blocks, and scores are looked at where they were made.
    """

    def alone() -> None:
        torch.set_num_threads(1)
        with torch.no_grad():  # A thread doesn't take this over from who starts it.
            work()

    before = torch.get_num_threads()
    try:
        with ThreadPoolExecutor(threads) as pool:
            for each in [pool.submit(alone) for _ in range(threads)]:
                each.result()
    finally:
        torch.set_num_threads(before)


def _check(scores: Tensor, seen: UserItems | None, users: NDArray[np.int64]) -> None:
    if scores.ndim != 2 or scores.dtype != torch.float32:
        raise ValueError(f"scores must be a float32 matrix, not {scores.dtype} of {scores.ndim} dimensions")
    if users.shape != scores.shape[:1]:
        raise ValueError(f"{scores.shape[0]} rows of scores for {len(users)} users")
    if seen is None:
        return
    if seen.n_items != scores.shape[1]:
        raise ValueError(f"scores for {scores.shape[1]} items, but {seen.n_items} items in the catalogue")
    if len(users) and (users.min() < 0 or users.max() >= seen.n_users):
        raise ValueError(f"user ids must lie in [0, {seen.n_users})")


def _threads(rows: int, n_items: int) -> AbstractContextManager[ThreadPoolExecutor | None]:
    """Return as many threads as torch has, or None where there is too little work for a second one."""
    threads = min(torch.get_num_threads(), rows, rows * n_items // _CELLS_PER_THREAD)
    return ThreadPoolExecutor(threads) if threads > 1 else nullcontext()


def _select_into(
    scores: Tensor,
    seen: UserItems | None,
    users: NDArray[np.int64],
    items: Items,
    best: Scores,
    k: int,
    pool: ThreadPoolExecutor | None,
) -> None:
    if k < 0:
        raise ValueError(f"k must be at least 0, not {k}")
    _check(scores, seen, users)
    if seen is not None:
        mask(scores, seen, users)
    if scores.device.type != "cpu":
        items[:], best[:] = _select_by_key(scores, users, k)
        return
    work = partial(select_rows, scores.contiguous().numpy(), items, best)
    if pool is None:
        bad = [work(0, len(users))]
    else:
        # Two parts for each thread, so that one that is held up costs less.
        parts = 2 * torch.get_num_threads()
        bounds = [len(users) * part // parts for part in range(parts + 1)]
        bad = list(pool.map(work, bounds[:-1], bounds[1:]))
    for row in bad:
        if row >= 0:
            raise _not_a_number(users, row)


def _select_by_key(scores: Tensor, users: NDArray[np.int64], k: int) -> tuple[Items, Scores]:
    """Select with torch alone, for any device: one int64 key orders by score, then by lowest id."""
    nan = scores.isnan().any(1)
    if nan.any():
        raise _not_a_number(users, int(nan.nonzero()[0, 0]))
    n_items = scores.shape[1]
    bits = (scores + 0.0).view(torch.int32).long()  # + 0.0: the two zeros are equal and must tie.
    ordered = torch.where(bits < 0, bits ^ 0x7FFFFFFF, bits)
    keys = (ordered << 32) + torch.arange(n_items - 1, -1, -1, device=scores.device)
    ids = keys.topk(min(k, n_items), dim=1).indices
    values = scores.gather(1, ids)
    ids = ids.masked_fill(values == -torch.inf, -1)
    items = np.full((len(users), k), -1, np.int32)
    best = np.full((len(users), k), -np.inf, np.float32)
    items[:, : ids.shape[1]] = ids.cpu().numpy()
    best[:, : ids.shape[1]] = values.cpu().numpy()
    return items, best


def _not_a_number(users: NDArray[np.int64], row: int) -> ValueError:
    return ValueError(f"the scores of user {int(users[row])} contain NaN, which can't be ranked")
