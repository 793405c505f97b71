#!/usr/bin/env python3
"""Run README's commands, in a clone and in its order: `make test` is left out, since .ci/run has just run it."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

BLOCK = re.compile(r"^```bash\n(.*?)^```", re.MULTILINE | re.DOTALL)
DONE = ("make test",)


def commands(readme: str) -> list[str]:
    """Return the command lines of the bash blocks, without their comments."""
    lines = [line.split("#")[0].strip() for block in BLOCK.findall(readme) for line in block.splitlines()]
    return [line for line in lines if line and line not in DONE]


def main() -> int:
    """Run them until one fails."""
    for command in commands(Path("README.md").read_text(encoding="utf-8")):
        print(f"$ {command}", flush=True)
        if code := subprocess.run(["bash", "-c", command], check=False).returncode:
            print(f"README: `{command}` ended with exit code {code}", file=sys.stderr)
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
