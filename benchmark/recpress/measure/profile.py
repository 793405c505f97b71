"""How much of a run is timed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

# From this many seconds per scenario on, compressing is measured too.
LONG_SECONDS = 5.0


@dataclass(frozen=True)
class TimingProfile:
    """What is timed of a run: nothing, its serving (short), or its compressing and refresh as well (long).

    Attributes
    ----------
    seconds : float
        Least time per latency scenario; 0: nothing is timed.
    """

    seconds: float = 0.0

    @property
    def name(self) -> Literal["none", "short", "long"]:
        """The profile that the seconds stand for."""
        if self.times_compressing:
            return "long"
        return "short" if self.times_serving else "none"

    @property
    def times_serving(self) -> bool:
        """Whether latency, energy and memory of serving are measured."""
        return self.seconds > 0

    @property
    def times_compressing(self) -> bool:
        """Whether the energy of training and compressing is metered, and the refresh timed."""
        return self.seconds >= LONG_SECONDS


UNTIMED = TimingProfile()
