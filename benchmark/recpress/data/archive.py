"""Single members taken out of zip and tar archives, without trusting the archive."""

from __future__ import annotations

import shutil
import stat
import tarfile
import zipfile
from pathlib import Path, PurePosixPath
from typing import IO

from recpress.core.errors import UserError
from recpress.core.io import creating
from recpress.data.download import DownloadError


def extract(archive: Path, member: str, target: Path) -> None:
    """Write one member to `target`.

    Only regular files are taken, and only under a name that stays inside the archive; nothing else of the
    archive is ever written, so a hostile member can't land anywhere.

    Raises
    ------
    DownloadError
        When the archive is damaged, lacks the member, or the member is a link or leaves the archive's folder.
    """
    _check_name(member)
    try:
        if zipfile.is_zipfile(archive):
            with zipfile.ZipFile(archive) as bundle:
                info = bundle.getinfo(member)
                if info.is_dir() or stat.S_ISLNK(info.external_attr >> 16):
                    raise DownloadError(f"the member {member!r} of {archive.name} is not a regular file")
                with bundle.open(info) as source:
                    _write(source, target)
        else:
            with tarfile.open(archive) as bundle:
                entry = bundle.getmember(member)
                stream = bundle.extractfile(entry) if entry.isreg() else None
                if stream is None:
                    raise DownloadError(f"the member {member!r} of {archive.name} is not a regular file")
                with stream:
                    _write(stream, target)
    except KeyError as error:
        raise DownloadError(f"{archive.name} has no member {member!r}") from error
    except (zipfile.BadZipFile, tarfile.TarError, EOFError) as error:
        raise DownloadError(f"{archive.name} is damaged ({error})") from error


def extract_all(archive: Path, target: Path) -> None:
    """Unpack a zip whole, without its top folder; `target` appears in one rename.

    Raises
    ------
    UserError
        When a member is a link or its name leaves the archive's folder (then nothing is unpacked), the archive
        is damaged, or the disk is full.
    """
    try:
        with zipfile.ZipFile(archive) as bundle, creating(target) as temporary:
            infos = [info for info in bundle.infolist() if not info.is_dir()]
            for info in infos:
                _check_name(info.filename)
                if stat.S_ISLNK(info.external_attr >> 16):
                    raise DownloadError(f"the member {info.filename!r} of {archive.name} is a link")
            for info in infos:
                _, _, inner = info.filename.partition("/")
                with bundle.open(info) as source:
                    _write(source, temporary / (inner or info.filename))
    except (DownloadError, zipfile.BadZipFile, EOFError) as error:
        raise UserError(f"{archive} was not unpacked: {error}.") from error


def _check_name(member: str) -> None:
    path = PurePosixPath(member)
    if path.is_absolute() or ".." in path.parts or "\\" in member:
        raise DownloadError(f"the member name {member!r} leaves the archive")


def _write(source: IO[bytes], target: Path) -> None:
    """Copy to a temporary name first, so that `target` is whole whenever it exists."""
    target.parent.mkdir(parents=True, exist_ok=True)
    temporary = target.with_name(target.name + ".extract")
    try:
        with temporary.open("wb") as file:
            shutil.copyfileobj(source, file)
        temporary.replace(target)
    except OSError as error:
        raise DownloadError(f"{target} can't be written: {error.strerror}") from error
    finally:
        temporary.unlink(missing_ok=True)
