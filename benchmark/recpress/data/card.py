"""The card of a data set, ``datasets/<name>/card.toml``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, model_validator

from recpress import registry
from recpress.core.cards import Card, Sha256, read_card

Checksum = Annotated[str, Field(pattern="^(sha256:[0-9a-f]{64}|md5:[0-9a-f]{32})$")]
Fraction = Annotated[float, Field(ge=0, lt=1)]
Role = Literal["interactions", "train", "valid", "test", "social", "users", "items"]
Source = Annotated[str, Field(pattern=r"^(https?://|pypi:[A-Za-z0-9._-]+==[^#]+#).+")]


class RawFile(Card):
    """One raw file. Several files with the same role are alternatives: the first to be had is used."""

    role: Role = Field(description="What the file holds.")
    name: str = Field(pattern=r"^[\w][\w.-]*$", description="Its name in `<data dir>/<dataset>/` and the cache.")
    format: str = Field(description="The parser, one of `recpress.data.formats.PARSERS`.")
    checksums: tuple[Checksum, ...] = Field(
        default=(),
        description="Of the published file, and of known copies with the same content; any one is sound. None known: "
        "the first download pins it on this machine, and the split's hash checks the content.",
    )
    sources: tuple[Source, ...] = Field(
        default=(),
        description="Official address first, then mirrors; `#member` names a file inside an archive or a wheel.",
    )
    optional: bool = Field(default=False, description="The interactions can be had without it.")


class Preprocess(Card):
    """Preprocessing of the interactions before the split, in the order of the fields."""

    min_rating: float | None = Field(
        default=None, description="Keep ratings of at least this; off by default: every rating is an interaction."
    )
    duplicates: Literal["first", "last", "error"] = Field(
        default="first", description="Which row of a repeated (user, item) pair stays, in time or file order."
    )
    min_user: int = Field(default=0, ge=0, description="k-core: fewest interactions of a user.")
    min_item: int = Field(default=0, ge=0, description="k-core: fewest interactions of an item.")


class IdRange(Card):
    """Ids of the file that run over a declared range, so that ids without interactions keep their place."""

    first: int = Field(default=0, ge=0, description="The smallest id.")
    users: int = Field(ge=1)
    items: int = Field(ge=1)


class SplitSpec(Card):
    """Split protocol, and the hash of its outcome."""

    protocol: Literal["official", "random-per-user", "leave-one-out", "temporal-global"] = Field(
        description="Leave-one-out takes interactions of a user at one time in the order of the file where its rows "
        "are in order of time, and else in an order drawn by the seed."
    )
    valid: Fraction = Field(default=0.1, description="Share of valid (official: of each user's train items).")
    test: Fraction = Field(default=0.1, description="Share of test; official splits and leave-one-out ignore it.")
    seed: int = Field(default=0, ge=0, lt=2**32, description="Of the random choice.")
    cold_users: bool = Field(
        default=False, description="Official: some users have test items but no train items; otherwise refused."
    )
    sha256: Sha256 | None = Field(default=None, description="Pinned hash of train, valid and test.")


class Synthetic(Card):
    """Parameters of `recpress.data.synthetic.generate`."""

    users: int = Field(ge=1)
    items: int = Field(ge=2)
    interactions: int = Field(ge=1)
    exponent: float = Field(default=1.0, ge=0, le=3, description="Of the power laws of activity and popularity.")
    communities: int = Field(default=1, ge=1, description="Groups whose members prefer the group's own items.")
    affinity: float = Field(default=0.8, ge=0, le=1, description="Share of draws from the own group.")
    seed: int = Field(default=0, ge=0, lt=2**32)


class Statistics(Card):
    """Expected counts, checked after parsing and preprocessing."""

    users: int = Field(ge=1)
    items: int = Field(ge=1)
    interactions: int = Field(ge=1)
    train: int | None = Field(default=None, ge=1, description="Official splits: train with valid.")
    test: int | None = Field(default=None, ge=1, description="Official splits: test.")


class Published(Card):
    """A figure that others print for this set and split: what the board's own is held against."""

    backbone: str | None = Field(default=None, description="Whose fp32 tables these are; None: of a reference method.")
    method: str = Field(default="none", description="The method whose run it is.")
    variant: str = Field(default="default", description="That run's variant, as records name it.")
    recall: float = Field(gt=0, lt=1, description="Recall@20 on test.")
    ndcg: float = Field(gt=0, lt=1, description="NDCG@20 on test.")
    by: str = Field(description="Who prints it, and where.")
    url: str = Field(pattern="^https?://")
    note: str | None = Field(default=None, description="What else it measured than the board does, in one sentence.")


class DatasetCard(Card):
    """Card of a data set: what it is, its sources and its preprocessing."""

    title: str = Field(description="Name as the board prints it.")
    domain: Literal["product", "content", "social", "link-prediction"]
    task: Literal["user-item", "item-item"]
    description: str = Field(description="What a user, an item and an interaction are, and who made the set.")
    license: str = Field(description="The terms as their owner states them, or 'not stated'.")
    redistribution: bool = Field(description="Whether the terms allow passing the raw files on.")
    citation: str
    homepage: str | None = Field(default=None, pattern="^https?://")
    loader: Literal["files", "ogb", "synthetic", "own"] = Field(
        default="files", description="Parsers of this package, OGB's loader, the generator, or a file of the user's."
    )
    directed: bool = Field(default=False, description="Item-item only: an edge says nothing of its reverse.")
    files: tuple[RawFile, ...] = ()
    archives: dict[Source, Checksum] = Field(
        default_factory=dict, description="Published checksums of the archives that `files` name."
    )
    ids: IdRange | None = Field(
        default=None, description="Default: dense ids are given to the ids that have interactions, in ascending order."
    )
    synthetic: Synthetic | None = None
    preprocess: Preprocess = Preprocess()
    split: SplitSpec
    statistics: Statistics | None = Field(default=None, description="Left out where no sound figure is known.")
    published: tuple[Published, ...] = Field(default=(), description="By training on the whole published train part.")

    @model_validator(mode="after")
    def _roles_fit_the_protocol(self) -> DatasetCard:
        if (self.loader == "synthetic") != (self.synthetic is not None):
            raise ValueError("the loader 'synthetic' and the table [synthetic] belong together")
        roles = {file.role for file in self.files if not file.optional}
        wanted = {"train", "test"} if self.split.protocol == "official" else {"interactions"}
        if self.loader == "files" and not wanted <= roles:
            raise ValueError(f"a {self.split.protocol} split needs files with the roles {sorted(wanted)}")
        if self.published and self.split.protocol != "official":
            raise ValueError("published figures are of official splits: nobody else has this one")
        return self

    def alternatives(self, role: Role) -> tuple[RawFile, ...]:
        """Return the files of one role, in the order in which they are tried."""
        return tuple(file for file in self.files if file.role == role)


def dataset_card(name: str) -> DatasetCard:
    """Return the card of a registered data set.

    Raises
    ------
    UserError
        When no data set has this name, or its card is not valid.
    """
    return read_card(card_path(name), DatasetCard)


def card_path(name: str) -> Path:
    """Return where a registered data set's card lies."""
    return registry.dataset_folder(name) / "card.toml"
