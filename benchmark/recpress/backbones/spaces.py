"""Search spaces of `recpress tune`: one per backbone, the same on every data set.

The width of the tables is not searched: it decides the bytes that everything is compared with. Nor is the seed.
Importing this imports no torch.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Range:
    """Numbers from `low` to `high`, uniform in their logarithm if `log`."""

    low: float
    high: float
    log: bool = False

    def holds(self, value: Any) -> bool:
        """Return whether a value is one of them."""
        return bool(self.low <= value <= self.high)


@dataclass(frozen=True)
class Choice:
    """A choice among values without an order."""

    values: tuple[Any, ...]

    def holds(self, value: Any) -> bool:
        """Return whether a value is one of them."""
        return value in self.values


@dataclass(frozen=True)
class Dimension:
    """One field of the recipe.

    Attributes
    ----------
    name : str
        Of the field.
    domain : Range or Choice
    given : tuple of (str, str), optional
        It is searched only where another field, which comes earlier in the space, has this value.
    """

    name: str
    domain: Range | Choice
    given: tuple[str, str] | None = None


Space = tuple[Dimension, ...]

# With constant decay the epochs are the most that are tried: training ends where valid is best.
TRAINING: Space = (
    Dimension("learning_rate", Range(1e-3, 5e-2, log=True)),
    Dimension("decay", Choice(("constant", "cosine"))),
    Dimension("epochs", Choice((20, 30, 50, 80))),
    Dimension("batch_size", Choice((2048, 4096, 8192, 16384))),
    Dimension("regularisation", Range(1e-6, 1e-2, log=True)),
)
RANKING: Space = (
    Dimension("loss", Choice(("bpr", "softmax"))),
    Dimension("temperature", Range(0.05, 0.5, log=True), given=("loss", "softmax")),
    Dimension("negatives", Choice((64, 256, 1024)), given=("loss", "softmax")),
)
LAYERS: Space = (Dimension("layers", Choice((1, 2, 3))),)
DROPOUT: Space = (Dimension("dropout", Range(0.0, 0.5)),)

SPACES: dict[str, Space] = {
    "mf": RANKING + TRAINING,
    "lightgcn": LAYERS + RANKING + TRAINING,
    "xsimgcl": (
        *LAYERS,
        Dimension("contrast_weight", Range(1e-3, 0.5, log=True)),
        Dimension("contrast_temperature", Range(0.05, 0.5, log=True)),
        Dimension("contrast_noise", Range(0.05, 0.5)),
        *TRAINING,
    ),
    "ultragcn": (
        Dimension("negatives", Choice((64, 256, 1024))),
        Dimension("negative_weight", Range(1.0, 500.0, log=True)),
        Dimension("item_weight", Range(1e-5, 10.0, log=True)),
        *TRAINING,
    ),
    "ngcf": LAYERS + DROPOUT + RANKING + TRAINING,
    "sage": LAYERS + DROPOUT + RANKING + TRAINING,
    "gat": (*LAYERS, Dimension("heads", Choice((1, 2, 4))), *DROPOUT, *RANKING, *TRAINING),
}
