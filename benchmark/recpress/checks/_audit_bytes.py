"""Checks of what lies in an artefact's folder."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from recpress.checks._subject import Skipped, Subject, temporary_folder
from recpress.codecs.artefact import MANIFEST, TENSORS, Artefact
from recpress.codecs.packing import row_bytes
from recpress.core.hashing import sha256_file
from recpress.measure.sizes import file_bytes, files, stored_tensors

# The manifest describes codecs, in less than 1 kB for each of ours. A table would not fit in this.
LARGEST_MANIFEST = 16 * 1024


def nothing_unclaimed(subject: Subject) -> str | None:
    """Every byte is one that the codecs name: no stray file, no stray tensor, no table hidden in the manifest."""
    if stray := [file.name for file in files(subject.folder) if file.name not in (TENSORS, MANIFEST)]:
        return f"{subject.folder} holds {', '.join(stray)}: an artefact is {TENSORS} and {MANIFEST}"
    if (size := (subject.folder / MANIFEST).stat().st_size) > LARGEST_MANIFEST:
        return f"{MANIFEST} has {size:,} bytes; {LARGEST_MANIFEST:,} are plenty to describe codecs"
    claimed = Artefact.load(subject.folder).tensors()
    for tensor in stored_tensors(subject.folder / TENSORS)[1]:
        if tensor.name not in claimed:
            return f"{TENSORS} holds {tensor.name} ({tensor.dtype}, {tensor.shape}), which no codec names"
    return None


def breakdown_adds_up(subject: Subject) -> str | None:
    """The codecs' breakdown is what their tensors take; with headers and manifest it is every byte."""
    header, tensors = stored_tensors(subject.folder / TENSORS)
    stored, claimed = sum(tensor.bytes for tensor in tensors), Artefact.load(subject.folder).breakdown().total()
    if stored != claimed:
        return f"the breakdown claims {claimed:,} bytes of tensors; {TENSORS} stores {stored:,}"
    total = header + stored + (subject.folder / MANIFEST).stat().st_size
    if total != file_bytes(subject.folder):
        return f"headers, tensors and manifest are {total:,} bytes; the files are {file_bytes(subject.folder):,}"
    return None


def bits_as_claimed(subject: Subject) -> str | None:
    """A codec that says ``bits`` stores that many per value, with less than a byte a row of padding.

    Blind to a codec that claims no number of bits; the breakdown alone holds those.
    """
    manifest = Artefact.load(subject.folder).manifest()
    stored = {tensor.name: tensor for tensor in stored_tensors(subject.folder / TENSORS)[1]}
    for side in ("users", "items", "network"):
        for path, spec in _specs(manifest.get(side, {}), side):
            codes = stored.get(f"{path}.codes")
            if codes is None or not {"bits", "columns"} <= spec.keys():
                continue
            claimed = codes.shape[0] * row_bytes(int(spec["columns"]), int(spec["bits"]))
            if codes.bytes != claimed:
                return f"{path} claims {spec['bits']} bits, {claimed:,} bytes; its codes take {codes.bytes:,}"
    return None


def same_bytes(subject: Subject) -> str | None:
    """Two builds with one seed give identical files."""
    if subject.build is None:
        raise Skipped("no way to build the artefact again was given")
    with temporary_folder() as folder:
        subject.build(folder)
        before = {file.relative_to(subject.folder): sha256_file(file) for file in files(subject.folder)}
        after = {file.relative_to(folder): sha256_file(file) for file in files(folder)}
    changed = sorted(str(name) for name in before.keys() | after.keys() if before.get(name) != after.get(name))
    return f"a second build with the same seed differs in {', '.join(changed)}" if changed else None


def _specs(spec: dict[str, Any], path: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield every codec of a tree with the prefix of its tensors."""
    yield path, spec
    for name, value in spec.items():
        if isinstance(value, dict):
            yield from _specs(value, f"{path}.{name}")
