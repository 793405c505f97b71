"""The search for training configs: on valid alone, reproducible, resumable; what it writes is what was tried."""

from __future__ import annotations

import dataclasses
import itertools
import json
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import optuna
import pytest
from click.testing import CliRunner

from recpress.backbones.catalogue import backbone, backbones
from recpress.backbones.config import TrainingConfig, TrainingConfigFile, read_training_config
from recpress.backbones.spaces import Choice, Dimension, Range
from recpress.cli import cli as cli_group
from recpress.core.cards import read_toml
from recpress.core.errors import UserError
from recpress.data import load, splits
from recpress.data.card import SplitSpec, Synthetic
from recpress.data.graph import Graph
from recpress.data.splits import Split
from recpress.data.synthetic import generate
from recpress.experiments.identity import PlannedRun
from recpress.experiments.plan import make
from recpress.experiments.suite import RunSpec
from recpress.tuning import study, validation
from recpress.tuning.study import SearchLimits, TrialRow, chosen, search, settled, toml, within
from recpress.tuning.training import train as train_cell
from recpress.tuning.validation import LOOKS, Held, Look, train


class Silent:
    """A reporter that nobody listens to."""

    def send(self, share: float, /) -> None:
        """Take a share."""

    def note(self, text: str, /) -> None:
        """Take a line."""


# Learns by heart within its epochs.
BASE = TrainingConfig(dim=8, loss="bpr", learning_rate=0.05, epochs=80, batch_size=2048, regularisation=1e-6)
SPACE = backbone("mf").space


@pytest.fixture(scope="module")
def split() -> Split:
    made = generate(Synthetic(users=120, items=90, interactions=2500, seed=1))
    return splits.make(made, SplitSpec(protocol="random-per-user", valid=0.1, test=0.1))


@pytest.fixture(scope="module")
def held(split: Split) -> Held:
    return Held(Graph(split.train), split.valid)


def run(held: Held, trials: int, folder: Path, **limits: Any) -> list[TrialRow]:
    folder.mkdir(exist_ok=True)
    return search("mf", held, BASE, SearchLimits(trials, **limits), 0, "cpu", folder, Silent())


@pytest.mark.usefixtures("cache")
def test_what_a_search_gets_is_train_and_valid() -> None:
    dataset = load("synthetic-tiny")
    held = Held.out_of(dataset)
    assert [field.name for field in dataclasses.fields(Held)] == ["graph", "valid"]
    assert held.graph.user_items.sha256() == dataset.split.hashes["train"]
    assert held.valid.sha256() == dataset.split.hashes["valid"]


def test_a_search_that_is_killed_goes_on_as_if_it_had_not_been(held: Held, tmp_path: Path) -> None:
    whole = run(held, 3, tmp_path / "whole")
    first = run(held, 2, tmp_path / "parts")
    # What a kill leaves: a trial that is still running.
    study_in(tmp_path / "parts").ask()
    second = run(held, 3, tmp_path / "parts")
    assert len(whole) == len(second) == 3
    assert second == whole
    assert second[:2] == first


def test_the_chosen_config_scores_what_the_log_says(held: Held, tmp_path: Path) -> None:
    rows = run(held, 3, tmp_path / "study")
    file = chosen(BASE, SPACE, rows, SearchLimits(3), "")
    assert file.tuning.value == max(row.value for row in rows if row.epochs)
    seen: list[Look] = []
    train("mf", held, file.config, 0, seen.append)
    assert seen[-1].epoch == file.config.epochs
    assert round(seen[-1].scores["ndcg@20"], 4) == file.tuning.value
    assert rows[0].params["learning_rate"] == BASE.learning_rate


def test_with_a_constant_rate_training_ends_when_valid_has_not_gained_for_a_while(held: Held, tmp_path: Path) -> None:
    rows = run(held, 2, tmp_path / "study")
    ended_early = 0
    for trial, row in zip(study_in(tmp_path / "study").trials, rows, strict=True):
        if row.epochs and trial.params["decay"] == "constant":
            values = list(trial.intermediate_values.values())
            best = values.index(max(values))
            every = trial.params["epochs"] // LOOKS
            assert row.epochs == (best + 1) * every
            assert len(values) == min(LOOKS, best + 1 + study.PATIENCE)
            ended_early += len(values) < LOOKS
    assert ended_early


def study_in(folder: Path) -> optuna.Study:
    journal = optuna.storages.journal.JournalFileBackend(str(folder / study.JOURNAL))
    return optuna.load_study(study_name="mf", storage=optuna.storages.JournalStorage(journal))


def test_a_schedule_that_takes_too_long_is_shortened_to_fit(
    held: Held, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = itertools.count()
    monkeypatch.setattr(validation.time, "process_time", lambda: float(next(clock)))
    with pytest.raises(validation.TooLongError) as caught:  # an epoch takes one tick
        train("mf", held, BASE, 0, lambda look: None, allowed=12.5)
    assert caught.value.epochs == 12
    train("mf", held, BASE.model_copy(update={"epochs": 12}), 0, lambda look: None, allowed=12.5)
    rows = run(held, 2, tmp_path / "study", trial_seconds=12.5)
    assert all(1 <= row.epochs <= 12 for row in rows)
    # Its end is that of a training of twelve epochs, whatever was tried before.
    file = chosen(BASE, SPACE, rows, SearchLimits(2), "")
    seen: list[Look] = []
    train("mf", held, file.config, 0, seen.append)
    assert round(seen[-1].scores["ndcg@20"], 4) == file.tuning.value


def test_a_trial_of_which_no_epoch_fits_is_never_chosen(held: Held, tmp_path: Path) -> None:
    rows = run(held, 2, tmp_path / "study", trial_seconds=1e-9)
    assert [row.epochs for row in rows] == [0, 0]
    with pytest.raises(UserError, match="--trial-seconds"):
        chosen(BASE, SPACE, rows, SearchLimits(2), "")
    kept = chosen(BASE, SPACE, [*rows, TrialRow({"loss": "bpr"}, 0.01, 7)], SearchLimits(3), "")
    assert (kept.config.epochs, kept.tuning.value, kept.tuning.trials) == (7, 0.01, 3)


def test_a_config_file_reads_back_as_it_was(tmp_path: Path) -> None:
    rows = [
        TrialRow({"loss": "softmax", "temperature": 0.07123, "learning_rate": 1e-05}, 0.1234, 40),
        TrialRow({"loss": "bpr", "batch_size": 2048}, 0.12, 0),
    ]
    file = chosen(BASE, SPACE, rows, SearchLimits(2, trial_seconds=15.0), 'said "so"')
    (tmp_path / "file.toml").write_text(toml(file))
    assert read_toml(tmp_path / "file.toml", TrainingConfigFile) == file


def corners(each: Dimension) -> tuple[Any, ...]:
    return each.domain.values if isinstance(each.domain, Choice) else (each.domain.low, each.domain.high)


@pytest.mark.parametrize("name", backbones())
def test_every_backbone_has_a_space_of_fields_that_its_config_takes(name: str) -> None:
    space = backbone(name).space
    names = [each.name for each in space]
    assert len(set(names)) == len(names)
    assert not {"dim", "precision"} & set(names)
    base = read_training_config("default", name).config
    for each in space:
        assert each.given is None or each.given[0] in names[: names.index(each.name)]
        for value in corners(each):
            assert getattr(settled(base, {each.name: value}, space), each.name) == value
            assert each.domain.holds(value)
    assert within(base, space)["learning_rate"] == base.learning_rate
    assert not Range(1.0, 2.0).holds(2.5)


def test_what_is_not_searched_in_a_trial_has_its_plain_default() -> None:
    base = TrainingConfig(loss="softmax", negatives=256, temperature=0.3)
    assert settled(base, {"loss": "bpr"}, SPACE).negatives == 1
    assert settled(base, {"loss": "softmax", "negatives": 64}, SPACE).negatives == 64


def planned(dataset: str, backbone: str) -> PlannedRun:
    spec = RunSpec(
        dataset=dataset, backbone=backbone, method="none", budget=None, params={}, seed=0, timing_seconds=1.0
    )
    return make([spec])[0]


def cli(*words: str) -> str:
    done = CliRunner().invoke(cli_group, words, catch_exceptions=False)
    assert done.exit_code == 0
    return done.stdout


def test_tune_then_train_from_the_command_line(cache: Path, tmp_path: Path) -> None:
    said = cli("tune", "--dataset", "synthetic-tiny", "--backbone", "mf", "--trials", "1", "--out", str(tmp_path))
    file = read_toml(tmp_path / "synthetic-tiny" / "mf.toml", TrainingConfigFile)
    assert f"{file.tuning.value:.4f}" in said
    assert len(file.tuning.log) == file.tuning.trials == 1
    words = ["train", "--dataset", "synthetic-tiny", "--backbone", "mf", "--format", "json"]
    first, again = (json.loads(cli(*words)) for _ in range(2))
    assert not first["cached"]
    assert again["cached"]
    assert first["figures"] == again["figures"]
    if find_spec("codecarbon"):
        assert {(each["grade"], each["what"]) for each in first["energy"]} >= {("modelled", "training")}
        assert all(each["joules"] > 0 for each in first["energy"])
        assert again["energy"] == first["energy"]
    assert set(first["figures"]) == {"test"}
    assert Path(first["folder"]).parent == cache / "backbones"
    assert not list((cache / "backbones").glob("*.unfinished"))
    shares: list[float] = []
    heard: list[str] = []
    followed = train_cell(planned("synthetic-tiny", "mf"), None, "cpu", True, shares.append, heard.append)
    assert set(followed.figures) == {"valid"}
    assert followed.folder is None
    assert shares[-1] == 1
    assert heard[-1].endswith(f"valid ndcg@20 {followed.figures['valid']['ndcg@20']:.4f}")
    with pytest.raises(UserError, match="no published split"):
        cli(*words, "--protocol", "paper")
