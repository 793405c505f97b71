"""The Python API: what it returns, what it refuses, and what importing it costs."""

from __future__ import annotations

import ast
import doctest
import importlib.util
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import recpress as rp
from recpress.evaluation.store import PerUser
from recpress.python_api import models, request, steps, suites
from recpress.records.record import Quality

HEAVY = ("torch", "numpy", "pandas", "pydantic", "scipy", "numba", "click")


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> pytest.MonkeyPatch:
    """A cache that the tests of this file share, so that a backbone is trained once."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RECPRESS_CACHE", str(tmp_path_factory.mktemp("cache")))
        patch.chdir(tmp_path_factory.mktemp("here"))
        yield patch


@pytest.fixture(scope="module")
def trained(kept: pytest.MonkeyPatch) -> models.TrainedBackbone:
    return steps.train("synthetic-tiny", "mf")


@pytest.fixture(scope="module")
def small(trained: models.TrainedBackbone) -> models.CompressedModel:
    return steps.compress(trained, "uniform", budget=0.25)


def test_importing_loads_nothing_heavy() -> None:
    code = "import sys, recpress; recpress.__version__, dir(recpress); print(*sys.modules)"
    told = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout.split()
    assert "recpress" in told
    assert not set(told) & set(HEAVY)
    # What Python itself has loaded by then is about 60 modules; ours are one.
    assert [name for name in told if name.startswith("recpress.")] == []


def test_the_stub_names_what_the_package_offers() -> None:
    stub = Path(rp.__file__).with_suffix(".pyi").read_text(encoding="utf-8")
    told = {
        alias.asname: f"{node.module}.{alias.name}"
        for node in ast.parse(stub).body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }
    assert {*told, "__version__"} == set(rp.__all__)
    assert told == {name: f"{module}.{name}" for name, module in rp._MODULE_OF.items()}


@pytest.mark.parametrize("name", [name for name in rp.__all__ if name != "__version__"])
def test_each_name_is_there_and_no_sub_package_takes_its_place(name: str) -> None:
    assert name in dir(rp)
    # Importing a sub-package of that name would put it where the function was.
    assert importlib.util.find_spec(f"recpress.{name}") is None
    assert getattr(rp, name).__doc__


def test_another_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="has no attribute 'nonsense'"):
        _ = rp.nonsense


@pytest.mark.parametrize("module", [models, request, steps, suites], ids=lambda module: module.__name__)
def test_examples_in_docstrings_are_true(module: object, kept: pytest.MonkeyPatch) -> None:
    failed, tried = doctest.testmod(module, optionflags=doctest.NORMALIZE_WHITESPACE)
    assert tried > 0
    assert failed == 0


def test_a_compressed_model_fits_its_budget_and_says_what_it_is(small: models.CompressedModel) -> None:
    fp32 = 4 * 64 * (200 + 300)
    assert small.file_bytes <= fp32 / 4
    assert small.file_bytes == sum(path.stat().st_size for path in small.artefact.iterdir())
    assert repr(small).startswith("CompressedModel('synthetic-tiny', 'mf', 'uniform', '1/4', seed=0, ")


def test_equal_budgets_are_one_model(trained: models.TrainedBackbone, small: models.CompressedModel) -> None:
    assert steps.compress(trained, "uniform", budget="1/4").folder == small.folder


def test_an_evaluation_is_what_a_run_records(small: models.CompressedModel, tmp_path: Path) -> None:
    told = []
    report = suites.run(
        request.run_spec("synthetic-tiny", "mf", "uniform", budget="1/4"), folder=tmp_path, on_result=told.append
    )
    assert told == list(report.results)
    evaluation = steps.evaluate(small)
    assert evaluation.quality == report.results[0].quality
    assert evaluation.size == report.results[0].bytes
    again = suites.run(
        request.run_spec("synthetic-tiny", "mf", "uniform", budget="1/4"), folder=tmp_path, on_result=told.append
    )
    assert (again.already_done, len(told)) == (1, 1)
    assert repr(again) == f"RunReport(1 ok; 1 done before; records in {str(tmp_path)!r})"
    assert again.to_frame()["ndcg20"].tolist() == [evaluation.metrics["ndcg@20"]]


def test_the_backbone_retains_all_of_itself(trained: models.TrainedBackbone) -> None:
    evaluation = steps.evaluate(trained)
    assert evaluation.metrics["ndcg@20"] == trained.metrics["ndcg@20"]
    assert evaluation.retention["ndcg@20"] == 1
    assert evaluation.ratio is None


def _evaluation(values: list[float], split: str = "one") -> models.Evaluation:
    users = np.arange(len(values))
    quality = Quality(
        metrics={"ndcg@20": float(np.mean(values))},
        retention={},
        users=len(values),
        users_left_out=0,
        topk_sha256="0" * 64,
    )
    scored = PerUser(users, {"ndcg@20": np.array(values)}, np.zeros((len(values), 1), np.int32))
    return models.Evaluation("made up", split, quality, None, scored)


def test_compare_pairs_users() -> None:
    values = np.random.default_rng(0).random(500)
    halved = steps.compare(_evaluation(values.tolist()), _evaluation((values / 2).tolist()))
    assert halved.retention == pytest.approx(0.5)
    # Every user loses exactly half: the interval has no width, whatever the users differ.
    assert (halved.low, halved.high) == pytest.approx((0.5, 0.5))
    assert halved.p_value < 0.001


def test_compare_refuses_what_cannot_be_paired() -> None:
    one, zero = _evaluation([0.5, 1.0]), _evaluation([0.0, 0.0])
    with pytest.raises(rp.UserError, match="different splits"):
        steps.compare(one, _evaluation([0.5, 1.0], split="other"))
    with pytest.raises(rp.UserError, match=r"metric 'ndgc@20'.*ndcg@20"):
        steps.compare(one, one, "ndgc@20")
    with pytest.raises(rp.UserError, match="finds nothing"):
        steps.compare(zero, one)


def test_recommendations_leave_out_what_was_seen(small: models.CompressedModel) -> None:
    interactions = steps.load_dataset("synthetic-tiny").interactions
    seen = set(zip(interactions.users.tolist(), interactions.items.tolist(), strict=True))
    found = small.recommend(range(200), k=20)
    ids = small.fitted.users.values, small.fitted.items.values
    dense = [{value: row for row, value in enumerate(side.tolist())} for side in ids]
    pairs = {(dense[0][user], dense[1][item]) for user, item in zip(found["user"], found["item"], strict=True)}
    assert len(pairs) == 200 * 20
    assert not pairs & seen
    assert (found.groupby("user")["score"].diff().dropna() <= 0).all()


def test_ids_are_those_of_the_file(kept: pytest.MonkeyPatch, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    lines = [f"Müller {user},item {item}" for user in range(30) for item in rng.choice(40, 12, replace=False)]
    (tmp_path / "likes.csv").write_text("\n".join(["user,item", *lines]), encoding="utf-8")
    dataset = steps.load_dataset(tmp_path / "likes.csv", user_col="user", item_col="item")
    assert repr(dataset).endswith("30 users, 40 items, 360 interactions)")
    model = steps.compress(steps.train(dataset, "mf"), "uniform", params={"bits": 4})
    assert model.params["bits"] == 4
    found = model.recommend("Müller 3", k=2)
    assert found["user"].tolist() == ["Müller 3"] * 2
    assert all(item.startswith("item ") and f"Müller 3,{item}" not in lines for item in found["item"])
    with pytest.raises(rp.UserError, match=r"Müller 99"):
        model.recommend(["Müller 99"])


def test_an_artefact_alone_has_row_numbers(small: models.CompressedModel) -> None:
    alone = steps.load(small.artefact)
    assert alone.file_bytes == small.file_bytes
    scores = small.fitted.artefact.items.scorer().scores(small.fitted.artefact.users.decode([3]))
    assert alone.recommend(3, k=1)["item"].tolist() == [int(scores.argmax())]
    with pytest.raises(rp.UserError, match="artefact alone"):
        steps.evaluate(alone)


def test_a_model_of_another_checkpoint_is_refused(small: models.CompressedModel, tmp_path: Path) -> None:
    import shutil

    moved = tmp_path / "moved"
    shutil.copytree(small.folder, moved)
    assert steps.evaluate(moved).quality == steps.evaluate(small).quality
    about = json.loads((moved / "fit.json").read_text(encoding="utf-8"))
    for field, reason in (("checkpoint", "another checkpoint"), ("split", "another split")):
        (moved / "fit.json").write_text(json.dumps(about | {field: "0" * 64}), encoding="utf-8")
        with pytest.raises(rp.UserError, match=reason):
            steps.evaluate(moved)


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        ({"budget": "1/4", "params": {"bits": 4}}, "not both"),
        ({"budget": 2.0}, "not a budget"),
        ({"budget": float("nan")}, "not a budget"),
        ({"budget": 0.0001}, "can't reach"),
    ],
)
def test_a_wrong_budget_is_one_sentence(
    trained: models.TrainedBackbone, arguments: dict[str, object], reason: str
) -> None:
    with pytest.raises(rp.UserError, match=reason):
        steps.compress(trained, "uniform", **arguments)


def test_other_mistakes_are_one_sentence(small: models.CompressedModel, tmp_path: Path) -> None:
    with pytest.raises(rp.UserError, match="k is 0"):
        small.recommend(0, k=0)
    with pytest.raises(rp.UserError, match="user_col and item_col"):
        steps.load_dataset("likes.csv")
    with pytest.raises(rp.UserError, match="synthetic-tiny"):
        steps.load_dataset("synthetic-tiny2")
    with pytest.raises(rp.UserError, match="not a fitted folder"):
        steps.load(tmp_path)
    with pytest.raises(rp.UserError, match="holds no records"):
        suites.results(tmp_path / "none")


def test_the_docstring_of_results_names_every_column(tmp_path: Path) -> None:
    (tmp_path / "records").mkdir()
    columns = suites.results(tmp_path).columns
    told = suites.results.__doc__ or ""
    listed = [line.strip().split(", ") for line in told.partition("The columns:")[2].partition("Raises")[0].split("\n")]
    names = [name for line in listed for name in line if name.isidentifier() and name.islower()]
    assert sorted(names) == sorted(columns)
