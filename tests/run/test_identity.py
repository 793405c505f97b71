"""What re-runs a cell: another version of what it rests on, and nothing of how code is written."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from recpress import registry

ROOT = Path(__file__).resolve().parents[2]
PRINT_IDS = """
import json, sys
from recpress import registry
from recpress.experiments.identity import plan
from recpress.experiments.suite import RunSpec
cells = {
    f"{backbone} {method}": plan(
        RunSpec(dataset="ml-100k", backbone=backbone, method=method, budget="1/8", params={}, seed=0, timing_seconds=1),
        "0" * 64,
    )
    for backbone in ("mf", "lightgcn")
    for method in registry.methods()
}
assert "torch" not in sys.modules
print(json.dumps({name: [each.id, each.backbone_key, each.artefact_key] for name, each in cells.items()}))
"""
ID, BACKBONE, MADE = range(3)
CODECS = "benchmark/recpress/codecs/tables"
VERSIONS = "benchmark/recpress/versions.toml"


@pytest.fixture(scope="module")
def copy(make_checkout):
    """A copy whose files may be changed; each test puts back what it changed."""
    return make_checkout()


def ids(copy) -> dict[str, list[str]]:
    return json.loads(copy.python(PRINT_IDS))


@pytest.fixture(scope="module")
def before(copy) -> dict[str, list[str]]:
    return ids(copy)


def after(copy, *changes: tuple[str, str, str]) -> dict[str, list[str]]:
    """Change files (each: name, what stands there, what shall) and return the identities; then put all back."""
    texts = {copy.root / file: (copy.root / file).read_text() for file, _, _ in changes}
    for file, old, new in changes:
        path = copy.root / file
        assert old in path.read_text()
        path.write_text(path.read_text().replace(old, new))
    try:
        return ids(copy)
    finally:
        for path, text in texts.items():
            path.write_text(text)


def changed(before, found, part: int = ID) -> set[str]:
    return {name for name in before if found[name][part] != before[name][part]}


def raised(room: str, name: str) -> tuple[str, str, str]:
    """Return the change that raises a version in versions.toml."""
    if room == "metric":  # None is there while it has version 1.
        end = "[ranking.topk]\n"
        return VERSIONS, end, f'[{room}.{name}]\nversion = 2\nhistory = ["2: is otherwise"]\n\n{end}'
    block = f"[{room}.{name}]\nversion = "
    return VERSIONS, f"{block}1\n", f'{block}2\nhistory = ["2: is otherwise"]\n'


def declaring(kind: str) -> set[str]:
    """Return the methods whose artefacts may be of a kind: those that declare it, and those that declare none."""
    return {name for name, entry in registry.methods().items() if kind in (entry.card.codecs or ())}


def methods(cells: set[str]) -> set[str]:
    return {name.split()[1] for name in cells} - {"faulty", "trivial"}


def test_words_layout_and_places_of_code_are_nobodys(copy, before) -> None:
    svd, base = "methods/low_rank/svd/method.py", "benchmark/recpress/codecs/base.py"
    changes = [(file, "from __future__", "# A comment.\n\n\nfrom __future__") for file in (svd, base)]
    changes += [
        (file, "def ", "def _also() -> None: ...\n\n\ndef ") for file in ("benchmark/recpress/experiments/worker.py",)
    ]
    assert after(copy, *changes) == before


def test_a_codec_that_moves_and_a_private_name_that_changes_are_nobodys(copy, before) -> None:
    files = [path for folder in ("benchmark/recpress", "methods") for path in (copy.root / folder).rglob("*.py")]
    texts = {path: path.read_text() for path in files}
    uniform = copy.root / CODECS / "uniform.py"
    moved = uniform.with_name("even_grids.py")
    try:
        for path, text in texts.items():
            path.write_text(text.replace("recpress.codecs.tables.uniform", "recpress.codecs.tables.even_grids"))
        assert "_round(" in uniform.read_text()
        uniform.rename(moved)
        moved.write_text(moved.read_text().replace("_round(", "_to_the_nearest("))
        # It works as before, and so does what imports it.
        copy.python("from recpress import registry; [each.module() for each in registry.methods().values()]")
        assert ids(copy) == before
    finally:
        moved.unlink()
        for path, text in texts.items():
            path.write_text(text)


def test_a_methods_version_is_its_cells_alone(copy, before) -> None:
    card = "methods/low_rank/svd/card.toml"
    found = after(copy, (card, "version = 1\n", 'version = 2\nhistory = ["2: other axes"]\n'))
    assert changed(before, found) == changed(before, found, MADE) == {"mf svd", "lightgcn svd"}
    assert not changed(before, found, BACKBONE)


@pytest.mark.parametrize(("room", "kind"), [("codec", "uniform"), ("codec", "low-rank"), ("network", "layered")])
def test_a_codecs_version_is_that_of_methods_that_declare_it(copy, before, room: str, kind: str) -> None:
    found = after(copy, raised(room, kind))
    assert methods(changed(before, found)) == methods(changed(before, found, MADE)) == declaring(kind)
    assert not changed(before, found, BACKBONE)
    # Methods that declare no codecs may use any.
    assert "mf trivial" in changed(before, found)


def test_a_backbones_version_is_its_own_cells(copy, before) -> None:
    card = "benchmark/configs/default/mf.toml"
    found = after(copy, (card, "version = 1\n", 'version = 2\nhistory = ["2: is otherwise"]\n'))
    for part in (ID, BACKBONE, MADE):
        assert changed(before, found, part) == {name for name in before if name.startswith("mf ")}


def test_a_metrics_version_changes_the_record_and_not_what_was_made(copy, before) -> None:
    found = after(copy, raised("metric", "ndcg"))
    assert changed(before, found) == set(before)
    assert not changed(before, found, MADE)


def test_the_rankings_version_is_everybodys_and_leaves_backbones(copy, before) -> None:
    found = after(copy, raised("ranking", "topk"))
    assert changed(before, found, MADE) == set(before)
    assert not changed(before, found, BACKBONE)


def test_a_protocols_version_is_that_of_its_data_sets(copy, before) -> None:
    assert changed(before, after(copy, raised("split", "random-per-user")), BACKBONE) == set(before)
    assert after(copy, raised("split", "official")) == before


def test_a_new_method_and_a_new_field_of_configs_are_nobodys(copy, before) -> None:
    fresh = copy.root / "methods/faulty/fresh"
    shutil.copytree(copy.root / "methods/faulty/trivial", fresh)
    field = ("benchmark/recpress/backbones/config.py", "    layers: int", "    brand_new: float = 1.0\n    layers: int")
    try:
        found = after(copy, field)
    finally:
        shutil.rmtree(fresh)
    assert "mf fresh" in found
    assert {name: found[name] for name in before} == before


def test_a_budget_is_its_fraction_however_it_is_written(copy) -> None:
    said = copy.python(PRINT_IDS.replace('"1/8"', '"0.125"'))
    assert json.loads(said) == ids(copy)


def test_source_stands_for_a_version_where_none_is_declared(copy, before) -> None:
    trivial = ("methods/faulty/trivial/method.py", "class ", "x = 1\n\n\nclass ")
    assert changed(before, after(copy, trivial)) == {"mf trivial", "lightgcn trivial"}
    declared = ("methods/faulty/trivial/card.toml", "license = ", "version = 1\nlicense = ")
    with_one = after(copy, declared)
    assert after(copy, declared, trivial) == with_one


def test_a_changed_rounding_rule_is_told_and_only_a_new_version_mends_it(make_checkout) -> None:
    copy = make_checkout()
    shutil.copytree(ROOT / "tools", copy.root / "tools")
    shutil.copytree(ROOT / "tests" / "golden", copy.root / "tests" / "golden")
    # Of the methods a few, since all of them take a minute each time.
    kept = {"uniform", "svd", "fp16", "ternary", "faulty", "trivial"}
    for folder in (copy.root / "methods").glob("*/*/"):
        if folder.name not in kept:
            shutil.rmtree(folder)

    def tool(*words: str, code: int = 0) -> str:
        words = (sys.executable, "tools/versions.py", *words)
        done = subprocess.run(words, cwd=copy.root, env=copy.environment, capture_output=True, text=True)
        assert done.returncode == code, done.stdout + done.stderr
        return done.stdout

    assert "are gone" in tool("check", code=1)
    tool("record")
    before = ids(copy)
    uniform = copy.root / CODECS / "uniform.py"
    uniform.write_text(uniform.read_text().replace("/ steps).round_()", "/ steps + 0.5).floor_()"))
    command = 'python tools/versions.py bump codec uniform "what changed"'
    for verb in ("check", "record"):
        wrong = tool(verb, code=1)
        assert "codec uniform, method uniform and" in wrong
        assert f"give other results than their version 1 did: `{command}` (or undo it)" in wrong
    assert '"version": 2' not in (copy.root / "tests/golden/codec.json").read_text()

    tool("bump", "codec", "uniform", "halves are rounded up")
    tool("check")
    assert 'history = [\n  "2: halves are rounded up",\n]' in (copy.root / VERSIONS).read_text()
    assert methods(changed(before, ids(copy))) == {"uniform", "svd"}
    assert methods(changed(before, ids(copy), MADE)) == declaring("uniform") & kept


OPENED_AND_WALKED = """
import os, sys
sys.dont_write_bytecode = True
opened, walked = [], []
sys.addaudithook(lambda event, args: event == "open" and opened.append(str(args[0])))
from recpress.cli import cli
from recpress.experiments import source_hash
sha256_of = source_hash.sha256_of
source_hash.sha256_of = lambda roots: walked.append(roots) or sha256_of(roots)
cli(sys.argv[1:], standalone_mode=False)
assert "torch" not in sys.modules
root = os.getcwd()
print(len([name for name in opened if name.startswith(root) or not os.path.isabs(name)]), len(walked))
"""


def test_each_finished_cell_costs_the_reading_of_its_record_alone(copy) -> None:
    """No code is walked and no config read again for it: files and walks are counted, as seconds are a machine's."""
    made = Path(__file__).parent / "historic" / "v1-first" / "ok.json"
    counted = {}
    for cells in (10, 1000):
        sets = ", ".join(f"{{ number = {number} }}" for number in range(cells))
        (copy.root / "finished.toml").write_text(
            'title = "Finished"\ndatasets = ["synthetic-tiny"]\nbackbones = ["mf"]\n'
            f'timing_seconds = 0\n[[methods]]\nname = "trivial"\nparams = [{sets}]\n'
        )
        copy.python(f"""
from pathlib import Path
from recpress.records import record
from recpress.experiments.plan import make
from recpress.experiments.suite import expand, read_suite
made = record.read(Path({str(made)!r}))
for planned in make(expand(read_suite("finished.toml"))):
    cell = planned.spec
    identity = made.identity.model_copy(update={{"key": planned.id, "method": cell.method, "variant": cell.variant}})
    record.write(Path("results"), made.model_copy(update={{"identity": identity}}))
""")
        for words in ((), ("--dry-run",)):
            *said, counts = copy.python(
                OPENED_AND_WALKED, "run", "--suite", "finished.toml", *words, "--results", "results"
            ).splitlines()
            assert f"{cells} done, 0 to run" in "\n".join(said)
            counted[cells, words] = [int(count) for count in counts.split()]
    for words in ((), ("--dry-run",)):
        opened, walked = counted[10, words]
        assert walked > 0
        assert counted[1000, words] == [opened + 990, walked]
