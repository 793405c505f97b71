"""`recpress check`: registered methods pass, each way to cheat is named, and so is each broken promise."""

from __future__ import annotations

import importlib.util
import json
import subprocess
from dataclasses import dataclass, replace
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner, Result

from recpress import codecs, registry
from recpress.checks import smoke
from recpress.cli import cli
from recpress.cli.shared import revision
from recpress.core.errors import UserError
from recpress.experiments.execution import RunOutput
from recpress.records.record import read, write
from recpress.registry import MethodEntry

METHOD = """
import gc, time
from pathlib import Path

import numpy as np
import torch

from recpress import codecs
from recpress.api import Artefact, BudgetUnreachable, Dense, Field, Method, Params, Uniform

SECRET = Path(__file__).with_name("secret.npy")

class CheatParams(Params):
    bits: int = Field(8, ge=1, description="Nothing hangs on it.")

class Cheat(Method[CheatParams]):
    Params = CheatParams

    def params_for(self, budget, shape):
        if budget < shape.dense_bytes:
            raise BudgetUnreachable("fp32 takes all its bytes")
        return CheatParams()

    def compress(self, task):
        return make(task)

"""
CODEC = """
class Mine(Dense):
    kind = "mine"

    @classmethod
    def restore(cls, options, tensors):
        return on_load(cls(tensors["values"]))

    def scorer(self):
        return Answers(self)

class Answers:
    def __init__(self, codec):
        self.codec, self.kept = codec, {}

    def scores(self, queries, out=None):
        return answer(self, queries)

    def honest(self, queries):
        return queries @ self.codec.values.T

def on_load(codec):
    return codec

codecs.registry.KINDS["mine"] = Mine

def make(task):
    return Artefact(Dense(task.backbone.users), Mine(task.backbone.items))

"""
CHEATS = {
    "caches answers": (
        CODEC
        + """
def answer(self, queries):
    key = queries.numpy().tobytes()
    if key not in self.kept:
        time.sleep(0.0005)
        self.kept[key] = self.honest(queries)
    return self.kept[key].clone()
""",
        {"known-codecs", "keeps-no-answers"},
    ),
    "ships fp32 beside int8": (
        """
class Both(Artefact):
    def save(self, folder):
        super().save(folder)
        np.save(folder / "exact.npy", self.exact.numpy())

def make(task):
    made = Both(Uniform.encode(task.backbone.users, bits=8), Uniform.encode(task.backbone.items, bits=8))
    object.__setattr__(made, "exact", task.backbone.items)
    return made
""",
        {"nothing-unclaimed", "breakdown-adds-up"},
    ),
    "reads outside its artefact": (
        CODEC
        + """
def on_load(codec):
    np.load(SECRET)
    return codec

def answer(self, queries):
    return self.honest(queries)
""",
        {"known-codecs", "reads-only-itself", "only-code"},
    ),
    "answers differently when timed": (
        CODEC
        + """
def answer(self, queries):
    scores = self.honest(queries)
    return scores if gc.isenabled() else torch.zeros_like(scores)
""",
        {"known-codecs", "times-as-scored"},
    ),
}
HONEST = """
def make(task):
    return Artefact(Dense.encode(task.backbone.users), Dense.encode(task.backbone.items))
"""


@dataclass(frozen=True)
class Loaded(MethodEntry):
    """A method whose module is made of a file anywhere."""

    def module(self) -> ModuleType:
        spec = importlib.util.spec_from_file_location(f"cheat_{self.name}", self.code)
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        return module


class Nobody:
    """A pipe that nobody reads."""

    def send(self, share: float, /) -> None: ...

    def note(self, text: str, /) -> None: ...


def directly(function: Any, *arguments: Any, **_: Any) -> Any:
    """Do it in this process: the codecs of a file that isn't installed are known here alone."""
    return function(*arguments, report=Nobody())


@pytest.fixture(scope="module")
def cache_of_module(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


@pytest.fixture
def cached(cache_of_module: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RECPRESS_CACHE", str(cache_of_module))


def check(*words: str) -> Result:
    return CliRunner().invoke(cli, ["check", "--no-smoke", *words, "--backbone", "mf"], catch_exceptions=False)


def check_file(code: str, folder: Path, monkeypatch: pytest.MonkeyPatch, *words: str, card: str = "") -> dict[str, str]:
    """Return the message of each check that failed for a method with this code."""
    (folder / "method.py").write_text(code)
    if "SECRET)" in code:
        np.save(folder / "secret.npy", np.zeros(3))
    (folder / "card.toml").write_text(
        'title = "C"\nsummary = "s"\ndivision = "closed"\nserve_form = "table"\nformula = "x"\nlicense = "MIT"\n' + card
    )
    monkeypatch.setattr(registry, "methods", lambda: {"cheat": Loaded("cheat", "control", folder)})
    monkeypatch.setattr("recpress.codecs.registry.KINDS", dict(codecs.KINDS))
    monkeypatch.setattr("recpress.checks.method.call", directly)
    monkeypatch.setattr("recpress.experiments.stages.call", directly)
    done = check("cheat", "--format", "json", *words)
    outcomes = json.loads(done.stdout)
    found = {each["check"]: each["message"] for each in outcomes if each["state"] == "failed"}
    assert done.exit_code == bool(found)
    return found


def test_an_honest_method_passes_in_its_own_processes(cached: None) -> None:
    done = check("uniform", "--budget", "1/4")
    *listed, last = done.stdout.splitlines()
    lines = [line.split() for line in listed]
    assert done.exit_code == 0
    assert last == "0 findings."
    assert {state for state, _ in lines} == {"passed"}
    assert {"meets-budgets", "keeps-no-answers", "times-as-scored"} < {name for _, name in lines}


@pytest.mark.data
def test_a_short_run_tells_its_figures(cached: None, original_data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RECPRESS_DATA", str(original_data))
    done = check("uniform", "--budget", "1/4", "--no-audit", "--smoke")
    told = [line for line in done.stdout.splitlines() if line.startswith("passed   runs")]
    assert done.exit_code == 0
    assert len(told) == 2
    assert "synthetic-tiny, mf: retains " in told[0]
    assert "ml-100k, mf: retains " in told[1]
    assert "in 1/4." in told[1]


@pytest.mark.parametrize("cheat", CHEATS)
def test_each_cheat_is_caught_by_name(
    cheat: str, cached: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    code, checks = CHEATS[cheat]
    assert check_file(METHOD + code, tmp_path, monkeypatch).keys() == checks


@pytest.mark.parametrize(
    ("declared", "said"),
    [
        ('["dense"]', None),
        ('["uniform"]', "it uses dense"),
        ('["dense", "nonesuch"]', "there is no nonesuch"),
    ],
)
def test_a_method_is_held_to_the_codecs_that_it_declares(
    declared: str, said: str | None, cached: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = check_file(METHOD + HONEST, tmp_path, monkeypatch, "--no-audit", card=f"codecs = {declared}\n")
    assert found.keys() == ({"declares-its-codecs"} if said else set())
    assert not said or found["declares-its-codecs"].startswith(f"{said}; add what is missing")


@pytest.mark.parametrize(
    ("written", "instead", "named", "said"),
    [
        ('raise BudgetUnreachable("fp32 takes all its bytes")', "pass", "meets-budgets", "at 1/2 the artefact has"),
        ('raise BudgetUnreachable("fp32 takes all its bytes")', "pass", "refuses-one-byte", "it chose"),
        (', description="Nothing hangs on it."', "", "params-documented", "bits has no description"),
        (
            "def make(task):",
            "def make(task):\n    task.backbone.users.mul_(2)",
            "leaves-the-backbone",
            "writes to its tensors",
        ),
        ("def make(task):", "def make(task):\n    raise KeyError('left')", "compresses", "KeyError: 'left'"),
    ],
)
def test_each_broken_promise_is_named(
    written: str,
    instead: str,
    named: str,
    said: str,
    cached: None,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert check_file(METHOD + HONEST, tmp_path, monkeypatch, "--no-audit") == {}
    code = (METHOD + HONEST).replace(written, instead)
    assert code != METHOD + HONEST
    assert said in check_file(code, tmp_path, monkeypatch, "--no-audit")[named]


def test_one_cause_is_one_finding_with_its_line(cached: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    code = (METHOD + HONEST).replace('raise BudgetUnreachable("fp32 takes all its bytes")', "pass")
    code = code.replace("def make(task):", "def make(task):\n    return nosuch(task)")
    found = check_file(code, tmp_path, monkeypatch, "--no-audit")
    assert [name for name, said in found.items() if "NameError" in said] == ["compresses"]
    assert found["compresses"] == "NameError: name 'nosuch' is not defined; fix what is raised"
    told = check("cheat", "--no-audit").stdout
    line = next(number for number, text in enumerate(code.splitlines(), 1) if "nosuch" in text)
    assert f"{tmp_path / 'method.py'}:{line}: compress returns an Artefact" in told
    assert "it raises what compresses tells" in told
    assert told.endswith(f"\n{len(found)} findings.\n")


def test_findings_annotate_the_files_of_a_pull_request(
    cached: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    check_file(METHOD + HONEST, tmp_path, monkeypatch, "--no-audit")
    card = tmp_path / "card.toml"
    card.write_text(card.read_text().replace('"MIT"', '"100% mine"'))
    done = check("cheat", "--no-audit", "--format", "github")
    assert done.exit_code == 1
    (line,) = [each for each in done.stdout.splitlines() if each.startswith("::")]
    assert line.startswith(f"::error file={card},line=6,title=licence-named::the licence")
    assert "'100%25 mine' is none; give it as" in line
    assert "pass, 1 fail." in done.stdout


@pytest.mark.parametrize(
    ("words", "why"),
    [
        ((), "Say what to check"),
        (("unifrom",), "did you mean 'uniform'"),
        (("ml-10k",), "did you mean 'ml-10"),
        (("results", "uniform"), "recpress results check"),
        (("--changed", "no-such-revision"), "can't compare with 'no-such-revision'"),
    ],
)
def test_what_can_not_be_checked_is_said(words: tuple[str, ...], why: str) -> None:
    with pytest.raises(UserError, match=why):
        check(*words)


def test_what_a_branch_changes_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def git(*words: str) -> None:
        who = ("-c", "user.name=test", "-c", "user.email=test@localhost")
        subprocess.run(["git", "-C", str(tmp_path), *who, *words], check=True, capture_output=True)

    def put(file: str) -> None:
        (tmp_path / file).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / file).write_text("x = 1")

    for file in ("methods/pruning/old/card.toml", "methods/pruning/gone/card.toml", "datasets/README.md"):
        put(file)
    git("init", "--quiet", "--initial-branch", "main")
    git("add", "--all")
    git("commit", "--quiet", "-m", "base")
    git("checkout", "--quiet", "-b", "mine")
    put("methods/hybrid/mine/card.toml")
    put("methods/hybrid/mine/deeper/part.py")
    put("datasets/my-shop/card.toml")
    put("results/records/one.json")
    (tmp_path / "datasets" / "README.md").write_text("changed")
    (tmp_path / "methods" / "pruning" / "gone" / "card.toml").unlink()
    git("add", "--all")
    git("commit", "--quiet", "-m", "change")
    monkeypatch.setattr(revision, "checkout_root", lambda: tmp_path)
    assert revision.changed_since("main") == ["my-shop", "mine"]
    assert revision.changed_since("mine") == []


@pytest.mark.parametrize(("retained", "flagged"), [(2.06, True), (1.049, False)])
def test_a_short_run_that_retains_too_much_is_flagged_and_fails_nothing(
    retained: float, flagged: bool, cached: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = smoke.execution.run

    def leaked(*arguments: Any) -> RunOutput:
        """Run it, and let it look as a method does that was trained on test."""
        ended = run(*arguments)
        quality = ended.result.quality
        assert quality
        metrics = quality.metrics | {"ndcg@20": retained * quality.metrics["ndcg@20"] / quality.retention_of("ndcg@20")}
        retention = quality.retention | {"ndcg@20": retained, "recall@20": 1.0}
        better = quality.model_copy(update={"metrics": metrics, "retention": retention})
        return replace(ended, result=ended.result.model_copy(update={"quality": better}))

    monkeypatch.setattr(smoke.execution, "run", leaked)
    monkeypatch.setattr(smoke, "REAL", "synthetic-tiny")
    comment = tmp_path / "comment.md"
    words = ("uniform", "--budget", "1/4", "--no-audit", "--smoke", "--results", str(tmp_path))
    said = f"on synthetic-tiny, it retains {retained:.1%} of its backbone's ndcg@20"
    done = check(*words, "--summary", str(comment))
    assert done.exit_code == 0
    assert ("FOR A PERSON TO LOOK AT:" in done.stdout) == flagged
    assert (said in done.stdout.rpartition("LOOK AT:")[2]) == flagged
    assert comment.read_text().startswith("> [!WARNING]") == flagged
    assert (said in comment.read_text()) == flagged
    done = check(*words, "--format", "github")
    assert done.exit_code == 0
    assert ("::warning file=methods/quantization/uniform/method.py,line=1" in done.stdout) == flagged
    assert done.stdout.endswith(", 1 flagged for review.\n" if flagged else "0 fail.\n")


def test_an_open_method_is_held_beside_the_references_of_the_folder(tmp_path: Path) -> None:
    made = read(Path(__file__).parents[1] / "run" / "historic" / "v2-board" / "ok.json")
    made = made.model_copy(update={"identity": made.identity.model_copy(update={"division": "open"})})
    quality = made.quality
    assert quality
    who = made.identity.model_copy(update={"method": "none", "division": "reference", "variant": "default"})
    best = quality.model_copy(update={"metrics": quality.metrics | {"ndcg@20": 0.9}})
    write(tmp_path, made.model_copy(update={"identity": who, "quality": best}))
    for name, beside in (
        (tmp_path, 0.9),
        (tmp_path / "none", quality.metrics["ndcg@20"] / quality.retention_of("ndcg@20")),
    ):
        assert smoke.best(made, name) == pytest.approx(beside)
    closed = made.model_copy(update={"identity": made.identity.model_copy(update={"division": "closed"})})
    assert smoke.best(closed, tmp_path / "none") is None
