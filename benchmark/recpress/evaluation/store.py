"""Per-user arrays on disk: parquet files in a local store, known to a record by the hash of their content."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from recpress.core.errors import UserError
from recpress.core.io import replacing


@dataclass(frozen=True)
class PerUser:
    """Metrics of one run, user by user.

    Attributes
    ----------
    users : int64 array of shape (n,)
        Evaluated users, ascending.
    metrics : mapping of str to float64 array of shape (n,)
        Keyed ``recall@20``.
    topk : int32 array of shape (n, depth)
        The served lists, -1 in empty places.
    """

    users: NDArray[np.int64]
    metrics: Mapping[str, NDArray[np.float64]]
    topk: NDArray[np.int32]

    def sha256(self) -> str:
        """Return the hash of the content, which doesn't depend on the library that wrote the file."""
        digest = hashlib.sha256(f"{len(self.users)} {self.topk.shape[1]} {sorted(self.metrics)}\n".encode())
        digest.update(self.users.astype("<i8").tobytes())
        digest.update(self.topk.astype("<i4").tobytes())
        for name in sorted(self.metrics):
            digest.update(self.metrics[name].astype("<f8").tobytes())
        return digest.hexdigest()


def save(path: Path, scored: PerUser) -> str:
    """Write a parquet file, whole or not at all, and return the hash of its content."""
    depth = scored.topk.shape[1]
    lists = pa.FixedSizeListArray.from_arrays(pa.array(scored.topk.ravel()), depth)
    columns = {"user": pa.array(scored.users), "topk": lists}
    columns |= {name: pa.array(scored.metrics[name]) for name in sorted(scored.metrics)}
    with replacing(path) as temporary:
        pq.write_table(pa.table(columns), temporary, compression="zstd")
    return scored.sha256()


def load(path: Path, sha256: str | None = None) -> PerUser:
    """Read a file of `save`.

    Raises
    ------
    UserError
        When the file is missing or unreadable, or its content doesn't have the hash that the record states.
    """
    table = _read(path)
    lists = table.column("topk").combine_chunks()
    names = [name for name in table.column_names if name not in ("user", "topk")]
    scored = PerUser(
        users=table.column("user").to_numpy(),
        metrics={name: table.column(name).to_numpy() for name in names},
        topk=lists.flatten().to_numpy().reshape(len(lists), lists.type.list_size),
    )
    if sha256 is not None and scored.sha256() != sha256:
        raise UserError(f"{path} is not what its record was made from (hash differs): repeat the run.")
    return scored


def _read(path: Path) -> pa.Table:
    try:
        return pq.read_table(path)
    except FileNotFoundError as error:
        raise UserError(f"The per-user results {path} are not here: `recpress run` the run again.") from error
    except pa.ArrowInvalid as error:
        raise UserError(f"{path} is not a readable parquet file: remove it and repeat the run.") from error
