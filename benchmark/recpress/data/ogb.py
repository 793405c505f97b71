"""Open Graph Benchmark sets, through the `ogb` package's own loader.

Raw archives are fetched and unpacked by this package (checked names, resume, one process at a time); the loader
then finds its files in place and never asks or downloads. ogb 1.3.6 reads pickles with `torch.load`, which torch
2.6 and later refuse by default, so `weights_only=False` is set around the loader's own calls and nowhere else: trust
it as far as you trust the files' origin.
"""

from __future__ import annotations

import contextlib
import functools
import io
import os
import pickle
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from recpress.core.errors import UserError
from recpress.core.hashing import sha256_file, sha256_json
from recpress.core.locking import locked, saying
from recpress.core.paths import cache_dir
from recpress.data import sources
from recpress.data.archive import extract_all
from recpress.data.card import DatasetCard
from recpress.data.interactions import Interactions, UserItems, sorted_unique
from recpress.data.splits import Split, random_parts

Edges = NDArray[np.int64]


@dataclass(frozen=True)
class LinkSet:
    """A link prediction set as OGB's Evaluator needs it.

    Attributes
    ----------
    n_nodes : int
    positive : dict of part ("train", "valid", "test") to int64 array of shape (n, 2)
    negative : dict of part to int64 array
        Shape (m, 2): shared negative pairs (Hits@K); or (n, m): negative targets for each positive pair's source
        (MRR). Empty for ogbn sets, which have no link split of their own.
    """

    n_nodes: int
    positive: dict[str, Edges]
    negative: dict[str, Edges]


def folder_name(dataset: str) -> str:
    """Return what OGB calls the folder of a set: ``ogbl-ddi`` lies in ``ogbl_ddi``."""
    return dataset.replace("-", "_")


def locate(dataset: str, card: DatasetCard, data_dir: Path | None = None) -> Path:
    """Return the folder with `raw/` (and `split/`), after fetching and unpacking it where needed.

    Raises
    ------
    UserError
        When it can't be had.
    """
    data_dir = data_dir or sources.data_dir_of_user()
    if data_dir is not None:
        for name in (dataset, folder_name(dataset)):
            if (data_dir / name / "raw").is_dir():
                return data_dir / name
    cache = sources.cache_folder(dataset)
    cache.mkdir(parents=True, exist_ok=True)
    unpacked = cache / folder_name(dataset)
    if not unpacked.is_dir():
        archive = sources.obtain(dataset, card, "interactions", data_dir)
        with locked(cache / ".unpack.lock", saying(f"another process, which unpacks {dataset}")):
            if not unpacked.is_dir():
                extract_all(archive.path, unpacked)
    return unpacked


def content_hashes(folder: Path) -> dict[str, str]:
    """Return the SHA-256 of each raw and split file, by its path in the folder."""
    files = sorted(path for part in ("raw", "split") for path in (folder / part).rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): sha256_file(path) for path in files}


def read_links(dataset: str, folder: Path) -> LinkSet:
    """Read a set with OGB's loader.

    Parameters
    ----------
    folder : Path
        As `locate` returns it; it may be read-only.
    """
    # OGB keeps what it has parsed, and doesn't look at the raw files again.
    root = cache_dir() / "ogb" / sha256_json(content_hashes(folder))[:16]
    work = root / folder_name(dataset)
    with locked(_made(root) / f".{dataset}.lock", saying(f"another process, which reads {dataset}")), imported():
        _link(folder, work)
        if dataset.startswith("ogbn-"):
            return _from_node_set(dataset, root)
        from ogb.linkproppred import LinkPropPredDataset

        with contextlib.redirect_stdout(io.StringIO()):  # the loader prints its progress
            loaded = LinkPropPredDataset(dataset, root=str(root))
        return _from_link_set(int(loaded[0]["num_nodes"]), loaded.get_edge_split())


def build(card: DatasetCard, links: LinkSet) -> tuple[Interactions, Split]:
    """Return interactions and split of "recommend nodes for this node".

    Nodes are both users and items. Undirected edges count in both directions. Self-loops are dropped, and so are
    valid pairs that stand in train and test pairs that stand in train or valid (ogbl-collab repeats edges over the
    years): full ranking masks them. OGB's own Evaluator sees the original edges.
    """
    n = links.n_nodes
    positive = links.positive if len(links.positive) > 1 else _random_links(links, card)
    codes = {part: _codes(edges, n, card.directed) for part, edges in positive.items()}
    codes["valid"] = _without(codes["valid"], codes["train"])
    codes["test"] = _without(_without(codes["test"], codes["train"]), codes["valid"])
    rows = {part: UserItems.from_pairs(*np.divmod(code, n), n, n) for part, code in codes.items()}
    everything = np.concatenate([codes[part] for part in ("train", "valid", "test")])
    return _interactions(everything, n), Split(rows["train"], rows["valid"], rows["test"])


def _random_links(links: LinkSet, card: DatasetCard) -> dict[str, Edges]:
    """Split the edges of a set that has no link split, at random; both directions of an edge stay together."""
    (edges,) = links.positive.values()
    edges = edges[edges[:, 0] != edges[:, 1]]
    if not card.directed:
        edges = np.sort(edges, axis=1)
    low, high = np.divmod(sorted_unique(edges[:, 0] * links.n_nodes + edges[:, 1]), links.n_nodes)
    spec = card.split
    part = random_parts(low.astype(np.int32), high.astype(np.int32), spec.valid, spec.test, spec.seed)
    once = np.stack([low, high], axis=1)
    return {name: once[part == number] for number, name in enumerate(("train", "valid", "test"))}


def _interactions(codes: NDArray[np.int64], n: int) -> Interactions:
    users, items = np.divmod(codes, n)
    ids = np.arange(n)
    return Interactions(users.astype(np.int32), items.astype(np.int32), n, n, ids, ids)


def _codes(edges: Edges, n: int, directed: bool) -> NDArray[np.int64]:
    edges = edges[edges[:, 0] != edges[:, 1]]
    forward = edges[:, 0] * n + edges[:, 1]
    return sorted_unique(forward if directed else np.concatenate([forward, edges[:, 1] * n + edges[:, 0]]))


def _without(codes: NDArray[np.int64], seen: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the codes that aren't among the seen ones; both ascending and distinct."""
    if not len(seen):
        return codes
    position = np.minimum(np.searchsorted(seen, codes), len(seen) - 1)
    new: NDArray[np.int64] = codes[seen[position] != codes]
    return new


def _from_link_set(n_nodes: int, split: dict[str, dict[str, Any]]) -> LinkSet:
    positive, negative = {}, {}
    for part, arrays in split.items():
        found = {name: np.asarray(array) for name, array in arrays.items()}
        if "edge" in found:
            positive[part] = found["edge"]
            if "edge_neg" in found:
                negative[part] = found["edge_neg"]
        else:
            positive[part] = np.stack([found["source_node"], found["target_node"]], axis=1)
            if "target_node_neg" in found:
                negative[part] = found["target_node_neg"]
    return LinkSet(n_nodes, positive, negative)


def _from_node_set(dataset: str, root: Path) -> LinkSet:
    from ogb.nodeproppred import NodePropPredDataset

    with contextlib.redirect_stdout(io.StringIO()):
        graph, _ = NodePropPredDataset(dataset, root=str(root))[0]
    return LinkSet(int(graph["num_nodes"]), {"train": np.ascontiguousarray(graph["edge_index"].T)}, {})


def _link(folder: Path, work: Path) -> None:
    """Lay out a writable folder for OGB (it saves what it has parsed) whose raw parts point to the given one."""
    work.mkdir(parents=True, exist_ok=True)
    for entry in folder.iterdir():
        if entry.name == "processed":
            continue
        link = work / entry.name
        if link.is_symlink() and link.resolve() != entry.resolve():
            link.unlink()
        if not link.exists():
            link.symlink_to(entry.resolve())
    (work / "processed").mkdir(exist_ok=True)


@contextlib.contextmanager
def imported() -> Iterator[None]:
    """Import and call ogb: with its pickles allowed, and without its thread that asks PyPI for a newer version."""
    import torch

    original = torch.load
    absent = object()
    outdated = sys.modules.get("outdated", absent)
    sys.modules["outdated"] = None  # type: ignore[assignment]  # None makes `import outdated` fail, as documented
    environment = os.environ.get("OUTDATED_IGNORE")
    torch.load = functools.partial(original, weights_only=False)
    # ogb imports dgl where it is installed, which without this prints advice and writes into the user's home.
    os.environ.setdefault("DGLBACKEND", "pytorch")
    try:
        yield
    except (OSError, EOFError, ValueError, KeyError, RuntimeError, pickle.UnpicklingError) as error:
        raise UserError(f"OGB's loader can't read the set ({error}): remove its folder and fetch it again.") from error
    finally:
        torch.load = original
        if outdated is absent:
            del sys.modules["outdated"]
        else:
            sys.modules["outdated"] = outdated  # type: ignore[assignment]  # as it was
        if environment is None:
            os.environ.pop("OUTDATED_IGNORE", None)


def _made(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    return folder
