"""The search for a config: Optuna over a declared space, on train and valid alone, resumable after a kill."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import optuna
from optuna.pruners import MedianPruner
from optuna.samplers import TPESampler
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend, JournalFileOpenLock
from optuna.trial import FrozenTrial, Trial, TrialState

from recpress.backbones.catalogue import backbone
from recpress.backbones.config import TrainingConfig, TrainingConfigFile, Tuning
from recpress.backbones.spaces import Choice, Space
from recpress.core.errors import UserError
from recpress.core.hashing import sha256_json
from recpress.experiments.worker import Report
from recpress.headline import HEADLINE
from recpress.tuning.validation import Held, Look, TooLongError, described, train

JOURNAL = "study.log"
COUNTED = (TrialState.COMPLETE, TrialState.PRUNED)
# Scorings without a gain after which a training with a constant rate is ended.
PATIENCE = 3
# Trials that run to their end before any is compared with their median.
STARTUP = 5
# What a trial's scorings leave in the journal besides their values: the epochs of the score that counts.
EPOCHS = "epochs"


@dataclass(frozen=True)
class SearchLimits:
    """Limits of a search. Backbones that are compared get the same.

    Attributes
    ----------
    trials : int
        Training configs tried, also those that were stopped early.
    seconds : float or None
        After which no further trial is started.
    trial_seconds : float or None
        CPU seconds of the epochs of one training, without its scorings. One that would take longer begins again with as
        many epochs as fit, so that a schedule is always seen whole.
    """

    trials: int
    seconds: float | None = None
    trial_seconds: float | None = None


def search(
    name: str,
    held: Held,
    base: TrainingConfig,
    limits: SearchLimits,
    seed: int,
    device: str,
    folder: Path,
    report: Report,
) -> list[TrialRow]:
    """Try training configs until a limit is reached, and continue from the trials in the folder.

    Parameters
    ----------
    name : str
        Of the backbone.
    held : Held
    base : TrainingConfig
        What the space leaves open; it is also the first trial, as far as it lies in the space.
    limits : SearchLimits
    seed : int
        Of the trainings and of the sampler.
    device : str
        Of the trainings, as torch names it.
    folder : Path
        Keeps the journal of the study.

    Returns
    -------
    list of TrialRow
        One per trial, in their order.
    """
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    path = str(folder / JOURNAL)
    study = optuna.create_study(
        storage=JournalStorage(JournalFileBackend(path, JournalFileOpenLock(path))),
        study_name=name,
        direction="maximize",
        load_if_exists=True,
        pruner=MedianPruner(n_startup_trials=STARTUP, n_warmup_steps=2),
    )
    for trial in study.get_trials(deepcopy=False, states=(TrialState.RUNNING,)):
        study.tell(trial.number, state=TrialState.FAIL)  # its process was killed
    if not study.trials:
        study.enqueue_trial(within(base, backbone(name).space))
    deadline = time.monotonic() + (limits.seconds or float("inf"))
    while (done := len(study.get_trials(deepcopy=False, states=COUNTED))) < limits.trials:
        if time.monotonic() >= deadline:
            break
        # A new sampler each time: a study that goes on after a kill draws as one that was never stopped.
        study.sampler = TPESampler(seed=seed * 100_003 + done, n_startup_trials=STARTUP)
        report.send(done / limits.trials)
        study.optimize(lambda trial: objective(trial, name, held, base, limits, seed, device, report), n_trials=1)
    return [row(trial) for trial in study.get_trials(deepcopy=False, states=COUNTED)]


def objective(
    trial: Trial,
    name: str,
    held: Held,
    base: TrainingConfig,
    limits: SearchLimits,
    seed: int,
    device: str,
    report: Report,
) -> float:
    """Train one config, with as many of its epochs as fit into the time, and return its score on valid."""

    def score_of(config: TrainingConfig, allowed: float | None) -> float:
        scored: list[float] = []

        def on_look(look: Look) -> bool:
            value = look.scores[HEADLINE]
            scored.append(value)
            best = max(range(len(scored)), key=scored.__getitem__)
            if config.decay == "cosine" or best == len(scored) - 1:
                trial.set_user_attr(EPOCHS, look.epoch)
            report.note(f"trial {trial.number + 1} of {limits.trials}: {described(look, config)}")
            trial.report(value, len(scored))
            if trial.should_prune():
                raise optuna.TrialPruned
            return config.decay == "constant" and len(scored) - 1 - best >= PATIENCE

        try:
            train(name, held, config, seed, on_look, device, allowed)
        except FloatingPointError as error:
            raise optuna.TrialPruned from error
        return max(scored) if config.decay == "constant" else scored[-1]

    config = settled(base, suggest(trial, backbone(name).space), backbone(name).space)
    try:
        return score_of(config, limits.trial_seconds)
    except TooLongError as long:
        if not long.epochs:
            raise optuna.TrialPruned from long
        return score_of(config.model_copy(update={"epochs": long.epochs}), None)


def suggest(trial: Trial, space: Space) -> dict[str, Any]:
    """Let a trial choose a point of a space: fields of the config."""
    chosen: dict[str, Any] = {}
    for each in space:
        if each.given and chosen[each.given[0]] != each.given[1]:
            continue
        if isinstance(each.domain, Choice):
            chosen[each.name] = trial.suggest_categorical(each.name, each.domain.values)
        else:
            # Four digits: what the config file shows is what was tried.
            value = trial.suggest_float(each.name, each.domain.low, each.domain.high, log=each.domain.log)
            chosen[each.name] = float(f"{value:.4g}")
    return chosen


def settled(base: TrainingConfig, params: dict[str, Any], space: Space) -> TrainingConfig:
    """Return a config with the fields chosen; fields of the space that were not searched have their plain defaults."""
    plain = {each.name: TrainingConfig.model_fields[each.name].default for each in space if each.given}
    return TrainingConfig.model_validate(base.model_dump() | plain | params)


def within(config: TrainingConfig, space: Space) -> dict[str, Any]:
    """Return a config's values of the fields of a space, where they lie in it."""
    return {each.name: value for each in space if each.domain.holds(value := getattr(config, each.name))}


@dataclass(frozen=True)
class TrialRow:
    """One trial.

    Attributes
    ----------
    params : dict
        Fields of the config.
    value : float
        Score on valid: the best where the rate is constant, since training would end there; else the last.
    epochs : int
        Those after which the score was reached; 0 where the trial was stopped, which can't be chosen: it lost against
        the median of the others, diverged, or one epoch would have taken too long.
    """

    params: dict[str, Any]
    value: float
    epochs: int


def row(trial: FrozenTrial) -> TrialRow:
    """Return what a finished trial tells."""
    params = {
        name: float(f"{value:.4g}") if isinstance(value, float) else value for name, value in trial.params.items()
    }
    params.pop("epochs", None)
    values = trial.intermediate_values
    complete = trial.state == TrialState.COMPLETE
    value = trial.value if complete else max(values.values(), default=0.0)
    return TrialRow(params, round(float(value or 0.0), 4), trial.user_attrs[EPOCHS] if complete else 0)


def chosen(
    base: TrainingConfig, space: Space, rows: list[TrialRow], limits: SearchLimits, note: str
) -> TrainingConfigFile:
    """Return the config of the best complete trial, the earliest of equals, with the log of all.

    Raises
    ------
    UserError
        When every trial was stopped early.
    """
    complete = [each for each in rows if each.epochs]
    if not complete:
        raise UserError("No trial came to an end, so none can be chosen: raise --trial-seconds or --trials.")
    best = max(complete, key=lambda each: each.value)
    config = settled(base, best.params | {"epochs": best.epochs}, space)
    log = tuple((each.params, each.value, each.epochs) for each in rows)
    return TrainingConfigFile(
        config=config,
        tuning=Tuning(
            trials=len(rows), metric=HEADLINE, value=best.value, trial_seconds=limits.trial_seconds, note=note, log=log
        ),
    )


def toml(file: TrainingConfigFile) -> str:
    """Return a config file as TOML: what differs from a config's defaults, and one line per trial."""
    config = {"dim": file.config.dim} | file.config.model_dump(exclude_defaults=True)
    tuning = file.tuning.model_dump(exclude={"log"}, exclude_none=True)
    lines = ["[config]", *_fields(config), "", "[tuning]", *_fields(tuning), "log = ["]
    for params, value, epochs in file.tuning.log:
        lines.append(f"  [{{ {', '.join(_fields(params))} }}, {value}, {epochs}],")
    return "\n".join([*lines, "]", ""])


def _fields(values: dict[str, Any]) -> list[str]:
    # Strings, numbers and truth values are written alike in JSON and TOML.
    return [f"{name} = {json.dumps(value)}" for name, value in values.items()]


def key(name: str, split: str, base: TrainingConfig, limits: SearchLimits, seed: int, device: str) -> str:
    """Return the hash of all that decides the trials but their number: a study goes on only where it is the same."""
    space = [[each.name, repr(each.domain), each.given] for each in backbone(name).space]
    where = [] if device == "cpu" else [device]
    # What the limit does is part of it: trials that were given up don't mix with such as were shortened.
    limit = [limits.trial_seconds, "shortened to fit"]
    return sha256_json([name, split, base.model_dump(), *limit, seed, space, *where])
