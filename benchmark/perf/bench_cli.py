"""asv: what a user waits for before anything happens."""

from __future__ import annotations

import subprocess
import sys


class StartUp:
    number, repeat, timeout = 1, 5, 60

    def time_help(self) -> None:
        subprocess.run([sys.executable, "-m", "recpress.cli", "--help"], check=True, capture_output=True)

    def time_list_methods(self) -> None:
        subprocess.run([sys.executable, "-m", "recpress.cli", "list", "methods"], check=True, capture_output=True)

    def time_doctor(self) -> None:
        subprocess.run([sys.executable, "-m", "recpress.cli", "doctor"], check=True, capture_output=True)
