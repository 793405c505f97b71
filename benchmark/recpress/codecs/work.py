"""Work of one scoring call, counted rather than timed: the input of the analytic energy model."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Work:
    """Operations and bytes of one call of a scorer. The same on every machine.

    Attributes
    ----------
    macs : mapping of str to int
        Counted operations by type. The types are those of the energy table (``measure/energy.v1.toml``):
        ``fp32``, ``fp16`` and ``int8`` are multiply-accumulates, ``lookup`` is one entry of a small table
        read and added, ``bit`` is one bit compared and counted.
    bytes_read : int
        Bytes streamed from main memory: the stored form of the table, once per call however many queries
        the call holds, and the rows fetched for the queries.
    """

    macs: Mapping[str, int] = field(default_factory=dict)
    bytes_read: int = 0

    def __post_init__(self) -> None:
        if self.bytes_read < 0 or any(count < 0 for count in self.macs.values()):
            raise ValueError("work is counted in numbers that are not negative")

    def __add__(self, other: Work) -> Work:
        """Return the work of doing both."""
        types = [*self.macs, *(name for name in other.macs if name not in self.macs)]
        macs = {name: self.macs.get(name, 0) + other.macs.get(name, 0) for name in types}
        return Work(macs, self.bytes_read + other.bytes_read)
