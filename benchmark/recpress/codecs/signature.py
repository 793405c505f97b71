"""Serving signature of an artefact: its codec tree, without the values."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from torch import Tensor

from recpress.codecs import KINDS, Codec
from recpress.codecs.artefact import Artefact, kinds_of
from recpress.records.record import Serving

# Time follows size: two tables whose stored values differ in number by less than this many digits show take as long.
DIGITS = 2


def serving(artefact: Artefact, sha256: str, reference_columns: int) -> Serving:
    """Describe how an artefact is served.

    Kinds, options, types and shapes count. What is undone when the artefact is loaded (a zstd or entropy-coded stream)
    doesn't, nor does the order of columns' bits or where a search begins.

    Parameters
    ----------
    artefact : Artefact
    sha256 : str
        Of its folder; part of the signature where a codec only searches a part of its rows, and where time therefore
        depends on the values.
    reference_columns : int
        Columns of the dense fp32 tables that it is timed beside.
    """
    manifest, tensors = artefact.manifest(), artefact.tensors()
    trees = {name: _tree(name, manifest[name], tensors) for name in ("users", "items", "network") if name in manifest}
    n_users, n_items = artefact.users.shape[0], artefact.items.shape[0]
    return Serving(
        users=trees["users"],
        items=trees["items"],
        network=trees.get("network"),
        n_users=n_users,
        n_items=n_items,
        columns=artefact.items.shape[1],
        reference_columns=reference_columns,
        artefact=sha256 if any(codec.approximate for codec in _codecs(manifest)) else None,
    )


def _tree(part: str, spec: dict[str, Any], tensors: dict[str, Tensor]) -> dict[str, Any]:
    undone = {name for codec in _codecs(spec) for name in codec.undone_at_load}
    stored = {
        name.removeprefix(f"{part}."): f"{str(tensor.dtype).removeprefix('torch.')}{_sizes(tensor)}"
        for name, tensor in tensors.items()
        if name.startswith(f"{part}.") and name.rpartition(".")[2] not in undone
    }
    return {"spec": _rounded(spec), "tensors": stored}


def _sizes(tensor: Tensor) -> list[int]:
    return [_rounded(side) for side in tensor.shape]


def _codecs(spec: Any) -> Iterator[type[Codec]]:
    """Yield the codec classes that a spec names, however deep; networks aren't codecs."""
    return (KINDS[kind] for kind in kinds_of(spec) if kind in KINDS)


def _rounded(value: Any) -> Any:
    """Return a JSON value with its numbers to `DIGITS` digits, and a list of numbers in order of size."""
    if isinstance(value, dict):
        return {name: _rounded(each) for name, each in value.items()}
    if isinstance(value, list):
        rounded = [_rounded(each) for each in value]
        return sorted(rounded) if all(isinstance(each, int | float) for each in rounded) else rounded
    if isinstance(value, bool) or not isinstance(value, int | float):
        return value
    nearest = float(f"{value:.{DIGITS}g}")
    return int(nearest) if isinstance(value, int) else nearest
