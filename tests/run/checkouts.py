"""A copy of the checkout that tests may change, with methods of theirs in it, and its command line."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PARTS = ("benchmark/recpress", "benchmark/suites", "benchmark/configs", "methods", "datasets", "pyproject.toml")


@dataclass
class Checkout:
    """A copy of this checkout that tests may change, with a cache of its own."""

    root: Path
    cache: Path
    variables: dict[str, str] = field(default_factory=dict)

    @property
    def temporary(self) -> Path:
        folder = self.root / "tmp"
        folder.mkdir(exist_ok=True)
        return folder

    def leftovers(self) -> list[Path]:
        """Scratch folders that runs have left."""
        return list(self.temporary.glob("*/run-*"))

    @property
    def environment(self) -> dict[str, str]:
        path = [str(self.root / "benchmark"), *filter(None, [os.environ.get("PYTHONPATH")])]
        own = {
            "PYTHONPATH": os.pathsep.join(path),
            "RECPRESS_CACHE": str(self.cache),
            "OMP_NUM_THREADS": "1",
            # Locks and scratch folders of its own: other runs on this machine are none of its business.
            "TMPDIR": str(self.temporary),
        }
        return {name: value for name, value in os.environ.items() if name != "RECPRESS_DATA"} | own | self.variables

    def command(self, *words: str) -> list[str]:
        return [sys.executable, "-m", "recpress.cli", *words]

    def start(self, *words: str, under: tuple[str, ...] = ()) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [*under, *self.command(*words)],
            cwd=self.root,
            env=self.environment,
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            # A shell's background job ignores Ctrl-C, and so would what tests start in it.
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
        )

    def recpress(self, *words: str, code: int = 0, timeout: float = 300) -> str:
        """Run a verb and return what it printed; it must end with this code."""
        process = self.start(*words)
        said, _ = process.communicate(timeout=timeout)
        assert process.returncode == code, said
        return said

    def python(self, code: str, *words: str) -> str:
        done = subprocess.run(
            [sys.executable, "-c", code, *words], cwd=self.root, env=self.environment, capture_output=True, text=True
        )
        assert done.returncode == 0, done.stderr
        return done.stdout


def copied(root: Path, methods: Path) -> Checkout:
    """Copy this checkout to an empty folder, and the methods of a folder into it as a family of that name."""
    for part in PARTS:
        source = ROOT / part
        (shutil.copytree if source.is_dir() else shutil.copy2)(source, root / part)
    shutil.copytree(methods, root / "methods" / methods.name)
    return Checkout(root, root / "cache")
