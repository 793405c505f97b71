"""Ids to places in a small table by a formula, so that no index is stored."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

# splitmix64 (Steele, Lea and Flood 2014, "Fast splittable pseudorandom number generators"): the step between seeds and
# the two multipliers of its mixing function.
STEP = np.uint64(0x9E3779B97F4A7C15)
MIX = (np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB))


def mixed(ids: NDArray[np.int64], seed: int) -> NDArray[np.uint64]:
    """Return 64 well-mixed bits for each id: the same on every machine, independent between seeds."""
    with np.errstate(over="ignore"):
        x = ids.astype(np.uint64) + np.uint64(seed + 1) * STEP
        x = (x ^ (x >> np.uint64(30))) * MIX[0]
        x = (x ^ (x >> np.uint64(27))) * MIX[1]
        return x ^ (x >> np.uint64(31))


def buckets(n: int, count: int, seed: int) -> Tensor:
    """Return the bucket of each of the ids 0 … n - 1, int64 in [0, count)."""
    return torch.from_numpy((mixed(np.arange(n), seed) % np.uint64(count)).astype(np.int64))


def uniforms(ids: Tensor, seeds: int) -> Tensor:
    """Return numbers in [-1, 1) for each id, float32 of shape (len(ids), seeds), one hash function per column."""
    bits = np.stack([mixed(ids.numpy(), seed) for seed in range(seeds)], axis=1)
    return torch.from_numpy((bits >> np.uint64(40)).astype(np.float32) * np.float32(2**-23) - np.float32(1))
