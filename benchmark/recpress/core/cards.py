"""Cards: what a data set or a method says of itself, checked field by field.

A card is a TOML file beside the thing that it describes. Unknown fields are errors, so that a typo
never passes as an omission.
"""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Annotated, Literal, Self, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from recpress.core.errors import UserError
from recpress.core.lines import line_of

# Shapes of points that the charts draw, as Vega names them.
Mark = Literal[
    "cross",
    "circle",
    "square",
    "diamond",
    "triangle-up",
    "triangle-down",
    "triangle-left",
    "triangle-right",
    "arrow",
    "stroke",
]
Sha256 = Annotated[str, Field(pattern="^[0-9a-f]{64}$")]


class Card(BaseModel):
    """Base of all cards: frozen, unknown fields forbidden."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Versioned(Card):
    """Of a card that says a version, and what each version after the first changed."""

    version: int | None = Field(None, ge=1, description="Raised when the same input gives other results.")
    history: tuple[str, ...] = Field(
        (), description="What each version after the first changed, a line each, the oldest first."
    )

    @model_validator(mode="after")
    def _each_version_has_its_line(self) -> Self:
        if len(self.history) != (self.version or 1) - 1:
            raise ValueError("history has one line for each version after the first")
        return self


class Paper(Card):
    """A publication."""

    title: str
    year: int = Field(ge=1900, le=2100)
    url: str = Field(pattern="^https?://")


class MethodCard(Versioned):
    """The card of a compression method, ``methods/<family>/<name>/card.toml``."""

    title: str = Field(description="Name of the method as the board prints it.")
    summary: str = Field(description="One sentence: what it does to the tables.")
    division: Literal["reference", "closed", "open"] = Field(
        description="closed: a transform of the frozen backbone; open: it trains; reference: what others are "
        "compared with."
    )
    serve_form: Literal["table", "graph", "function"] = Field(
        description="What is stored: final vectors, base vectors with the graph, or a function of ids."
    )
    formula: str = Field(description="The transform, in one line.")
    license: str = Field(description="SPDX licence of the method's code.")
    papers: tuple[Paper, ...] = ()
    codecs: tuple[str, ...] | None = Field(
        None, description="Kinds of codecs and networks that its artefacts may be made of; by default any."
    )
    developed_on: tuple[str, ...] = Field(
        (), description="Data sets whose test scores were looked at while the method was made: no confirmation there."
    )


class FamilyCard(Card):
    """What a family of methods is and how charts draw it, ``methods/<family>/family.toml``."""

    title: str = Field(description="Name of the family as the board prints it.")
    summary: str = Field(description="One sentence: how its methods make a model smaller.")
    order: int = Field(ge=1, description="Its place in legends and lists.")
    colour: str = Field(
        pattern="^#[0-9a-f]{6}$",
        description="In charts; with a contrast of 3:1 or more on the light and on the dark page.",
    )
    mark: Mark = Field(description="Shape of its points, so that colour alone tells nothing.")


CardT = TypeVar("CardT", bound=Card)


def read_card(path: Path, model: type[CardT]) -> CardT:
    """Read and check the card of a method or data set.

    Raises
    ------
    UserError
        When the file is missing, or as `read_toml` says.
    """
    try:
        return read_toml(path, model)
    except FileNotFoundError as error:
        raise UserError(f"{path} is missing: every {path.parent.name!r} folder needs a card.") from error


def read_toml(path: Path, model: type[CardT]) -> CardT:
    """Read a TOML file and check it against a model.

    Raises
    ------
    FileNotFoundError
        For the caller to say what a missing file means.
    UserError
        When it isn't TOML, or a field is missing, unknown or out of range; the message names the file, and the line
        and the name of every such field.
    """
    text = path.read_text(encoding="utf-8")
    try:
        return model.model_validate(tomllib.loads(text))
    except tomllib.TOMLDecodeError as error:
        raise UserError(f"{path} is not valid TOML: {error}.") from error
    except ValidationError as error:
        raise UserError(f"{path}: {validation_message(error, text)}.") from error


def validation_message(error: ValidationError, toml: str = "") -> str:
    """Return the findings of a pydantic error as one line: ``field: what is wrong; …``.

    With the TOML text that was checked, each begins with its line.
    """
    findings = []
    for item in error.errors(include_url=False, include_context=False):
        where = ".".join(str(part) for part in item["loc"]) or "value"
        line = line_of(toml, item["loc"])
        at = f"line {line}, " if line else ""
        findings.append(f"{at}{where}: {item['msg'][:1].lower()}{item['msg'][1:]}")
    return "; ".join(findings)
