"""The hits of every run, user by user, kept in the results folder: what pairs runs in any clone of it.

``per-user/<dataset>/users-<split>.parquet`` has the evaluated users and their numbers of test items;
``per-user/<dataset>/<backbone>/<method>.parquet`` has a row a run with its masks (`recpress.evaluation.hit_masks`).
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from recpress.core.errors import UserError
from recpress.core.io import replacing
from recpress.core.locking import locked
from recpress.headline import BOTH
from recpress.isolation import locks
from recpress.records.record import Identity, Record

if TYPE_CHECKING:
    from recpress.data.interactions import UserItems
    from recpress.evaluation.store import PerUser

FOLDER: Final = "per-user"
# What a record has to say the same of.
SAME: Final = 1e-12
# Bytes that a file may unfold to: those of our largest sets take a hundredth of it.
LARGEST: Final = 100_000_000
_HASH: Final = pa.binary(32)

# Setting and seed.
Key = tuple[str, int]


@dataclass(frozen=True)
class Users:
    """The evaluated users of a split.

    Attributes
    ----------
    users : int64 array of shape (n,)
        Ascending.
    n_test : int64 array of shape (n,)
        Test items of each, at least 1.
    """

    users: NDArray[np.int64]
    n_test: NDArray[np.int64]


@dataclass(frozen=True)
class HitsRow:
    """One run's row.

    Attributes
    ----------
    setting, seed
        As in the record's identity.
    split, topk_sha256 : bytes
        Hashes of the split, and of the served lists.
    hits : bytes
        As `recpress.evaluation.hit_masks.pack` packs them.
    """

    setting: str
    seed: int
    split: bytes
    topk_sha256: bytes
    hits: bytes


@dataclass(frozen=True)
class UserHits:
    """Hits of a run, user by user, and each user's number of test items."""

    masks: NDArray[np.uint32]
    n_test: NDArray[np.int64]

    def values(self, name: str) -> NDArray[np.float64]:
        """Return a metric user by user, as `recpress.evaluation.hit_masks.metric` does."""
        from recpress.evaluation import hit_masks

        return hit_masks.metric(name, self.masks, self.n_test)


def _columns(**types: pa.DataType) -> pa.Schema:
    return pa.schema([pa.field(name, kind, nullable=False) for name, kind in types.items()])


USERS: Final = _columns(user=pa.int64(), n_test=pa.int64())
ROWS: Final = _columns(setting=pa.string(), seed=pa.int64(), split=_HASH, topk_sha256=_HASH, hits=pa.binary())


def rows_place(who: Identity) -> Path:
    """Return where the hits of a run lie in a results folder."""
    return Path(FOLDER) / who.dataset / who.backbone / f"{who.method}.parquet"


def users_place(who: Identity) -> Path:
    """Return where the evaluated users of a run's split lie in a results folder."""
    return Path(FOLDER) / who.dataset / f"users-{who.split[:12]}.parquet"


def keep(results: Path, result: Record, scored: PerUser | None, test: UserItems) -> None:
    """Write the hits of a run in place of earlier ones of its variant and seed; a run without a quality has none."""
    who, place = result.identity, rows_place(result.identity)
    if result.quality is None or scored is None:
        remove(results, place, [(who.variant, who.seed)])
        return
    from recpress.evaluation import hit_masks

    users = results / users_place(who)
    packed = hit_masks.pack(hit_masks.of_lists(scored.topk, scored.users, test))
    split, topk = (bytes.fromhex(each) for each in (who.split, result.quality.topk_sha256))
    with _alone():
        if not users.is_file():
            _write(users, pa.table([pa.array(scored.users), pa.array(test.counts[scored.users])], USERS))
        _change(results / place, {(who.variant, who.seed): HitsRow(who.variant, who.seed, split, topk, packed)})


def remove(results: Path, place: Path, keys: Iterable[Key]) -> None:
    """Remove rows of a file, those of them that it has; without any it is removed itself."""
    with _alone():
        _change(results / place, dict.fromkeys(keys))


def _alone() -> AbstractContextManager[None]:
    """Keep out other jobs of this machine, which may write the same file."""
    return locked(locks.place() / "per-user.lock")


def _change(path: Path, changes: Mapping[Key, HitsRow | None]) -> None:
    earlier = _read_rows(path) if path.is_file() else {}
    rows = {key: row for key, row in {**earlier, **changes}.items() if row is not None}
    if rows and rows != earlier:
        _write(path, pa.Table.from_pylist([asdict(rows[key]) for key in sorted(rows)], ROWS))
    elif not rows:
        path.unlink(missing_ok=True)


def _write(path: Path, table: pa.Table) -> None:
    with replacing(path) as temporary:
        # There are hundreds of small files: what readers don't need of parquet's own is left out.
        pq.write_table(
            table,
            temporary,
            compression={name: "none" if name == "hits" else "zstd" for name in table.column_names},
            use_dictionary=False,
            write_statistics=False,
            store_schema=False,
        )


def _read(path: Path, schema: pa.Schema) -> pa.Table:
    try:
        file = pq.ParquetFile(path)
        groups = (file.metadata.row_group(at).total_byte_size for at in range(file.num_row_groups))
        if not file.schema_arrow.equals(schema) or sum(groups) > LARGEST:
            raise UserError(f"{path} doesn't have the columns {', '.join(schema.names)}: remove it.")
        return file.read()
    except FileNotFoundError as error:
        raise UserError(f"There is no {path}.") from error
    except (pa.ArrowException, OSError) as error:
        raise UserError(f"{path} is not a readable parquet file: remove it.") from error


def _read_rows(path: Path) -> dict[Key, HitsRow]:
    rows = [HitsRow(**each) for each in _read(path, ROWS).to_pylist()]
    return {(each.setting, each.seed): each for each in rows}


class Store:
    """The hits in a results folder. Each file is read once."""

    def __init__(self, results: Path) -> None:
        self._results = results
        self._users: dict[Path, Users] = {}
        self._rows: dict[Path, dict[Key, HitsRow]] = {}

    def users(self, who: Identity) -> Users:
        """Return the evaluated users of a run's split.

        Raises
        ------
        UserError
            When the file isn't there, or isn't one of ours.
        """
        path = self._results / users_place(who)
        if path not in self._users:
            table = _read(path, USERS)
            found = Users(table.column("user").to_numpy(), table.column("n_test").to_numpy())
            if (found.n_test < 1).any() or (np.diff(found.users) < 1).any():
                raise UserError(f"{path} has users without test items, or out of order: remove it.")
            self._users[path] = found
        return self._users[path]

    def rows(self, path: Path) -> dict[Key, HitsRow]:
        """Return the rows of a file by setting and seed.

        Parameters
        ----------
        path : Path
            Relative to the results folder.

        Raises
        ------
        UserError
            When the file isn't there, or isn't one of ours.
        """
        if path not in self._rows:
            self._rows[path] = _read_rows(self._results / path)
        return self._rows[path]

    def has(self, result: Record) -> bool:
        """Tell whether the hits of a run are there."""
        try:
            self.packed(result)
            self.users(result.identity)
        except UserError:
            return False
        return True

    def packed(self, result: Record) -> bytes:
        """Return the packed masks of a run.

        Raises
        ------
        UserError
            When they aren't there, or are those of another run of the same variant and seed.
        """
        assert result.quality is not None
        who, path = result.identity, rows_place(result.identity)
        row = self.rows(path).get((who.variant, who.seed)) if (self._results / path).is_file() else None
        again = f"`{result.provenance.command} --force` writes them"
        if row is None:
            raise UserError(f"{self._results / path} has no hits of {who.variant}, seed {who.seed}: {again}.")
        if (row.split.hex(), row.topk_sha256.hex()) != (who.split, result.quality.topk_sha256):
            raise UserError(
                f"The hits of {who.variant}, seed {who.seed} in {self._results / path} are of another run: {again}."
            )
        return row.hits

    def hits(self, result: Record) -> UserHits:
        """Return the hits of a run, which has a quality.

        Raises
        ------
        UserError
            When they aren't there, or their means aren't those of the record.
        """
        assert result.quality is not None
        from recpress.evaluation import hit_masks

        packed, n_test, who = self.packed(result), self.users(result.identity).n_test, result.identity
        try:
            found = UserHits(hit_masks.unpack(packed, len(n_test)), n_test)
            metrics = result.quality.metrics
            same = all(math.isclose(found.values(name).mean(), metrics[name], abs_tol=SAME) for name in BOTH)
        except (ValueError, KeyError):
            same = False
        if not same:
            raise UserError(
                f"The hits of {who.variant}, seed {who.seed} in {self._results / rows_place(who)} don't have the means "
                f"of its record: `{result.provenance.command} --force` writes them."
            )
        return found
