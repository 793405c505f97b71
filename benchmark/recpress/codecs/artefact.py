"""The artefact: the folder that is deployed. Only what lies in it is measured.

``artefact.safetensors`` holds the tensors and ``manifest.json`` says how they make two tables, or two base tables and
the network that makes the tables of them. Nothing in it is code.
"""

from __future__ import annotations

import json
import os
import stat
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from recpress.codecs import Codec, Network, restore, restore_network
from recpress.codecs.base import part, prefixed
from recpress.core.errors import UserError
from recpress.core.strict_json import parse

FORMAT = 1
TENSORS = "artefact.safetensors"
MANIFEST = "manifest.json"
FORMS = ("table", "graph", "function")


@dataclass(frozen=True)
class Artefact:
    """A compressed recommender: codecs whose rows' inner products are the scores.

    Attributes
    ----------
    users, items : Codec of shape (n_users, d) and (n_items, d)
    serve_form : str
        "table": the final vectors are stored. "graph": a network makes them of what is stored (see `propagated`).
        "function": they are computed from row numbers.
    network : Network, optional
        Of the serve form "graph".
    """

    users: Codec
    items: Codec
    serve_form: str = "table"
    network: Network | None = None

    def __post_init__(self) -> None:
        if self.users.shape[1] != self.items.shape[1]:
            raise ValueError(f"users have {self.users.shape[1]} columns and items {self.items.shape[1]}")

    @classmethod
    def propagated(cls, users: Codec, items: Codec, network: Network) -> Artefact:
        """Return the artefact that stores base tables and a network, and serves the final tables.

        Raises
        ------
        ValueError
            When they don't fit together.
        """
        return cls(*network.tables(users, items), "graph", network)

    def tensors(self) -> dict[str, Tensor]:
        """Return every stored tensor by name."""
        tables = prefixed("users", self.users.tensors()) | prefixed("items", self.items.tensors())
        return tables | prefixed("network", self.network.tensors()) if self.network else tables

    def manifest(self) -> dict[str, Any]:
        """Return the manifest as JSON."""
        made = {
            "format": FORMAT,
            "serve_form": self.serve_form,
            "users": self.users.spec(),
            "items": self.items.spec(),
        }
        return made | {"network": self.network.spec()} if self.network else made

    def kinds(self) -> frozenset[str]:
        """Return the kinds of codecs and networks that the manifest names, nested ones too."""
        return frozenset(kinds_of(self.manifest()))

    def save(self, folder: Path) -> None:
        """Write the artefact and flush it to disk. The same artefact gives the same bytes.

        Raises
        ------
        FileExistsError
            When the folder isn't empty.
        """
        folder.mkdir(parents=True, exist_ok=True)
        if any(folder.iterdir()):
            raise FileExistsError(f"{folder} is not empty")
        save_file(self.tensors(), folder / TENSORS)
        (folder / MANIFEST).write_text(json.dumps(self.manifest(), separators=(",", ":")), encoding="utf-8")
        for name in (TENSORS, MANIFEST):
            with (folder / name).open("rb") as file:
                os.fsync(file.fileno())

    @classmethod
    def load(cls, folder: Path) -> Artefact:
        """Read an artefact.

        Raises
        ------
        UserError
            When a file is missing or is not what this format says.
        """
        try:
            for name in (MANIFEST, TENSORS):
                _regular(folder / name)
            manifest = parse((folder / MANIFEST).read_bytes())
            if manifest["format"] != FORMAT:
                raise ValueError(f"format {manifest['format']!r} is not {FORMAT}")
            if manifest["serve_form"] not in FORMS or ("network" in manifest) != (manifest["serve_form"] == "graph"):
                raise ValueError("its serve form is one of table, graph and function, and graph alone has a network")
            tensors = load_file(folder / TENSORS)
            users, items = (restore(manifest[side], part(side, tensors)) for side in ("users", "items"))
            if manifest["serve_form"] == "graph":
                network = restore_network(manifest["network"], part("network", tensors))
                return cls.propagated(users, items, network)
            return cls(users, items, manifest["serve_form"])
        except FileNotFoundError as error:
            raise UserError(f"{error.filename} is missing: {folder} is not an artefact folder.") from error
        except KeyError as error:
            raise UserError(
                f"{folder} is not an artefact of format {FORMAT}: {error} is missing or unknown."
            ) from error
        except RecursionError as error:
            raise UserError(f"{folder} is not an artefact of format {FORMAT}: it is nested too deeply.") from error
        except (ValueError, TypeError, AttributeError, ArithmeticError, IndexError, SafetensorError) as error:
            told = " ".join(str(error).split())[:300]
            raise UserError(f"{folder} is not an artefact of format {FORMAT}: {told}.") from error

    def breakdown(self) -> Counter[str]:
        """Return the tensors' bytes by kind; the folder's other bytes are metadata (see `folder_breakdown`)."""
        tables = self.users.breakdown() + self.items.breakdown()
        return tables + self.network.breakdown() if self.network else tables

    def nominal(self) -> int:
        """Return the stored parameters, counted as if bytes didn't matter."""
        return self.users.nominal() + self.items.nominal() + (self.network.nominal() if self.network else 0)

    def nonzero(self) -> int:
        """Return how many of them are not zero."""
        return self.users.nonzero() + self.items.nonzero() + (self.network.nonzero() if self.network else 0)


def _regular(file: Path) -> None:
    """Refuse what isn't a file of the folder's own: a pipe would wait for ever, a link may lead anywhere."""
    if not stat.S_ISREG(file.lstat().st_mode):
        raise ValueError(f"{file.name} is not a regular file")


def kinds_of(spec: Any) -> Iterator[str]:
    """Yield the kind of everything that a spec describes."""
    if isinstance(spec, dict):
        if "kind" in spec:
            yield str(spec["kind"])
        spec = list(spec.values())
    if isinstance(spec, list):
        for each in spec:
            yield from kinds_of(each)


def folder_breakdown(folder: Path) -> Counter[str]:
    """Return the bytes of a saved artefact by kind; they add up to its file sizes to the byte.

    Whatever isn't a tensor that the codecs name (header, alignment, manifest, stray files) is metadata.
    """
    breakdown = Artefact.load(folder).breakdown()
    total = sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())
    return breakdown + Counter(metadata=total - breakdown.total())
