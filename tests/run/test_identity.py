"""What re-runs a cell: its own code and what that uses, and nothing else."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

PRINT_IDS = """
import json, sys
from recpress import registry
from recpress.run.identity import plan
from recpress.run.suite import Cell
cells = {
    f"{backbone} {method}": plan(
        Cell(dataset="ml-100k", backbone=backbone, method=method, budget="1/8", params={}, seed=0, timing_seconds=1),
        "0" * 64,
    )
    for backbone in ("mf", "lightgcn")
    for method in registry.methods()
}
assert "torch" not in sys.modules
print(json.dumps({name: [each.id, each.backbone_key, each.made] for name, each in cells.items()}))
"""


@pytest.fixture(scope="module")
def copy(make_checkout):
    """A copy whose files may be changed; each test puts back what it changed."""
    return make_checkout()


def ids(copy) -> dict[str, list[str]]:
    return json.loads(copy.python(PRINT_IDS))


@pytest.fixture(scope="module")
def before(copy) -> dict[str, list[str]]:
    return ids(copy)


PLAIN = ("from __future__", "x = 1\nfrom __future__")


def changed_by(copy, before, *changes: tuple[str, str, str]) -> set[str]:
    """Change files (each: name, what stands there, what shall) and return the cells whose identity changes by it."""
    texts = {copy.root / file: (copy.root / file).read_text() for file, _, _ in changes}
    for file, old, new in changes:
        path = copy.root / file
        assert old in path.read_text()
        path.write_text(path.read_text().replace(old, new, 1))
    try:
        after = ids(copy)
    finally:
        for path, text in texts.items():
            path.write_text(text)
    return {name for name, made in after.items() if made != before[name]}


def methods(cells: set[str]) -> set[str]:
    return {name.split()[1] for name in cells}


def test_a_methods_file_is_its_cells_alone(copy, before) -> None:
    assert methods(changed_by(copy, before, ("methods/low_rank/svd/method.py", *PLAIN))) == {"svd"}


def test_docstrings_comments_and_layout_are_nobodys(copy, before) -> None:
    files = ("methods/low_rank/svd/method.py", "benchmark/recpress/codecs/base.py")
    words = [(file, '"""', '"""Other words: ') for file in files]
    layout = [(file, "from __future__", "# A comment.\n\n\nfrom __future__") for file in files]
    assert changed_by(copy, before, *words, *layout) == set()


def test_a_codec_is_those_that_use_it(copy, before) -> None:
    found = methods(changed_by(copy, before, ("benchmark/recpress/codecs/lowrank.py", *PLAIN)))
    assert "svd" in found
    assert not found & {"uniform", "magnitude", "fp16", "none"}


def test_a_backbone_is_its_own_cells(copy, before) -> None:
    found = changed_by(copy, before, ("benchmark/recpress/backbones/mf.py", *PLAIN))
    assert {name.split()[0] for name in found} == {"mf"}
    assert len(found) == len(before) / 2


@pytest.mark.parametrize("file", ["run/worker.py", "codecs/artefact.py", "serve/topk.py", "backbones/train.py"])
def test_what_every_artefact_passes_through_is_everybodys(copy, before, file) -> None:
    assert changed_by(copy, before, (f"benchmark/recpress/{file}", *PLAIN)) == set(before)


def test_scoring_changes_the_record_and_not_what_was_made(copy, before) -> None:
    path = copy.root / "benchmark/recpress/evaluate/_per_user.py"
    text = path.read_text()
    path.write_text(text.replace("from __future__", "x = 1\nfrom __future__", 1))
    try:
        after = ids(copy)
    finally:
        path.write_text(text)
    assert all(after[name][0] != before[name][0] for name in before)
    assert all(after[name][1:] == before[name][1:] for name in before)


def test_what_decides_no_figure_is_nobodys(copy, before) -> None:
    files = ("cli/run.py", "record.py", "data/download.py", "measure/latency.py", "run/engine.py", "board/tables.py")
    assert changed_by(copy, before, *((f"benchmark/recpress/{file}", *PLAIN) for file in files)) == set()


def test_a_new_method_and_a_new_name_in_the_api_are_nobodys(copy, before) -> None:
    (copy.root / "methods/faulty/fresh").mkdir()
    for name in ("card.toml", "method.py"):
        source = copy.root / "methods/faulty/trivial" / name
        (copy.root / "methods/faulty/fresh" / name).write_text(source.read_text())
    path = copy.root / "benchmark/recpress/api.py"
    text = path.read_text()
    path.write_text(
        text.replace("__all__ = [", 'from recpress.codecs import restore\n\n__all__ = [\n    "restore",', 1)
    )
    try:
        after = ids(copy)
    finally:
        path.write_text(text)
    assert "mf fresh" in after
    assert {name: after[name] for name in before} == before


OPENED_AND_WALKED = """
import os, sys
sys.dont_write_bytecode = True
opened, walked = [], []
sys.addaudithook(lambda event, args: event == "open" and opened.append(str(args[0])))
from recpress.cli import cli
from recpress.run import code
sha256_of = code.sha256_of
code.sha256_of = lambda roots: walked.append(roots) or sha256_of(roots)
cli(sys.argv[1:], standalone_mode=False)
assert "torch" not in sys.modules
root = os.getcwd()
print(len([name for name in opened if name.startswith(root) or not os.path.isabs(name)]), len(walked))
"""


def test_each_finished_cell_costs_the_reading_of_its_record_alone(copy) -> None:
    """No code is walked and no recipe read again for it: files and walks are counted, since seconds are a machine's."""
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
from recpress import record
from recpress.run.plan import make
from recpress.run.suite import expand, read_suite
made = record.read(Path({str(made)!r}))
for planned in make(expand(read_suite("finished.toml"))):
    cell = planned.cell
    identity = made.identity.model_copy(update={{"cell": planned.id, "method": cell.method, "setting": cell.setting}})
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
