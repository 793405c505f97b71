"""A record's and a timing's figures, computed again from what they rest on: each function yields what is wrong."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

import numpy as np

from recpress.measure import energy
from recpress.measure.ratio import paired_ratio
from recpress.records.plausible import RETAINED
from recpress.records.record import Bytes, Energy, Latency, Quality, Record, Serving
from recpress.records.samples import TICK_NS, unpack
from recpress.records.timing import Timing

SAME: Final = 1e-9
# Sides of stored tensors are told to two digits, so one may be a twentieth less.
ROUNDED: Final = 1.05
TENSOR: Final = re.compile(r"[a-z]+(\d+)\[([0-9, ]*)\]")
# Twenty seconds of the shortest calls that stand alone make fewer.
MOST_BLOCKS: Final = 200_000
SEED: Final = re.compile(r".*\.seed(\d{1,18})")


def of_bytes(record: Record) -> Iterator[str]:
    """Compare the bytes with their own breakdown, the tables' sizes, and the served tensors."""
    size, serving = record.bytes, record.serving
    if size is None:
        return
    if sum(size.breakdown.values()) != size.file:
        yield "the kinds of its byte breakdown don't add up to the file's bytes"
    if (size.users or 0) + (size.items or 0) > size.file:
        yield "its two sides take more bytes than the file has"
    if serving:
        yield from _of_serving(size, serving)


def _of_serving(size: Bytes, serving: Serving) -> Iterator[str]:
    entities = serving.n_users + serving.n_items
    if size.reference != 4 * entities * serving.reference_columns:
        yield "its reference isn't the bytes of the dense fp32 tables"
    if not _same(size.per_entity * entities, size.file):
        yield "its bytes per entity aren't those of the file"
    if size.file < sum(_least(tree) for tree in (serving.users, serving.items, serving.network) if tree):
        yield "the tensors that it serves don't fit into the file's bytes"


def _least(tree: Mapping[str, Any]) -> float:
    """Return the fewest bytes that the tensors of one part may have; what is unpacked when loaded isn't among them."""
    tensors = tree.get("tensors")
    told = [TENSOR.fullmatch(str(each)) for each in tensors.values()] if isinstance(tensors, dict) else []
    return sum(_tensor_bytes(each) for each in told if each)


def _tensor_bytes(told: re.Match[str]) -> float:
    sides = [float(side) / ROUNDED for side in told[2].split(",") if side.strip()]
    return int(told[1]) / 8 * math.prod(sides)


def of_energy(record: Record) -> Iterator[str]:
    """Compare analytic energies with the bytes that an answer reads, by the table that they name."""
    for each in record.energy:
        if each.grade == "analytic":
            yield from _analytic(each, record.bytes)


def _analytic(told: Energy, size: Bytes | None) -> Iterator[str]:
    if told.table not in energy.versions():
        yield f"its energy table {told.table[:40]!r} is none of ours"
        return
    if not _same(sum(told.parts.values()), told.joules):
        yield "the parts of its analytic energy don't add up"
    if size is None or size.touched_per_query is None:
        yield "its analytic energy rests on no count of bytes read"
        return
    memory = energy.table(told.table).dram_byte.times(size.touched_per_query * 1e-12)
    if not _same(told.parts.get("memory", 0.0), memory.middle) or told.low < memory.low * (1 - SAME):
        yield "its analytic energy isn't that of the bytes that an answer reads"


def of_quality(record: Record, whole: Quality | None) -> Iterator[str]:
    """Compare the quality with that of the same backbone's fp32 tables.

    Parameters
    ----------
    record : Record
    whole : Quality or None
        Of the run ``none`` of the same checkpoint, where a folder has it.
    """
    told = record.quality
    if told is None:
        return
    if record.serving and told.users + told.users_left_out != record.serving.n_users:
        yield "its users and those left out aren't all users"
    if told.paired and told.paired.low > told.paired.high:
        yield "the interval of its retention ends before it begins"
    for name in RETAINED if whole else ():
        if whole and whole.metrics.get(name) and told.retention.get(name) is None:
            yield f"it doesn't say what it retains of the {name} of the backbone's fp32 tables"
            return
    for name, kept in told.retention.items() if whole else ():
        base = whole.metrics.get(name) if whole else None
        if base is not None and kept is not None and not _same(kept * base, told.metrics.get(name, math.nan)):
            yield f"its {name} isn't what it retains of the backbone's fp32 tables"
            return


def of_timing(timing: Timing) -> Iterator[str]:
    """Compare each scenario's figures with its raw times."""
    seed = SEED.fullmatch(timing.run)
    if seed is None:
        yield f"{timing.run[:80]!r} names no run"
        return
    for timed in timing.latency:
        try:
            yield from _of_samples(timed, int(seed[1]))
        except ValueError as error:
            yield f"the raw times of {timed.scenario} can't be read: {error}"


def _of_samples(timed: Latency, seed: int) -> Iterator[str]:
    raw = unpack(timed.samples, timed.queries)
    # Each raw time is up to half a tick off.
    if (raw < TICK_NS).any():
        raise ValueError("there is one of no time at all")
    if timed.queries % timed.block or timed.queries // timed.block > MOST_BLOCKS:
        raise ValueError(f"{timed.queries} of them aren't at most {MOST_BLOCKS} blocks of {timed.block}")
    ours, theirs = raw.reshape(2, -1, timed.block)
    told = (timed.p50_ms, timed.p90_ms, timed.p99_ms, timed.reference_p50_ms)
    found = [*np.percentile(ours, (50, 90, 99)), np.median(theirs)]
    if not np.allclose(np.array(found) / 1e6, told, rtol=SAME, atol=TICK_NS / 2e6):
        yield f"the percentiles of {timed.scenario} aren't those of its raw times"
    # A ratio of two medians is off by as much as both are.
    off = TICK_NS / 2 * sum(1 / np.median(side, axis=1).min() for side in (ours, theirs))
    ratio = paired_ratio(ours, theirs, seed=seed)
    told_ratio = (timed.ratio, timed.ratio_low, timed.ratio_high)
    if not np.allclose((ratio.value, ratio.low, ratio.high), told_ratio, rtol=1.01 * off, atol=0):
        yield f"the ratio of {timed.scenario}, or its interval, isn't that of its raw times"


def _same(one: float, other: float) -> bool:
    return math.isclose(one, other, rel_tol=SAME)
