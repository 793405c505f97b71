"""The house rules that no linter knows."""

from __future__ import annotations

import ast
import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest

from recpress import registry
from recpress.checks.files import PUBLIC
from recpress.cli import VERBS
from recpress.core.paths import resources


@pytest.mark.parametrize("name", ["datasets", "methods", "results", "tests", "tools", "examples", "asv"])
def test_nothing_of_ours_shadows_a_public_name(name: str) -> None:
    script = f"""import importlib.util
spec = importlib.util.find_spec({name!r})
print(spec and spec.origin, spec and spec.submodule_search_locations)"""
    said = subprocess.run([sys.executable, "-P", "-c", script], capture_output=True, text=True, check=True, cwd="/")
    root = str(Path(__file__).resolve().parents[2])
    assert root not in said.stdout.replace(str(Path(sys.prefix)), "")


@pytest.mark.parametrize("name", registry.methods())
def test_methods_import_the_public_layers_alone(name: str) -> None:
    for node in ast.walk(ast.parse(registry.method(name).code.read_text(encoding="utf-8"))):
        modules = [node.module or ""] if isinstance(node, ast.ImportFrom) else []
        modules += [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        for module in modules:
            assert not module.startswith("recpress") or module.startswith(PUBLIC), module


def test_no_packages_at_the_root() -> None:
    root = resources("methods").parent
    for folder in ("methods", "datasets", "results", "benchmark", "tools"):
        assert not (root / folder / "__init__.py").exists()


@pytest.mark.parametrize("words", [["--help"], ["list"], ["list", "methods"]])
def test_help_and_list_import_no_torch(words: list[str]) -> None:
    script = (
        "import sys; from recpress.cli import cli\n"
        f"cli({words!r}, standalone_mode=False)\n"
        "assert 'torch' not in sys.modules and 'pandas' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", script], check=True, capture_output=True)


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_exists_and_shows_an_example(verb: str) -> None:
    said = subprocess.run([sys.executable, "-m", "recpress.cli", verb, "--help"], capture_output=True, text=True)
    assert said.returncode == 0
    assert "Example" in said.stdout


@pytest.mark.parametrize(
    ("words", "hint"),
    [
        (["run", "--suite", "quik"], "'quick'"),
        (["run", "--dataset", "ml-100", "--method", "svd"], "'ml-10"),
        (["run", "--dataset", "ml-100k", "--method", "unifrom"], "'uniform'"),
        (["run", "--dataset", "ml-100k", "--method", "svd", "--backbone", "lightgnc"], "'lightgcn'"),
        (["run", "--dataset", "ml-100k", "--method", "svd", "--budget", "8"], "1/8"),
        (["shwo"], "'show'"),
    ],
)
def test_a_wrong_name_gets_one_sentence_and_exit_code_2(words: list[str], hint: str) -> None:
    said = subprocess.run([sys.executable, "-m", "recpress.cli", *words], capture_output=True, text=True)
    assert said.returncode == 2
    assert hint in said.stderr
    assert "Traceback" not in said.stderr


def test_the_package_is_found() -> None:
    assert importlib.util.find_spec("recpress.methods.low_rank.svd.method") is not None
