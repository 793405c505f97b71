"""Downloads over HTTP by pooch: checked, shown, and whole or not there at all.

pooch fetches to a temporary name, checks the checksum and moves the file to its place. Its hook for downloaders adds
what it lacks: going on where a transfer was cut off, in this call or by the end of an earlier one.
"""

from __future__ import annotations

import errno
import logging
import time
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn

if TYPE_CHECKING:
    import requests

CHUNK = 1 << 16
ATTEMPTS = 5
CONNECT_S, READ_S = 10, 30


class DownloadError(Exception):
    """A source could not deliver; the next one is tried. The message says why."""


def download(url: str, target: Path, checksum: str | None = None, what: str = "file") -> None:
    """Download a file to `target`, whatever lies there, going on where an earlier call was cut off.

    The unfinished file lies beside the target as ``<name>.part``; the target appears in one rename.

    Parameters
    ----------
    url : str
    target : Path
    checksum : str, optional
        Of the file, as ``sha256:…`` or ``md5:…``.
    what : str
        What the file is called in errors.

    Raises
    ------
    DownloadError
        Unreachable, an HTTP error, another checksum, or a full disk.
    """
    import pooch  # Here, because it and requests take a tenth of a second to import.
    import requests

    pooch.get_logger().setLevel(logging.WARNING)
    target.parent.mkdir(parents=True, exist_ok=True)
    target.unlink(missing_ok=True)
    part = target.with_name(f"{target.name}.part")
    try:
        pooch.retrieve(url, checksum, fname=target.name, path=target.parent, downloader=_Resumed(part))
    except requests.RequestException as error:
        raise DownloadError(_reason(error)) from error
    except ValueError as error:  # What pooch says of another checksum than the known one.
        raise DownloadError(f"the {what} does not have the checksum {checksum}") from error
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
            raise DownloadError(f"the disk that holds {target.parent} is full") from error
        raise DownloadError(str(error)) from error


def matches(path: Path, checksums: Iterable[str]) -> bool:
    """Return whether a file has one of the checksums, each written as ``sha256:…`` or ``md5:…``."""
    import pooch

    pairs = (checksum.partition(":")[::2] for checksum in checksums)
    return any(pooch.file_hash(str(path), alg=algorithm) == digest for algorithm, digest in pairs)


class _Resumed:
    """A downloader as pooch calls it, which keeps what has arrived and asks for the rest."""

    def __init__(self, part: Path) -> None:
        self._part = part

    def __call__(self, url: str, output_file: str, pooch: object) -> None:
        """Fetch a file to `output_file`.

        Raises
        ------
        requests.RequestException
        """
        import requests

        for attempt in range(ATTEMPTS):
            before = _size(self._part)
            try:
                _transfer(url, self._part)
                break
            except (requests.ConnectionError, requests.Timeout, requests.exceptions.ChunkedEncodingError):
                # A host that sends nothing is left for the next mirror; one that broke off is asked to go on.
                if _size(self._part) == before or attempt == ATTEMPTS - 1:
                    raise
                time.sleep(0.2 * 2**attempt)
        self._part.replace(output_file)
        _validator(self._part).unlink(missing_ok=True)


def _transfer(url: str, part: Path) -> None:
    """Fetch what is missing of `part`.

    A part is gone on with only when the server confirms, by the validator kept from the first answer, that the
    file is still the same (If-Range, RFC 9110 section 13.1.5); otherwise the transfer starts over.
    """
    import pooch
    import requests

    validator, have, whole = _validator(part), _size(part), 0
    headers = {"Accept-Encoding": "identity"}
    if have and validator.exists():
        headers |= {"Range": f"bytes={have}-", "If-Range": validator.read_text()}
    with part.open("ab") as file, _Bar(part.stem) as bar:

        def begin(response: requests.Response, *_: Any, **__: Any) -> None:
            """See from the head of an answer whether it goes on, before its body is written."""
            nonlocal whole
            if response.status_code not in (requests.codes.ok, requests.codes.partial_content):
                return  # A redirection or an error, which pooch raises.
            resumed = response.status_code == requests.codes.partial_content
            if have and not resumed:
                file.truncate(0)
            _note_validator(response, validator)
            start = have if resumed else 0
            length = int(response.headers.get("Content-Length", 0))
            whole = start + length if length else 0
            bar.begin(start, whole)

        fetch = pooch.HTTPDownloader(
            progressbar=bar, chunk_size=CHUNK, headers=headers, timeout=(CONNECT_S, READ_S), hooks={"response": begin}
        )
        try:
            fetch(url, file, None)
        except requests.HTTPError as error:
            if error.response.status_code != requests.codes.requested_range_not_satisfiable:
                raise
            part.unlink(missing_ok=True)
            raise requests.ConnectionError("the server has less than was already received; starting over") from error
        got = file.tell()
    if whole and got != whole:
        raise requests.ConnectionError(f"the connection ended after {got} of {whole} bytes")


def _note_validator(response: requests.Response, validator: Path) -> None:
    """Keep what tells later whether the server's file is still the same."""
    tag = response.headers.get("ETag", "")
    mark = tag if tag and not tag.startswith("W/") else response.headers.get("Last-Modified", "")
    if mark:
        validator.write_text(mark)
    else:
        validator.unlink(missing_ok=True)


class _Bar:
    """A progress bar as pooch drives one, which counts whole chunks and sets the end itself."""

    def __init__(self, name: str) -> None:
        console = Console(stderr=True)
        columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn())
        self._progress = Progress(*columns, console=console, disable=not console.is_terminal, transient=True)
        self._task = self._progress.add_task(name, total=None)
        self.total = 0  # pooch writes the length of the answer here; `begin` knows that of the file.

    def __enter__(self) -> _Bar:
        self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._progress.stop()

    def begin(self, start: int, whole: int) -> None:
        """Begin at so many bytes of so many; 0: nobody knows."""
        self._progress.update(self._task, completed=start, total=whole or None)

    def update(self, size: int) -> None:
        """Add so many bytes."""
        self._progress.advance(self._task, size)

    def reset(self) -> None:
        """Do nothing: pooch would begin again to count to its total."""

    def close(self) -> None:
        """Do nothing: the bar ends with its block."""


def _validator(part: Path) -> Path:
    return part.with_name(part.name + ".validator")


def _size(part: Path) -> int:
    return part.stat().st_size if part.exists() else 0


def _reason(error: requests.RequestException) -> str:
    import requests

    if error.response is not None:
        return f"HTTP {error.response.status_code} {error.response.reason}"
    if isinstance(error, requests.Timeout):
        return "no answer in time"
    if isinstance(error, requests.ConnectionError):
        return "no connection" if "ended after" not in str(error) else str(error)
    return str(error)
