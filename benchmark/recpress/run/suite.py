"""Suites: named sets of runs, as TOML, and the cells that they stand for."""

from __future__ import annotations

from fractions import Fraction
from itertools import product
from pathlib import Path
from typing import Annotated, Any

from pydantic import AfterValidator, Field

from recpress import registry
from recpress.backbones.catalogue import backbone
from recpress.cards import Card, read_toml
from recpress.errors import UserError, unknown


def parse_budget(text: str) -> float:
    """Return a budget as a fraction of the dense fp32 tables.

    Raises
    ------
    ValueError
        When it isn't a fraction in (0, 1], such as ``1/8`` or ``0.125``.
    """
    try:
        budget = float(Fraction(text))
    except (ValueError, ZeroDivisionError):
        budget = 0.0
    if not 0 < budget <= 1:
        raise ValueError(f"{text!r} is not a budget: write a fraction of the fp32 bytes, such as 1/8")
    return budget


def _checked(text: str) -> str:
    parse_budget(text)
    return text


# Data sets made of a user's file are in the cache and not in the registry.
OWN = "own-"
Budget = Annotated[str, AfterValidator(_checked)]


class MethodRuns(Card):
    """One method in a suite: at which budgets, and with which explicit parameters."""

    name: str
    budgets: tuple[Budget, ...] | None = Field(None, description="Default: the suite's own.")
    params: tuple[dict[str, Any], ...] = Field((), description="Cells with set parameters instead of a budget.")


class Suite(Card):
    """``benchmark/suites/<name>.toml``."""

    title: str
    datasets: tuple[str, ...]
    backbones: tuple[str, ...]
    methods: tuple[MethodRuns, ...]
    budgets: tuple[Budget, ...] = ("1/4", "1/8")
    seeds: tuple[int, ...] = (0,)
    timing_seconds: float = Field(2.0, gt=0, description="Least time per latency scenario.")


class Cell(Card):
    """One run that is asked for: what a user would type to get it."""

    dataset: str
    backbone: str
    method: str
    budget: str | None
    params: dict[str, Any]
    seed: int
    timing_seconds: float

    @property
    def setting(self) -> str:
        """The budget, or the explicit parameters, or "default"."""
        explicit = ",".join(f"{name}={value}" for name, value in sorted(self.params.items()))
        return ",".join(part for part in (self.budget, explicit) if part) or "default"

    @property
    def label(self) -> str:
        """How the cell is called in progress and logs."""
        return f"{self.dataset} {self.backbone} {self.method} {self.setting} seed {self.seed}"

    @property
    def command(self) -> str:
        """The command that runs this cell alone."""
        words = [f"recpress run --dataset {self.dataset} --backbone {self.backbone} --method {self.method}"]
        words += [f"--budget {self.budget}"] if self.budget else []
        words += [f"--param {name}={value}" for name, value in sorted(self.params.items())]
        return " ".join([*words, f"--seed {self.seed}"])


def read_suite(name_or_path: str) -> Suite:
    """Read a suite by its registered name, or from a TOML file.

    Raises
    ------
    UserError
        When there is none, or a field is wrong; the message names file and field.
    """
    known = registry.suites()
    if name_or_path not in known and not name_or_path.endswith(".toml"):
        raise unknown("suite", name_or_path, known, "`recpress list suites` shows them")
    path = known.get(name_or_path, Path(name_or_path))
    try:
        return read_toml(path, Suite)
    except FileNotFoundError as error:
        raise UserError(f"There is no suite file {path}.") from error


def expand(suite: Suite) -> list[Cell]:
    """Return the cells of a suite, grouped so that cells of one backbone follow each other.

    Raises
    ------
    UserError
        When a dataset, backbone or method isn't registered.
    """
    for name in suite.datasets:
        if not name.startswith(OWN):
            registry.dataset_folder(name)
    for name in suite.backbones:
        backbone(name)
    cells = []
    for dataset, trained, seed, runs in product(suite.datasets, suite.backbones, suite.seeds, suite.methods):
        registry.method(runs.name)
        budgets = suite.budgets if runs.budgets is None and not runs.params else runs.budgets or ()
        asked: list[tuple[str | None, dict[str, Any]]] = [(budget, {}) for budget in budgets]
        asked += [(None, params) for params in runs.params]
        cells += [
            Cell(
                dataset=dataset,
                backbone=trained,
                method=runs.name,
                budget=budget,
                params=params,
                seed=seed,
                timing_seconds=suite.timing_seconds,
            )
            for budget, params in asked or [(None, {})]
        ]
    return cells
