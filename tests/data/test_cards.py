from __future__ import annotations

import subprocess
import sys

import pytest
from pydantic import ValidationError

from recpress import registry
from recpress.core.errors import UserError
from recpress.data import formats, index
from recpress.data.card import DatasetCard, dataset_card
from recpress.data.formats import attributes

NAMES = list(registry.dataset_folders())


@pytest.mark.parametrize("name", NAMES)
def test_every_card_names_known_formats_and_says_where_files_come_from(name: str) -> None:
    card = dataset_card(name)
    known = {*formats.PARSERS, *attributes.FORMATS, "ogb"}
    assert {file.format for file in card.files} <= known
    if card.loader != "synthetic":
        assert card.homepage
        for role in {file.role for file in card.files if not file.optional}:
            assert any(file.sources for file in card.alternatives(role)), role
    used = {source.partition("#")[0] for file in card.files for source in file.sources}
    assert set(card.archives) <= used


def test_the_sets_that_were_asked_for_are_here() -> None:
    movielens = {f"ml-{size}" for size in ("latest-small", "100k", "1m", "10m", "20m", "25m", "32m")}
    kinds = ("beauty", "books", "cds-vinyl", "electronics", "sports", "toys", "video-games", "movies-tv")
    reviews = {f"amazon{year}-{kind}" for year in (2014, 2018, 2023) for kind in kinds}
    fixed = {"amazon-book", "amazon-cds", "amazon-electronics", "amazon-book-kgat", "amazon-beauty"}
    others = {"gowalla", "yelp2018", "lastfm", "ogbl-ddi", "ogbl-collab", "ogbl-citation2", "ogbl-ppa", "ogbn-products"}
    assert movielens | reviews | fixed | others <= set(NAMES)
    assert {dataset_card(name).domain for name in NAMES} >= {"product", "content", "social"}


def test_the_index_is_up_to_date() -> None:
    assert index.path().read_text(encoding="utf-8") == index.render(), "run `python -m recpress.data.index`"


def test_an_unknown_name_is_answered_with_the_nearest() -> None:
    with pytest.raises(UserError, match="did you mean 'gowalla'"):
        dataset_card("gowala")


def fields(**changes: object) -> dict[str, object]:
    return dataset_card("ml-100k").model_dump() | changes


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"typo": 1}, "typo"),
        ({"domain": "music"}, "domain"),
        ({"loader": "synthetic"}, "belong together"),
        ({"split": {"protocol": "official"}}, "needs files with the roles"),
        ({"split": {"protocol": "random-per-user", "valid": 1.0}}, "valid"),
        ({"archives": {"https://x/y.zip": "sha1:00"}}, "archives"),
        ({"published": [{"recall": 0.1, "ndcg": 0.1, "by": "a", "url": "https://x"}]}, "official"),
        ({"files": [{"role": "interactions", "name": "../x", "format": "f"}]}, "name"),
        ({"files": [{"role": "interactions", "name": "x", "format": "f", "sources": ["ftp://x/y"]}]}, "sources"),
    ],
)
def test_a_wrong_card_is_refused(changes: dict[str, object], reason: str) -> None:
    with pytest.raises(ValidationError, match=reason):
        DatasetCard.model_validate(fields(**changes))


def test_cards_are_read_without_torch_or_pandas() -> None:
    code = (
        "import sys, recpress.data, recpress.data.card as c; c.dataset_card('ml-100k');"
        "print(sorted({'torch', 'pandas', 'torch_geometric'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"
