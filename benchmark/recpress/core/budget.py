"""Byte budgets, as fractions of the dense fp32 tables."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

# An artefact may exceed its budget by 2 % (rules of fair measurement, 5).
TOLERANCE = 1.02


@dataclass(frozen=True)
class Budget:
    """What an artefact may take, as a share of the bytes of the dense fp32 tables.

    Attributes
    ----------
    text : str
        The fraction in lowest terms, such as ``1/8``: budgets that are equal have the same text.
    fraction : float
        The same as a number in (0, 1].
    """

    text: str
    fraction: float

    @classmethod
    def parse(cls, text: str) -> Budget:
        """Return the budget that is written as a fraction or as a decimal number.

        Raises
        ------
        ValueError
            When it isn't in (0, 1], such as ``1/8`` or ``0.125``.
        """
        try:
            exact = Fraction(text)
        except (ValueError, ZeroDivisionError):
            exact = Fraction(0)
        fraction = float(exact) if 0 < exact <= 1 else 0.0
        if not fraction:
            raise ValueError(f"{text!r} is not a budget: write a fraction of the fp32 bytes, such as 1/8")
        return cls(str(exact), fraction)

    def __str__(self) -> str:
        return self.text

    def bytes_of(self, dense_bytes: int) -> int:
        """Return the budget in whole bytes.

        Parameters
        ----------
        dense_bytes : int
            Of the dense fp32 tables.
        """
        return int(self.fraction * dense_bytes)

    def excess(self, size: int, dense_bytes: int) -> float:
        """Return the share by which an artefact exceeds the budget; 0.0 within the tolerance of 2 %.

        Parameters
        ----------
        size : int
            Bytes of the artefact.
        dense_bytes : int
            Of the dense fp32 tables.
        """
        allowed = self.fraction * dense_bytes
        return size / allowed - 1 if size > allowed * TOLERANCE else 0.0
