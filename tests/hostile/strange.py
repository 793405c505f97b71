"""Sound artefacts of every codec, and what may be done to their bytes."""

from __future__ import annotations

import json
import random
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from recpress.backbones.base import fit_model
from recpress.backbones.catalogue import backbone as entry
from recpress.backbones.config import TrainingConfig
from recpress.codecs import (
    Binary,
    Codebook,
    Codec,
    ColumnUniform,
    Compositional,
    Constant,
    Dense,
    Entropy,
    Grouped,
    HashedNetwork,
    Inverted,
    LowRank,
    Mixed,
    Navigable,
    Product,
    Reranked,
    Residual,
    Sparse,
    Sum,
    Ternary,
    Uniform,
    Zstd,
)
from recpress.codecs.artefact import MANIFEST, TENSORS, Artefact
from recpress.compression.graph_form import network_of
from recpress.data.card import Synthetic
from recpress.data.graph import Graph
from recpress.data.interactions import UserItems
from recpress.data.synthetic import generate

USERS, ITEMS, COLUMNS = 40, 60, 8
ODD = (
    None, True, False, -1, 0, 1, 2, 3, 7, 8, 9, 16, 17, 63, 255, 256, 2**15, 2**31 - 1, 2**31, 2**40, 10**12, 2**63 - 1,
    10**400, 0.5, -0.0, 1e308, 1e999, float("nan"), "", "dense", "csr", "bitmap", "elias-fano", "stored", "hash",
    "quotient", "../x", "\x1b[31m", "table", "graph", "function", "uint8", "float16", [], {}, [[]], [1, 2, 3], [10**12],
    {"kind": "dense"}, {"kind": "constant", "rows": 10**12, "columns": 10**6}, {"kind": "zstd"},
)  # fmt: skip
# Zero, infinity and NaN of 16 and 32 bits, and the largest of either sign.
PATTERNS = tuple(map(bytes.fromhex, ("0000", "ffff", "007c", "007e", "ff7b", "0000807f", "0000c07f", "ffffff7f")))


def _table(rows: int, seed: int) -> Tensor:
    return torch.randn(rows, COLUMNS, generator=torch.Generator().manual_seed(seed))


def _places(rows: int, of: int) -> Tensor:
    return torch.randint(of, (rows, 3), generator=torch.Generator().manual_seed(rows))


def _uniform(table: Tensor) -> Uniform:
    return Uniform.encode(table, 4)


TABLES: dict[str, Callable[[Tensor], Codec]] = {
    "binary": Binary.encode,
    "codebook": lambda x: Codebook.encode(_uniform(x[:9]), _places(len(x), 9), _uniform(torch.rand(len(x), 3))),
    "hash": lambda x: Codebook(Dense.encode(x[:9]), "hash", None, None, len(x), 2),
    "columns": lambda x: ColumnUniform.encode(x, [8, 7, 6, 4, 2, 1, 1, 0]),
    "compositional": lambda x: Compositional(Dense.encode(x[:9]), Dense.encode(x[9 : 9 - (-len(x) // 9)]), len(x)),
    "constant": lambda x: Constant.encode(torch.full_like(x, 0.5)),
    "dense": Dense.encode,
    "half": lambda x: Dense.encode(x, "fp16"),
    "entropy": lambda x: Entropy.encode(_uniform(x)),
    "grouped": lambda x: Grouped.encode(x, 3, _uniform),
    "function": lambda x: HashedNetwork.encode(
        [(torch.randn(6, 4), torch.randn(6)), (torch.randn(COLUMNS, 6), torch.randn(COLUMNS))], len(x)
    ),
    "inverted": lambda x: Inverted.encode(x, _uniform(x), 5, 2),
    "low-rank": lambda x: LowRank(_uniform(x[:, :3]), Dense.encode(x[:3])),
    "mixed": lambda x: Mixed.encode(x, np.arange(len(x), dtype=np.uint8) % 2, [_uniform, Dense.encode]),
    "navigable": lambda x: Navigable.encode(Dense.encode(x), 4, 20, 20),
    "product": lambda x: Product.encode(x, 4, 4),
    "reranked": lambda x: Reranked(Binary.encode(x), Uniform.encode(x, 8), 20),
    "residual": lambda x: Residual.encode(x, 2, 4),
    "csr": lambda x: Sparse.encode(x * (x.abs() > 1), layout="csr"),
    "bitmap": lambda x: Sparse.encode(x * (x.abs() > 1), layout="bitmap"),
    "elias-fano": lambda x: Sparse.encode(x * (x.abs() > 1), layout="elias-fano"),
    "sum": lambda x: Sum(_uniform(x), Binary.encode(x)),
    "ternary": Ternary.encode,
    "uniform": _uniform,
    "symmetric": lambda x: Uniform.encode(x, 8, symmetric=True, granularity="tensor"),
    "zstd": lambda x: Zstd.encode(_uniform(x)),
}


def sound(folder: Path, users: int = USERS, items: int = ITEMS) -> list[Path]:
    """Write an artefact of each codec and network, and return their folders."""
    for name, encode in TABLES.items():
        # Codecs that search are of items.
        of_users = Dense.encode if name in ("inverted", "navigable", "reranked") else encode
        form = "function" if name == "function" else "table"
        Artefact(of_users(_table(users, 0)), encode(_table(items, 1)), form).save(folder / name)
    made = generate(Synthetic(users=users, items=items, interactions=10 * users, seed=2))
    graph = Graph(UserItems.from_pairs(made.users, made.items, made.n_users, made.n_items))
    for name in ("lightgcn", "sage", "ngcf"):
        trained = fit_model(name, entry(name).model, graph, TrainingConfig(dim=COLUMNS, layers=2, epochs=1), 0)
        network = network_of(trained, graph, _uniform)
        Artefact.propagated(_uniform(trained.base_users), _uniform(trained.base_items), network).save(folder / name)
    return sorted(folder.iterdir())


Mutation = Callable[[random.Random, Path], None]


def _spots(value: Any) -> list[tuple[Any, Any]]:
    """Return every place in a JSON value as its container and key."""
    keys = list(value) if isinstance(value, dict) else list(range(len(value))) if isinstance(value, list) else []
    return [spot for key in keys for spot in [(value, key), *_spots(value[key])]]


def _manifest(dice: random.Random, folder: Path) -> None:
    """Replace, drop or double values of the manifest."""
    path = folder / MANIFEST
    manifest = json.loads(path.read_text())
    for _ in range(dice.choice((1, 1, 1, 2, 3))):
        at, key = dice.choice(_spots(manifest))
        what = dice.random()
        if what < 0.7:
            at[key] = dice.choice(ODD)
        elif what < 0.85 and isinstance(at[key], int):
            at[key] += dice.choice((-1, 1, 8))
        elif isinstance(at, dict):
            del at[key]
        if not manifest:
            break
    path.write_text(json.dumps(manifest))


def _transplanted(dice: random.Random, folder: Path) -> None:
    """Put one part of the manifest in place of another."""
    path = folder / MANIFEST
    manifest = json.loads(path.read_text())
    spots = _spots(manifest)
    (at, key), (other, name) = dice.choice(spots), dice.choice(spots)
    at[key] = json.loads(json.dumps(other[name]))
    path.write_text(json.dumps(manifest))


def _nested(dice: random.Random, folder: Path) -> None:
    """Nest what isn't nested, deeply."""
    depth = dice.choice((30, 900, 100_000))
    opening, closing = dice.choice((("[", "]"), ('{"inner":', "}"), ('{"kind":"zstd","tensors":[],"inner":', "}")))
    text = opening * depth + "0" + closing * depth
    side = dice.choice(("users", "items", "network"))
    (folder / MANIFEST).write_text(f'{{"format":1,"serve_form":"table","users":{{}},"items":{{}},"{side}":{text}}}')


def _header(dice: random.Random, folder: Path) -> None:
    """Change what the tensors' header says of one: type, shape, place, name."""
    path = folder / TENSORS
    raw = path.read_bytes()
    length = struct.unpack("<Q", raw[:8])[0]
    header = json.loads(raw[8 : 8 + length])
    name = dice.choice([name for name in header if name != "__metadata__"])
    about, what = header[name], dice.randrange(6)
    if what == 0:
        about["dtype"] = dice.choice(("F16", "U8", "I8", "F32", "BF16", "U16", "I32", "U32", "F64", "I64", "BOOL"))
    elif what == 1:
        sides = about["shape"]
        about["shape"] = dice.choice(([*sides, 1], sides[::-1], sides[1:], [2**40, 2**30], []))
    elif what == 2:
        about["data_offsets"][dice.randrange(2)] += dice.choice((-2, -1, 1, 2, 2**40))
    elif what == 3:
        header[name + dice.choice(("x", ".values", "\x1b"))] = header.pop(name)
    elif what == 4:
        del header[name]
    else:
        about["dtype"] = {"F16": "U16", "F32": "U32", "U8": "I8", "U16": "F16"}.get(about["dtype"], "U8")
    text = json.dumps(header).encode()
    path.write_bytes(struct.pack("<Q", len(text)) + text + raw[8 + length :])


def _values(dice: random.Random, folder: Path) -> None:
    """Write other values into the tensors: noise, infinities, numbers that are none."""
    path = folder / TENSORS
    raw = bytearray(path.read_bytes())
    start = 8 + struct.unpack("<Q", raw[:8])[0]
    for _ in range(dice.choice((1, 4, 40))):
        at, new = dice.randrange(start, len(raw)), dice.choice((*PATTERNS, dice.randbytes(1), dice.randbytes(8)))
        raw[at : at + len(new)] = new[: len(raw) - at]
    path.write_bytes(raw)


def _bytes(dice: random.Random, folder: Path) -> None:
    """Cut, lengthen or flip either file, whatever it says."""
    path = folder / dice.choice((TENSORS, MANIFEST))
    raw, what = bytearray(path.read_bytes()), dice.randrange(3)
    if what == 0:
        raw = raw[: dice.randrange(len(raw))]
    elif what == 1:
        raw += dice.randbytes(dice.choice((1, 8, 1000)))
    for _ in range(8 if what == 2 else 0):
        raw[dice.randrange(len(raw))] ^= 1 << dice.randrange(8)
    path.write_bytes(raw)


# The likelier ones more than once.
MUTATIONS: tuple[Mutation, ...] = (
    _manifest, _manifest, _manifest, _transplanted, _header, _header, _values, _values, _values, _bytes, _nested,
)  # fmt: skip
