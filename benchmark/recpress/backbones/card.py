"""The card of a backbone: the table ``[backbone]`` of its default training config. Importing this imports no torch."""

from __future__ import annotations

from typing import Self, get_args

from pydantic import Field, model_validator

from recpress.backbones.spaces import GROUPS, Choice, Dimension, Group, Range, Space
from recpress.core.cards import Card, Versioned


class OwnDimension(Card):
    """A field that only one backbone's search has: a range from `low` to `high`, or some choices."""

    name: str
    low: float | None = None
    high: float | None = None
    log: bool = Field(False, description="Whether the range is uniform in its logarithm.")
    choices: tuple[int | float | str, ...] = ()

    @model_validator(mode="after")
    def _one_domain(self) -> Self:
        if bool(self.choices) == (self.low is not None) or (self.low is None) != (self.high is None):
            raise ValueError("give low and high, or choices")
        return self

    @property
    def dimension(self) -> Dimension:
        """The dimension of the space."""
        if self.low is None or self.high is None:
            return Dimension(self.name, Choice(self.choices))
        return Dimension(self.name, Range(self.low, self.high, self.log))


class BackboneCard(Versioned):
    """The table ``[backbone]`` of a default training config."""

    version: int = Field(ge=1, description="Raised when the same training gives other tables.")
    title: str = Field(description="Name as the board prints it.")
    paper: str = Field(description="Authors, year and address of the paper.")
    search: tuple[Group | OwnDimension, ...] = Field(
        (), description=f"What tuning searches, in order: groups ({', '.join(get_args(Group))}) and fields of its own."
    )

    @property
    def space(self) -> Space:
        """The space that `search` describes."""
        parts = [(each.dimension,) if isinstance(each, OwnDimension) else GROUPS[each] for each in self.search]
        return tuple(dimension for part in parts for dimension in part)
