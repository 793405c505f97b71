"""`recpress explain`: parts in the ids of the data that add up to the served score, and who can't be explained."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from recpress.cli import cli
from recpress.core.errors import UserError


@pytest.fixture(scope="module")
def cache_of_module(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(autouse=True)
def cached(cache_of_module: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RECPRESS_CACHE", str(cache_of_module))


def recpress(verb: str, *words: str) -> str:
    done = CliRunner().invoke(cli, [verb, "--dataset", "synthetic-tiny", *words], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done.stdout


def explained(*words: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(recpress("explain", *words, "--format", "json"))
    return found


def score(*words: str) -> dict[str, Any]:
    """Return the first recommendation by another way: the list as it was scored."""
    rows = json.loads(recpress("recommend", *words, "--as-scored", "--top", "1", "--format", "json"))
    found: dict[str, Any] = rows[0]
    return found


def test_parts_add_up_to_the_score_that_is_served() -> None:
    words = ["--method", "uniform", "--param", "bits=3", "--user", "17"]
    found, first = explained(*words), score(*words)
    assert (found["item"], found["rank"]) == (first["item"], 1)
    assert found["after"]["score"] == pytest.approx(first["score"], abs=1e-4)
    for side in ("before", "after"):
        parts = sum(row[side] for row in found["history"])
        assert parts + found[side]["rest"] == pytest.approx(found[side]["score"], abs=1e-5)
    order = [row["after"] for row in found["history"]]
    assert order == sorted(order, reverse=True)
    assert found["before"] != found["after"]
    assert found["drift"]["spearman"] < 1


@pytest.mark.parametrize("method", ["binary", "product", "svd", "transform_coding", "water_filling"])
def test_tables_that_were_turned_or_thinned_are_explained_on_the_backbone_s_axes(method: str) -> None:
    words = ["--method", method, "--budget", "1/4", "--user", "17"]
    found = explained(*words)
    assert found["after"]["score"] == pytest.approx(score(*words)["score"], abs=1e-4)
    assert found["drift"]["spearman"] > 0.8


def test_the_backbone_drifts_from_itself_in_nothing() -> None:
    found = explained("--user", "17", "--item", "42")
    assert found["item"] == 42
    assert found["before"]["score"] == pytest.approx(found["after"]["score"], abs=1e-5)
    assert found["drift"] == {"jaccard": 1.0, "spearman": pytest.approx(1.0), "sign_flips": 0.0, "deletion": 1.0}
    assert (found["by"], found["exact"]) == ("parts", True)


@pytest.mark.parametrize("method", ["ease", "itemknn"])
def test_weights_between_items_are_their_own_explanation(method: str) -> None:
    words = ["--method", method, "--user", "17"]
    found, first = explained(*words), score(*words)
    assert found["after"]["score"] == pytest.approx(first["score"], abs=1e-5)
    assert found["after"]["rest"] == pytest.approx(0, abs=1e-5)
    assert "before" not in found
    assert sum(row["after"] for row in found["history"]) == pytest.approx(first["score"], abs=1e-5)


def test_the_table_says_what_the_others_give() -> None:
    lines = recpress("explain", "--method", "uniform", "--param", "bits=4", "--user", "17", "--top", "2").splitlines()
    assert "rank 1 in uniform bits=4" in lines[0]
    table = {line.split("  ")[0].strip(): line.split()[-2:] for line in lines[5:10]}
    *_, others, rest, total = table.items()
    assert "others" in others[0]
    assert (rest[0], total[0]) == ("rest", "score")
    for side in (0, 1):
        parts = [float(values[side]) for name, values in table.items() if name != "score"]
        assert sum(parts) == pytest.approx(float(total[1][side]), abs=3e-4)
    assert lines[1].startswith("Exact parts, in ")
    told = "\n".join(lines)
    assert "\nDrift: " in told
    assert "\nWithout the five items that give most, the backbone's score goes from " in told


@pytest.mark.parametrize("backbone", ["gat", "ngcf", "sage"])
def test_layers_with_weights_are_explained_by_an_approximation_that_says_so(backbone: str) -> None:
    words = ["--backbone", backbone, "--method", "uniform", "--param", "bits=4", "--user", "17"]
    found = explained(*words)
    assert (found["by"], found["exact"], found["additive"]) == ("integrated-gradients", False, True)
    assert found["seconds"] < 60
    parts = sum(row["after"] for row in found["history"])
    assert parts + found["after"]["rest"] == pytest.approx(score(*words)["score"], abs=1e-4)
    assert found["deleted"]["scores"][1] < found["deleted"]["scores"][0]
    assert "An approximation, by integrated gradients" in recpress("explain", *words)


def test_gnnexplainer_gives_importances_and_no_parts() -> None:
    words = ["--backbone", "sage", "--user", "17", "--explainer", "gnnexplainer"]
    found = explained(*words)
    assert (found["by"], found["exact"], found["additive"]) == ("gnnexplainer", False, False)
    assert all(abs(row["after"]) <= 1 for row in found["history"])
    assert "rest" not in found["after"]
    assert found["history"] == explained(*words)["history"]
    said = recpress("explain", *words)
    assert "An approximation, by PyG's GNNExplainer" in said
    assert "rest" not in said


def test_deletion_is_the_fall_of_the_score_without_each_item() -> None:
    found = explained("--user", "17", "--explainer", "deletion")
    assert (found["by"], found["exact"], found["additive"]) == ("deletion", True, False)
    assert "before" not in found
    assert found["history"][0]["after"] > 0


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--backbone", "mf", "--user", "17"], "mf has no propagation"),
        (["--user", "17", "--explainer", "gnnexplainer"], "lightgcn's scores are exact"),
        (["--method", "ease", "--user", "17", "--explainer", "deletion"], "ease is its own explanation"),
        (["--method", "uniform", "--param", "bits=8", "--user", "17", "--explainer", "deletion"], "--method none"),
        (["--method", "hashing", "--budget", "1/8", "--user", "17"], "The vectors of hashing, turned as near"),
        (["--user", "1x7"], "no user '1x7'"),
        (["--user", "17", "--item", "4x2"], "no item '4x2'"),
    ],
)
def test_what_can_not_be_explained_says_why(words: list[str], said: str) -> None:
    with pytest.raises(UserError, match=said):
        recpress("explain", *words)
