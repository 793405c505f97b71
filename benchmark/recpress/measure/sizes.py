"""Bytes of an artefact's folder: as stored, and as a general compressor would store them."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import pyarrow

# Level 19 is the highest that needs no more memory than a default build gives to decompress.
ZSTD_LEVEL = 19
HEADER_LENGTH_BYTES = 8


def files(folder: Path) -> list[Path]:
    """Return all files of a folder, in the order of their paths."""
    return sorted(file for file in folder.rglob("*") if file.is_file())


def file_bytes(folder: Path) -> int:
    """Return the sum of the file sizes of a folder."""
    return sum(file.stat().st_size for file in files(folder))


def zstd_bytes(folder: Path) -> int:
    """Return the sum of the sizes of a folder's files, each compressed by zstd at level 19.

    The compressor is the one inside pyarrow, which is installed anyway. What it saves is what entropy coding would:
    an artefact that shrinks much here doesn't use its bits.
    """
    compressor = pyarrow.Codec("zstd", compression_level=ZSTD_LEVEL)
    return sum(compressor.compress(file.read_bytes()).size for file in files(folder))


@dataclass(frozen=True)
class StoredTensor:
    """One tensor as a safetensors header describes it."""

    name: str
    dtype: str
    shape: tuple[int, ...]
    bytes: int


def stored_tensors(file: Path) -> tuple[int, list[StoredTensor]]:
    """Read a safetensors header: its bytes (with the 8 of its length), and the tensors in the order of the file.

    Raises
    ------
    ValueError
        When it isn't such a file.
    """
    with file.open("rb") as stream:
        length = int.from_bytes(stream.read(HEADER_LENGTH_BYTES), "little")
        if length > file.stat().st_size - HEADER_LENGTH_BYTES:
            raise ValueError(f"{file} is not a safetensors file: its header would be longer than the file")
        header = json.loads(stream.read(length))
    header.pop("__metadata__", None)
    entries = sorted(header.items(), key=lambda entry: entry[1]["data_offsets"])
    tensors = []
    for name, entry in entries:
        start, end = entry["data_offsets"]
        tensors.append(StoredTensor(name, entry["dtype"], tuple(entry["shape"]), end - start))
    return HEADER_LENGTH_BYTES + length, tensors
