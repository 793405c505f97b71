"""Methods from elsewhere: a folder that the user names, and an installed package."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from recpress import registry
from recpress.core.errors import UserError
from recpress.core.paths import PLUGINS

CARD = (Path(__file__).parent / "faulty" / "trivial" / "card.toml").read_text()
METHOD = """
from recpress.api import Artefact, Method, Params, Uniform

from {helper} import scale

class Mine(Method[Params]):
    Params = Params

    def params_for(self, budget, shape):
        return Params()

    def compress(self, task):
        return Artefact(Uniform.encode(task.backbone.users * scale()), Uniform.encode(task.backbone.items))
"""
HELPER = "def scale():\n    return 2.0\n"


def write(folder: Path, name: str, helper: str = ".helper", family: str = "quantization") -> Path:
    """Write a method below a folder of methods; its helper lies beside it."""
    place = folder / family / name
    place.mkdir(parents=True)
    (place / "card.toml").write_text(CARD)
    (place / "method.py").write_text(METHOD.format(helper=helper))
    (place / "helper.py").write_text(HELPER)
    return place


def install(site: Path, name: str = "lab") -> Path:
    """Install a package of one method: its files, and what pip would write about it."""
    package = site / name
    write(package / "models", "packaged", helper=f"{name}.common").joinpath("helper.py").unlink()
    for folder in (package, package / "models", package / "models" / "quantization"):
        (folder / "__init__.py").write_text("")
    (package / "__init__.py").write_text("raise RuntimeError('imported')\n" if name == "loud" else "")
    (package / "common.py").write_text(HELPER)
    about = site / f"{name}-1.5.dist-info"
    about.mkdir()
    (about / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.5\n")
    (about / "entry_points.txt").write_text(f"[recpress.methods]\n{name} = {name}.models\n")
    return package


@pytest.fixture
def plugins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "plugins"
    folder.mkdir()
    monkeypatch.setenv(PLUGINS, str(folder))
    return folder


def test_a_folder_is_found_and_its_methods_are_imported_beside_the_own_of_their_family(plugins: Path) -> None:
    write(plugins, "from_a_folder")
    entry = registry.method("from_a_folder")
    assert (entry.family, entry.source.label) == ("quantization", str(plugins))
    assert entry.module().scale() == 2.0
    assert registry.method("uniform").module().__name__ == "recpress.methods.quantization.uniform.method"
    assert registry.method("uniform").source.label == "recpress"


def test_a_package_is_found_without_importing_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    install(tmp_path, "loud")
    monkeypatch.syspath_prepend(tmp_path)
    entry = registry.method("packaged")
    assert entry.source.label == "loud 1.5"
    with pytest.raises(RuntimeError, match="imported"):
        entry.module()


def test_a_package_without_its_methods_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = install(tmp_path, "gone")
    (package / "models").rename(package / "elsewhere")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(UserError, match=r"gone 1\.5 promises methods in 'gone.models'"):
        registry.methods()


def test_two_methods_of_one_name_are_refused(plugins: Path) -> None:
    write(plugins, "uniform")
    with pytest.raises(UserError, match=r"two methods 'uniform', .*methods/quantization/uniform \(recpress\) and"):
        registry.methods()


@pytest.mark.parametrize(
    ("folder", "why"),
    [
        ("quantization/my-idea", "'my-idea' must be a lower-case Python name"),
        ("Quantization/my_idea", "'Quantization' must be"),
        ("quantization/my_idea/deeper", "holds no method"),
    ],
)
def test_what_can_not_be_imported_is_refused(plugins: Path, folder: str, why: str) -> None:
    place = plugins / folder
    place.mkdir(parents=True)
    (place / "card.toml").write_text(CARD)
    with pytest.raises(UserError, match=why):
        registry.methods()


def test_a_family_that_would_hide_others_is_refused(plugins: Path) -> None:
    (write(plugins, "my_idea").parent / "__init__.py").write_text("")
    with pytest.raises(UserError, match=r"no __init__\.py"):
        registry.methods()


@pytest.mark.parametrize(("named", "why"), [("plugins", "the whole path"), ("/nowhere/at/all", "is no folder")])
def test_a_folder_that_is_not_there_is_named(named: str, why: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(PLUGINS, named)
    with pytest.raises(UserError, match=why):
        registry.methods()


def test_they_run_in_processes_of_their_own_and_their_code_is_their_identity(checkout, tmp_path: Path) -> None:
    write(tmp_path / "plugins", "from_a_folder")
    package = install(tmp_path / "site")
    variables = checkout.variables
    checkout.variables = {
        "PYTHONPATH": os.pathsep.join([checkout.environment["PYTHONPATH"], str(tmp_path / "site")]),
        "COLUMNS": "200",
    }
    option = ("--plugin-dir", str(tmp_path / "plugins"))
    try:
        listed = json.loads(checkout.recpress(*option, "list", "methods", "--format", "json"))
        assert {each["name"]: each["from"] for each in listed if each["from"] != "recpress"} == {
            "from_a_folder": str(tmp_path / "plugins"),
            "packaged": "lab 1.5",
        }
        for name in ("from_a_folder", "packaged"):
            words = ("--dataset", "synthetic-tiny", "--backbone", "mf", "--timing-seconds", "0")
            words += ("--method", name, "--budget", "1/2")
            checkout.recpress(*option, "run", *words, "--results", str(tmp_path / "results"))
        records = [json.loads(file.read_text()) for file in (tmp_path / "results" / "records").rglob("*.json")]
        made = {each["identity"]["method"]: each for each in records}
        assert {each["status"] for each in records} == {"ok"}
        assert made.keys() == {"from_a_folder", "packaged"}

        checkout.variables[PLUGINS] = str(tmp_path / "plugins")
        ask = (
            "from recpress.experiments.identity import code_of as code; print(code('from_a_folder'), code('packaged'))"
        )
        before = checkout.python(ask).split()
        assert before == [made[name]["provenance"]["code"] for name in ("from_a_folder", "packaged")]
        (package / "common.py").write_text(HELPER.replace("2", "3"))
        after = checkout.python(ask).split()
        assert (after[0], after[1] != before[1]) == (before[0], True)
        beside = tmp_path / "plugins" / "quantization" / "from_a_folder" / "helper.py"
        beside.write_text(HELPER.replace("2", "3"))
        assert checkout.python(ask).split()[0] != before[0]
    finally:
        checkout.variables = variables
