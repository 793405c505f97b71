"""asv: build the site from a thousand made-up records, those of tests/leaderboard/synthetic.py."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from perf.units import measured_in

sys.path.insert(0, str(Path(__file__).parents[2] / "tests" / "leaderboard"))


class Site:
    number, repeat, timeout = 1, 2, 180

    def setup(self) -> None:
        import synthetic

        self.folder = tempfile.TemporaryDirectory()
        synthetic.write_folder(Path(self.folder.name) / "results", synthetic.records(1000))

    def teardown(self) -> None:
        self.folder.cleanup()

    def time_build(self) -> None:
        from recpress.leaderboard.site import build

        build(Path(self.folder.name) / "results", Path(self.folder.name) / "site")

    @measured_in("bytes")
    def track_bytes(self) -> int:
        from recpress.leaderboard.site import build

        index = build(Path(self.folder.name) / "results", Path(self.folder.name) / "site").index
        return sum(file.stat().st_size for file in index.parent.rglob("*") if file.is_file())
