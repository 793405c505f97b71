"""`recpress check DATASET`: a complete set passes, and each thing that is wrong with one is named."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from recpress import registry
from recpress.checks.summary import PROMISES
from recpress.cli import cli

CARD = """title = "Ours"
domain = "content"
task = "user-item"
description = "Twelve people and what each of them has read."
license = "CC0-1.0"
redistribution = true
citation = "Nobody, 2020."
homepage = "https://example.com/ours"

[[files]]
role = "interactions"
name = "reads.tsv"
format = "pairs"
checksums = ["sha256:{checksum}"]
sources = ["https://example.com/reads.tsv"]

[split]
protocol = "random-per-user"
sha256 = "{split}"

[statistics]
users = 12
items = 10
interactions = 120
"""
ROWS = "".join(f"{user}\t{item}\n" for user in range(12) for item in range(10))


@pytest.fixture
def ours(cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The card of a registered set whose file lies in the data folder."""
    data = tmp_path / "data" / "ours"
    data.mkdir(parents=True)
    (data / "reads.tsv").write_text(ROWS)
    monkeypatch.setenv("RECPRESS_DATA", str(data.parent))
    card = tmp_path / "datasets" / "ours" / "card.toml"
    card.parent.mkdir(parents=True)
    monkeypatch.setattr(registry, "dataset_folders", lambda: {"ours": card.parent})
    checksum = hashlib.sha256(ROWS.encode()).hexdigest()
    card.write_text(CARD.format(checksum=checksum, split="").replace('sha256 = ""\n', ""))
    (pinned,) = check().values()
    split = pinned.split('sha256 = "')[1].split('"')[0]
    card.write_text(CARD.format(checksum=checksum, split=split))
    return card


def check() -> dict[str, str]:
    """Return the message of each check that failed."""
    done = CliRunner().invoke(cli, ["check", "ours", "--format", "json"], catch_exceptions=False)
    outcomes = json.loads(done.stdout)
    failed = {each["check"]: each["message"] for each in outcomes if each["state"] == "failed"}
    assert done.exit_code == bool(failed)
    assert all(each["check"] in PROMISES for each in outcomes)
    return failed


def test_a_complete_set_passes(ours: Path) -> None:
    assert check() == {}


@pytest.mark.parametrize(
    ("written", "instead", "named", "said"),
    [
        ('title = "Ours"', "title = Ours", "card-is-toml", "line 1"),
        ('license = "CC0-1.0"\n', "", "data-card-complete", "license: field required"),
        ('license = "CC0-1.0"', 'license = ""', "filled-in", "license must be filled in"),
        ('"Nobody, 2020."', '"Whom to cite."', "filled-in", "citation must"),
        ("example.com/reads", "example.org/reads", "filled-in", "sources of reads.tsv must"),
        ('homepage = "https://example.com/ours"\n', "", "homepage-there", "there is no homepage"),
        ('sources = ["https://example.com/reads.tsv"]\n', "", "sources-there", "role interactions"),
        ("checksums", "#", "checksums-there", "reads.tsv has none"),
        ("[statistics]\nusers = 12\nitems = 10\ninteractions = 120\n", "", "statistics-stated", "states none"),
        ("users = 12", "users = 13", "loads", "12 users instead of 13"),
        ('["sha256:', '["sha256:0', "data-card-complete", "checksums"),
        ('protocol = "random-per-user"', 'protocol = "random-per-user"\nseed = 1', "loads", "the split has the hash"),
        ('protocol = "random-per-user"', 'protocol = "random-per-user"\ntest = 0.0', "test-there", "test is empty"),
    ],
)
def test_what_is_wrong_is_named(ours: Path, written: str, instead: str, named: str, said: str) -> None:
    text = ours.read_text()
    assert written in text
    text = text.replace(written, instead)
    if named in ("checksums-there", "test-there"):
        text = "\n".join(line for line in text.splitlines() if not line.startswith("sha256"))
    ours.write_text(text)
    assert said in check()[named]


def test_what_lies_in_train_and_in_test_is_counted(ours: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from recpress.data import splits
    from recpress.data.splits import Split

    made = splits.make

    def leaking(*arguments: object) -> Split:
        split = made(*arguments)
        return Split(split.train.union(split.test), split.valid, split.test)

    monkeypatch.setattr(splits, "make", leaking)
    unpinned = "\n".join(line for line in ours.read_text().splitlines() if not line.startswith("sha256"))
    ours.write_text(unpinned.replace("[split]", "[split]\nseed = 5"))  # Not the one that is cached.
    assert "12 interactions are in train and in test" in check()["parts-disjoint"]
