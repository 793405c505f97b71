"""Each wrong submission is refused by name, with its file, what is expected and the fix; the right one passes."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path
from typing import Any

import pytest

from recpress.checks.summary import PROMISES

RIGHT = Path(__file__).parent / "submissions"
WRONG = tomllib.loads((RIGHT / "wrong.toml").read_text())
ALL_OF_THEM = 1500.0

pytestmark = pytest.mark.slow


def write(folder: Path, edit: dict[str, str]) -> None:
    folder.mkdir(parents=True)
    files = {name: (RIGHT / name).read_text() for name in ("card.toml", "method.py")}
    if edit:
        name = edit.get("file", "method.py")
        if "written" in edit:
            assert files[name].count(edit["written"]) == 1, edit
            files[name] = files[name].replace(edit["written"], edit["instead"])
        else:
            files[name] = edit["instead"]
    for name, text in files.items():
        (folder / name).write_text(text)


@pytest.fixture(scope="module")
def found(checkout, tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[dict[str, Any]]]:
    """What one command says of all of them."""
    plugins = tmp_path_factory.mktemp("plugins")
    submissions = {"right": {}} | WRONG
    for name, edit in submissions.items():
        write(plugins / "quantization" / name, edit)
    (plugins / "secret.txt").write_text("test items")
    words = ("--plugin-dir", str(plugins), "check", "--no-smoke", *submissions, "--backbone", "mf", "--format", "json")
    said = checkout.recpress(*words, code=1, timeout=ALL_OF_THEM)
    outcomes = json.loads(said[said.index("[\n") :])
    return {name: [each for each in outcomes if each["name"] == name] for name in submissions}


def test_the_right_one_passes(found) -> None:
    assert {each["state"] for each in found["right"]} == {"passed"}
    assert {each["check"] for each in found["right"]} >= {"card-complete", "sees-train-alone", "keeps-no-answers"}


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_one_is_refused(name: str, found) -> None:
    wrong = WRONG[name]
    failed = {each["check"]: each for each in found[name] if each["state"] == "failed"}
    assert wrong["check"] in failed, failed
    verdict = failed[wrong["check"]]
    assert wrong["says"] in verdict["message"]
    assert verdict["message"].endswith(PROMISES[wrong["check"]].fix)
    assert verdict["file"].startswith("/")
    assert f"/{name}/" in verdict["file"] + "/"
    assert verdict["expects"]


def test_there_are_twenty_and_more() -> None:
    assert len(WRONG) >= 20
    assert len({each["check"] for each in WRONG.values()}) >= 20
