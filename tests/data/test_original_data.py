"""The original files: counts as published, splits as pinned, speed from the cache."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from recpress import data
from recpress.cli import info
from recpress.core.errors import UserError
from recpress.data import sources
from recpress.data.card import dataset_card
from recpress.data.relations import linked, relations

pytestmark = pytest.mark.data

# Users, items, interactions, train with valid, test; where the split is ours, the last two are left to its hash.
PUBLISHED = {
    "ml-100k": (943, 1682, 100_000, None, None),
    "ml-1m": (6040, 3706, 1_000_209, None, None),
    "gowalla": (29_858, 40_981, 1_027_370, 810_128, 217_242),
    "yelp2018": (31_668, 38_048, 1_561_406, 1_237_259, 324_147),
    "amazon-cds": (43_169, 35_648, 777_426, 604_475, 172_951),
    "amazon-book-kgat": (70_679, 24_915, 846_434, 652_514, 193_920),
    "amazon-beauty": (22_363, 12_101, 198_502, None, None),
    "lastfm": (1892, 4489, 52_668, 42_135, 10_533),
    # Each of the 1,067,911 + 133,489 + 133,489 edges in both directions.
    "ogbl-ddi": (4267, 4267, 2_669_778, 2_402_800, 266_978),
}


@pytest.fixture(scope="module")
def warm(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(autouse=True)
def _folders(warm: Path, original_data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RECPRESS_CACHE", str(warm))
    monkeypatch.setenv("RECPRESS_DATA", str(original_data))


@pytest.mark.parametrize("name", PUBLISHED)
def test_info_tells_the_published_counts_and_the_pinned_split(name: str) -> None:
    result = CliRunner().invoke(info.command, [name, "--format", "json"], catch_exceptions=False)
    numbers = json.loads(result.stdout)["statistics"]
    users, items, interactions, train, test = PUBLISHED[name]
    assert (numbers["users"], numbers["items"], numbers["interactions"]) == (users, items, interactions)
    if train is not None:
        assert (numbers["train"] + numbers["valid"], numbers["test"]) == (train, test)
    assert numbers["split_sha256"] == dataset_card(name).split.sha256


def test_both_files_of_ml_100k_give_the_same_split(original_data: Path, tmp_path: Path) -> None:
    """The wheel's atomic file is the official one under another header."""
    folder = tmp_path / "raw"
    (folder / "ml-100k").mkdir(parents=True)
    content = (original_data / "ml-100k" / "u.data").read_bytes()
    header = b"user_id:token\titem_id:token\trating:float\ttimestamp:float\n"
    (folder / "ml-100k" / "ml-100k.inter").write_bytes(header + content)
    found = sources.obtain("ml-100k", dataset_card("ml-100k"), "interactions", folder)
    assert found.spec.format == "atomic"
    assert data.load("ml-100k", folder).split.sha256 == data.load("ml-100k", original_data).split.sha256


def test_side_information() -> None:
    found = {relation.name: relation for relation in relations(data.load("ml-100k"))}
    assert found["has_genre"].edges.shape == (2, 2893)
    assert len(found["has_genre"].labels) == 19
    assert found["has_occupation"].edges.shape == (2, 943)
    (trust,) = relations(data.load("lastfm"))
    assert trust.edges.shape[1] == 25_434
    # Each friendship is in the file both ways; genres are nodes after users and items.
    for name, relation, added, edges in (("lastfm", "trusts", 0, 25_434 // 2), ("ml-100k", "has_genre", 19, 2893)):
        plain = data.load(name).graph()
        graph = linked(plain, data.load(name), [relation])
        assert graph.n_nodes == plain.n_nodes + added
        assert len(graph.adjacency().indices) == 2 * (plain.user_items.nnz + edges)
    with pytest.raises(UserError, match="lastfm has no relation 'has_genre': there are trusts"):
        linked(data.load("lastfm").graph(), data.load("lastfm"), ["has_genre"])


@pytest.mark.slow
def test_ten_million_generated_in_little_memory() -> None:
    code = (
        "import resource; from recpress.data import synthetic; from recpress.data.card import dataset_card;"
        "n = len(synthetic.generate(dataset_card('synthetic-10m').synthetic));"
        "print(n, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert int(out[0]) == 10_000_000
    assert int(out[1]) < 3_000_000  # KiB


def test_ogb_links_and_its_evaluator() -> None:
    from recpress.evaluation import ogb

    pairs = ogb.links("ogbl-ddi")
    assert pairs.positive["test"].shape == (133_489, 2)
    assert pairs.n_nodes == 4267
    truth = {tuple(edge) for edge in pairs.positive["valid"].tolist()}

    def oracle(sources: np.ndarray, targets: np.ndarray) -> np.ndarray:
        return np.array([(s, t) in truth for s, t in zip(sources.tolist(), targets.tolist(), strict=True)], float)

    assert ogb.evaluate("ogbl-ddi", pairs, "valid", oracle) == {"hits@20": 1.0}
    assert ogb.evaluate("ogbl-ddi", pairs, "valid", lambda s, t: -oracle(s, t)) == {"hits@20": 0.0}
