"""Checks of a data set: its card, what it is parsed to, and that nothing of test is in train."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from recpress import registry
from recpress.checks.files import card_results
from recpress.checks.summary import CheckResult, check_result
from recpress.core.errors import UserError
from recpress.data.card import DatasetCard, dataset_card
from recpress.data.dataset import Dataset, load, parse
from recpress.data.interactions import UserItems

# What `recpress new dataset` writes, until somebody writes what is meant.
PLACEHOLDERS = ("What a user, an item and an interaction are, and who made the set.", "Whom to cite.", "example.org")


@dataclass(frozen=True)
class Read:
    """A data set as it is loaded, and as it is parsed anew."""

    name: str
    card: DatasetCard
    loaded: Dataset
    again: Dataset


def _filled_in(card: DatasetCard) -> str | None:
    told = {"license": card.license, "citation": card.citation, "description": card.description}
    told |= {f"sources of {file.name}": " ".join(file.sources) for file in card.files}
    blank = [name for name, text in told.items() if not text.strip(" .…") and not name.startswith("sources")]
    left = [name for name, text in told.items() if any(each in text for each in PLACEHOLDERS)]
    return f"{', '.join(dict.fromkeys(blank + left))} must be filled in" if blank or left else None


def _homepage(card: DatasetCard) -> str | None:
    return None if card.homepage or card.synthetic else "there is no homepage"


def _sources(card: DatasetCard) -> str | None:
    if card.loader != "files":
        return None
    roles = dict.fromkeys(file.role for file in card.files)
    bare = [role for role in roles if not any(file.sources for file in card.alternatives(role))]
    return f"no file of the role {', '.join(bare)} has a source" if bare else None


def _checksums(card: DatasetCard) -> str | None:
    bare = [file.name for file in card.files if not (file.checksums or file.optional)]
    return f"{', '.join(bare)} has none" if bare and card.split.sha256 is None else None


def _statistics(card: DatasetCard) -> str | None:
    return None if card.statistics else "it states none"


CARD: Mapping[str, Callable[[DatasetCard], str | None]] = {
    "filled-in": _filled_in,
    "homepage-there": _homepage,
    "sources-there": _sources,
    "checksums-there": _checksums,
    "statistics-stated": _statistics,
}


def _parses_alike(read: Read) -> str | None:
    one, two = read.loaded, read.again
    if one.split.sha256 != two.split.sha256:
        return f"the splits have the hashes {one.split.sha256[:12]}… and {two.split.sha256[:12]}…"
    same = all(
        np.array_equal(getattr(one.interactions, name), getattr(two.interactions, name))
        for name in ("user_ids", "item_ids")
    )
    return None if same else "the ids are in another order"


def _ids(read: Read) -> str | None:
    found = read.loaded.interactions
    for side, ids, used, count in (
        ("user", found.user_ids, found.users, found.n_users),
        ("item", found.item_ids, found.items, found.n_items),
    ):
        if len(ids) != count or len(np.unique(ids)) != count:
            return f"{count} {side}s have {len(np.unique(ids))} different ids"
        if len(used) and not 0 <= used.min() <= used.max() < count:
            return f"{side} ids run from {used.min()} to {used.max()}, and there are {count}"
        if read.card.ids is None and len(np.unique(used)) != count and read.card.task == "user-item":
            return f"{count - len(np.unique(used))} of {count} {side}s have no interaction"
    return None


def _disjoint(read: Read) -> str | None:
    split = read.loaded.split
    parts = {"train": split.train, "valid": split.valid, "test": split.test}
    for one, two in (("train", "valid"), ("train", "test"), ("valid", "test")):
        both = len(np.intersect1d(_keys(parts[one]), _keys(parts[two])))
        if both:
            return f"{both:,} interactions are in {one} and in {two}"
    return None


def _keys(part: UserItems) -> NDArray[np.int64]:
    return part.users.astype(np.int64) * part.n_items + part.items


def _test_there(read: Read) -> str | None:
    split = read.loaded.split
    if not split.test.nnz:
        return "test is empty"
    cold = int(((split.test.counts > 0) & (split.fit.counts == 0)).sum())
    return f"{cold:,} users of test have none" if cold and not read.card.split.cold_users else None


def _pinned(read: Read) -> str | None:
    found = read.loaded.split.sha256
    return None if read.card.split.sha256 else f'it pins none, and the split has sha256 = "{found}"'


CONTENT: Mapping[str, Callable[[Read], str | None]] = {
    "parses-alike": _parses_alike,
    "ids-consistent": _ids,
    "parts-disjoint": _disjoint,
    "test-there": _test_there,
    "split-pinned": _pinned,
}


def check_dataset(name: str) -> list[CheckResult]:
    """Run every check of a registered data set; what needs its files is skipped where its card is no card.

    Raises
    ------
    UserError
        When there is no such data set.
    """
    folder = registry.dataset_folder(name)
    outcomes = list(card_results(folder, DatasetCard, "data-card-complete"))
    if any(each.state == "failed" for each in outcomes):
        return outcomes
    card = dataset_card(name)
    outcomes += [check_result(title, folder, checked(card)) for title, checked in CARD.items()]
    if any(each.check == "filled-in" and each.state == "failed" for each in outcomes):
        return [*outcomes, check_result("loads", folder, "the card isn't filled in", skipped=True)]
    return outcomes + _content(name, card, folder)


def _content(name: str, card: DatasetCard, folder: Path) -> list[CheckResult]:
    try:
        read = Read(name, card, load(name), parse(name))
    except UserError as error:
        return [check_result("loads", folder, str(error).rstrip("."))]
    done = [check_result("loads", folder, None)]
    return done + [check_result(title, folder, checked(read)) for title, checked in CONTENT.items()]
