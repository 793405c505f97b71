"""From a file with text ids to lists in the same ids: run, fit, recommend."""

from __future__ import annotations

import csv
import io
import json
import re
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from recpress.cli import cli
from recpress.codecs.artefact import Artefact
from recpress.core.errors import UserError
from recpress.evaluation import store

N_USERS, N_ITEMS, EACH = 40, 50, 12
OWN = ["--user-col", "who", "--item-col", "what", "--backbone", "mf", "--method", "uniform", "--budget", "1/4"]


def recpress(*words: object) -> str:
    done = CliRunner().invoke(cli, [str(word) for word in words], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done.stdout


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("recommend")
    rng = np.random.default_rng(1)
    rows = [(f"user-{u:02d}@x", f"Film, no. {i}") for u in range(N_USERS) for i in rng.choice(N_ITEMS, EACH, False)]
    with (folder / "likes.csv").open("w", newline="") as file:
        csv.writer(file).writerows([("who", "what"), *rows])
    return folder


@pytest.fixture
def data(place: Path, monkeypatch: pytest.MonkeyPatch) -> list[object]:
    """Options for the file, with one cache for the module."""
    monkeypatch.setenv("RECPRESS_CACHE", str(place / "cache"))
    return ["--data", place / "likes.csv", *OWN]


@pytest.fixture
def history(place: Path) -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    with (place / "likes.csv").open() as file:
        for row in csv.DictReader(file):
            found.setdefault(row["who"], set()).add(row["what"])
    return found


@pytest.fixture
def fitted(place: Path, data: list[object]) -> Path:
    if not (place / "fitted").is_dir():
        assert "the artefact has" in recpress("compress", *data, "--out", place / "fitted")
    return place / "fitted"


def test_lists_are_the_best_unseen_items_by_the_ids_of_the_file(fitted: Path, history: dict[str, set[str]]) -> None:
    users, items = sorted(history), sorted(set().union(*history.values()))
    artefact = Artefact.load(fitted / "artefact")
    scores = (artefact.users.decode() @ artefact.items.decode().T).numpy()
    asked = ["user-07@x", "user-00@x", "user-39@x"]
    words = [word for user in asked for word in ("--user", user)]
    rows = json.loads(recpress("recommend", fitted, *words, "--top", 5, "--format", "json"))
    assert [(row["user"], row["rank"]) for row in rows] == [(user, rank) for user in asked for rank in range(1, 6)]
    for user in asked:
        line = dict(zip(items, scores[users.index(user)].tolist(), strict=True))
        best = sorted(line.keys() - history[user], key=lambda item: -line[item])[:5]
        assert [row["item"] for row in rows if row["user"] == user] == best
        assert [row["score"] for row in rows if row["user"] == user] == pytest.approx([line[i] for i in best], abs=1e-5)


def test_as_scored_gives_the_lists_of_the_record(place: Path, data: list[object], history: dict[str, set[str]]) -> None:
    recpress("run", *data, "--timing-seconds", "0.05", "--results", place / "results")
    (kept,) = (place / "cache" / "per-user").glob("*.parquet")
    scored = store.load(kept)
    users, items = sorted(history), sorted(set().union(*history.values()))
    names = place / "names.txt"
    names.write_text("\n".join(users[user] for user in scored.users))
    said = recpress("recommend", *data, "--users-file", names, "--top", 20, "--as-scored", "--format", "csv")
    rows = list(csv.DictReader(io.StringIO(said)))
    given = np.array([items.index(row["item"]) for row in rows]).reshape(-1, 20)
    np.testing.assert_array_equal(given, scored.topk[:, :20])


def test_who_has_seen_nearly_all_gets_what_is_left(fitted: Path, history: dict[str, set[str]]) -> None:
    lines = recpress("recommend", fitted, "--user", "user-01@x", "--top", N_ITEMS).splitlines()
    assert len(lines) == 2 + N_ITEMS - EACH
    assert lines[0].split() == ["user", "rank", "item", "score"]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--user", "user-7@x"], r"no user 'user-7@x': did you mean 'user-.7@x'\?"),
        (["--user", "Ω"], r"no user 'Ω'; the 40 user ids look like 'user-00@x', .*\."),
        ([], "Say for whom"),
        (["--user", "user-07@x", "--dataset", "ml-100k"], "says already what to recommend from"),
    ],
)
def test_a_wrong_request_is_answered_with_its_fix(fitted: Path, words: list[str], said: str) -> None:
    with pytest.raises(UserError, match=said):
        recpress("recommend", fitted, *words)


def test_folders_that_do_not_recommend_are_told_apart(fitted: Path, data: list[object], tmp_path: Path) -> None:
    with pytest.raises(UserError, match="artefact alone, without the ids"):
        recpress("recommend", fitted / "artefact", "--user", "user-07@x")
    with pytest.raises(UserError, match="not a fitted folder"):
        recpress("recommend", tmp_path, "--user", "user-07@x")
    with pytest.raises(UserError, match="not empty"):
        recpress("compress", *data, "--out", fitted)
    with pytest.raises(UserError, match="can't reach 1/64"):
        recpress("compress", *data[:-1], "1/64", "--out", tmp_path / "small")
    assert list(tmp_path.iterdir()) == []


def test_another_files_ids_are_its_own(place: Path, data: list[object], tmp_path: Path) -> None:
    """The same interactions under other names have the same split, and so are one cell."""
    text = (place / "likes.csv").read_text()
    renamed = tmp_path / "likes-new.csv"
    renamed.write_text(text.replace("Film", "Book"))
    for file, kind in ((place / "likes.csv", "Film"), (renamed, "Book"), (place / "likes.csv", "Film")):
        words = ["--data", file, *OWN, "--user", "user-07@x"]
        rows = json.loads(recpress("recommend", *words, "--top", 5, "--format", "json"))
        assert [row["item"].split(",")[0] for row in rows] == [kind] * 5
    words = ["--user", "user-07@x", "--backbone", "lightgcn", "--format", "json"]
    for file, kind in ((place / "likes.csv", "Film"), (renamed, "Book")):
        told = json.loads(recpress("explain", "--data", file, *OWN, *words))
        assert {row["item"].split(",")[0] for row in told["history"]} == {kind}
    # Users under other names, too.
    renamed.write_text(re.sub("user-(..)@x", lambda found: f"client-{found[1]}", text))
    rows = json.loads(recpress("recommend", "--data", renamed, *OWN, "--user", "client-07", "--format", "json"))
    assert {row["user"] for row in rows} == {"client-07"}
