#!/usr/bin/env python3
"""Run README's commands and its Python, in a clone and in its order."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

BLOCK = re.compile(r"^```(bash|python)\n(.*?)^```", re.MULTILINE | re.DOTALL)
PYTHON = ".venv/bin/python"


def commands(readme: str) -> list[list[str]]:
    """Return each command line of the bash blocks, without its comment, and each python block whole."""
    found = []
    for language, block in BLOCK.findall(readme):
        if language == "python":
            found.append([PYTHON, "-c", block])
        else:
            lines = (line.split("#")[0].strip() for line in block.splitlines())
            found += [["bash", "-c", line] for line in lines if line]
    # The Python needs what the first command installs.
    return sorted(found, key=lambda command: command[0] == PYTHON)


def main() -> int:
    """Run them until one fails."""
    for command in commands(Path("README.md").read_text(encoding="utf-8")):
        print(f"$ {command[-1]}", flush=True)
        if code := subprocess.run(command, check=False).returncode:
            print(f"README: `{command[-1]}` ended with exit code {code}", file=sys.stderr)
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
