"""JSON schemas of what RecPress writes, and the way from older versions to the present one."""

from __future__ import annotations

from typing import Final

# Calls of each side that a timing may hold: what its raw times unpack to is bounded by it.
MOST_QUERIES: Final = 10_000_000
