"""What asv calls the figures of a `track_` method."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

Tracked = TypeVar("Tracked", bound=Callable[..., float])


# Not called `unit`: asv would take that, in a module of benchmarks, for the unit of those that name none.
def measured_in(unit: str) -> Callable[[Tracked], Tracked]:
    def named(track: Tracked) -> Tracked:
        track.unit = unit  # type: ignore[attr-defined]  # asv looks for it there
        return track

    return named
