"""Downloads over HTTP: resumed after a dropped connection, checked, shown, and whole or not there at all."""

from __future__ import annotations

import errno
import time
from pathlib import Path

import requests
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn

CHUNK = 1 << 16
ATTEMPTS = 5
CONNECT_S, READ_S = 10, 30


class DownloadError(Exception):
    """A source could not deliver; the next one is tried. The message says why."""


def download(url: str, target: Path) -> None:
    """Download a file to `target`, going on where an earlier call was cut off.

    The unfinished file lies beside the target as ``<name>.part``; the target appears in one rename. Its checksum
    is the caller's to check.

    Raises
    ------
    DownloadError
        Unreachable, an HTTP error, or a full disk.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    part = target.with_name(f"{target.name}.part")
    try:
        for attempt in range(ATTEMPTS):
            before = _size(part)
            try:
                _transfer(url, part)
                break
            except (requests.ConnectionError, requests.Timeout, requests.exceptions.ChunkedEncodingError):
                # A host that sends nothing is left for the next mirror; one that broke off is asked to go on.
                if _size(part) == before or attempt == ATTEMPTS - 1:
                    raise
                time.sleep(0.2 * 2**attempt)
        part.replace(target)
        _validator(part).unlink(missing_ok=True)
    except requests.RequestException as error:
        raise DownloadError(_reason(error)) from error
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
            raise DownloadError(f"the disk that holds {target.parent} is full") from error
        raise DownloadError(str(error)) from error


def _transfer(url: str, part: Path) -> None:
    """Fetch what is missing of `part`.

    A part is gone on with only when the server confirms, by the validator kept from the first answer, that the
    file is still the same (If-Range, RFC 9110 section 13.1.5); otherwise the transfer starts over.
    """
    validator = _validator(part)
    have = _size(part)
    headers = {"Accept-Encoding": "identity"}
    if have and validator.exists():
        headers |= {"Range": f"bytes={have}-", "If-Range": validator.read_text()}
    with requests.get(url, headers=headers, stream=True, timeout=(CONNECT_S, READ_S)) as response:
        if response.status_code == requests.codes.requested_range_not_satisfiable:
            part.unlink(missing_ok=True)
            raise requests.ConnectionError("the server has less than was already received; starting over")
        response.raise_for_status()
        resumed = response.status_code == requests.codes.partial_content
        length = int(response.headers.get("Content-Length", 0))
        tag = response.headers.get("ETag", "")
        mark = tag if tag and not tag.startswith("W/") else response.headers.get("Last-Modified", "")
        if mark:
            validator.write_text(mark)
        else:
            validator.unlink(missing_ok=True)
        start = have if resumed else 0
        with part.open("ab" if resumed else "wb") as file, _bar() as bar:
            task = bar.add_task(part.stem, total=start + length or None, completed=start)
            for chunk in response.iter_content(CHUNK):
                file.write(chunk)
                bar.advance(task, len(chunk))
            got = file.tell()
        if length and got != start + length:
            raise requests.ConnectionError(f"the connection ended after {got} of {start + length} bytes")


def _bar() -> Progress:
    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn())
    return Progress(*columns, console=console, disable=not console.is_terminal, transient=True)


def _validator(part: Path) -> Path:
    return part.with_name(part.name + ".validator")


def _size(part: Path) -> int:
    return part.stat().st_size if part.exists() else 0


def _reason(error: requests.RequestException) -> str:
    if error.response is not None:
        return f"HTTP {error.response.status_code} {error.response.reason}"
    if isinstance(error, requests.Timeout):
        return "no answer in time"
    if isinstance(error, requests.ConnectionError):
        return "no connection" if "ended after" not in str(error) else str(error)
    return str(error)
