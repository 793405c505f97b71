"""Suites: named sets of runs, as TOML, and the cells that they stand for."""

from __future__ import annotations

import json
import shlex
from fnmatch import fnmatchcase
from fractions import Fraction
from functools import cache
from itertools import product
from pathlib import Path
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, Field

from recpress import registry
from recpress.backbones.catalogue import backbone
from recpress.cards import Card, read_toml
from recpress.errors import UserError, unknown
from recpress.lines import line_of


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
Seed = Annotated[int, Field(ge=0, lt=2**63)]
# What a setting shows otherwise than JSON writes it: typed as the board has it, it is the same cell.
SHOWN = {"True": True, "False": False, "None": None}
# Of a record's file name there is room for this much.
LONGEST_SETTING = 160


class MethodRuns(Card):
    """One method in a suite: at which budgets, and with which explicit parameters."""

    name: str
    budgets: tuple[Budget, ...] | None = Field(None, description="Default: the suite's own.")
    params: tuple[dict[str, Any], ...] = Field((), description="Runs with fixed parameters instead of a budget.")


class Override(Card):
    """Per-dataset overrides."""

    dataset: str
    backbones: tuple[str, ...] | None = None
    budgets: tuple[Budget, ...] | None = Field(None, description="For methods without budgets of their own.")
    seeds: tuple[Seed, ...] | None = None
    timing_seconds: float | None = Field(None, ge=0)


Patterns = Annotated[tuple[str, ...], BeforeValidator(lambda value: (value,) if isinstance(value, str) else value)]


class Match(Card):
    """Cells that have all of these; each is a pattern (``amazon-*``), or a list of which one is enough."""

    dataset: Patterns = ("*",)
    backbone: Patterns = ("*",)
    method: Patterns = ("*",)
    division: Patterns = Field(("*",), description="Of the method: closed, open or reference.")
    setting: Patterns = Field(("*",), description="A budget ('1/8'), or parameters ('bits=4').")
    seed: Patterns = ("*",)

    def fits(self, cell: Cell) -> bool:
        """Return whether a cell is meant."""
        return all(
            any(fnmatchcase(str(getattr(cell, name)), pattern) for pattern in getattr(self, name))
            for name in Match.model_fields
        )


class Extra(MethodRuns):
    """Runs of one method beside those that every data set and backbone gets."""

    dataset: str
    backbone: str
    seeds: tuple[Seed, ...] | None = Field(None, description="Default: the suite's own.")


class Suite(Card):
    """``benchmark/suites/<name>.toml``."""

    title: str
    datasets: tuple[str, ...]
    backbones: tuple[str, ...]
    methods: tuple[MethodRuns, ...]
    budgets: tuple[Budget, ...] = ("1/4", "1/8")
    seeds: tuple[Seed, ...] = (0,)
    timing_seconds: float = Field(2.0, ge=0, description="Least time per latency scenario, where runs are timed.")
    overrides: tuple[Override, ...] = ()
    include: tuple[Extra, ...] = ()
    exclude: tuple[Match, ...] = ()


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
    def division(self) -> str:
        """The division of the method."""
        return _division(self.method)

    @property
    def label(self) -> str:
        """How the cell is called in progress and logs."""
        return f"{self.dataset} {self.backbone} {self.method} {self.setting} seed {self.seed}"

    @property
    def command(self) -> str:
        """The command that runs this cell alone."""
        words = ["recpress", "run", "--dataset", self.dataset, "--backbone", self.backbone, "--method", self.method]
        words += ["--budget", self.budget] if self.budget else []
        for name, value in sorted(self.params.items()):
            words += ["--param", f"{name}={_as_typed(value)}"]
        words += ["--seed", str(self.seed)]
        return shlex.join([*words, *(["--timing-seconds", f"{self.timing_seconds:g}"] if self.timing_seconds else [])])


@cache
def _division(method: str) -> str:
    return registry.method(method).card.division


def cell_of_command(command: str) -> Cell:
    """Return the cell whose `Cell.command` this is.

    Raises
    ------
    ValueError
        When it is the command of no single cell.
    """
    _, verb, *words = shlex.split(command)
    options = list(zip(words[::2], words[1::2], strict=False))
    one = {name: value for name, value in options if name != "--param"}
    if verb != "run" or not {"--dataset", "--backbone", "--method", "--seed"} <= one.keys():
        raise ValueError(f"{command!r} runs no single cell")
    params = [value.partition("=") for name, value in options if name == "--param"]
    return Cell(
        dataset=one["--dataset"],
        backbone=one["--backbone"],
        method=one["--method"],
        budget=one.get("--budget"),
        params={name: parse_value(value) for name, _, value in params},
        seed=int(one["--seed"]),
        timing_seconds=float(one.get("--timing-seconds", 0)),
    )


def parse_value(text: str) -> Any:
    """Return a parameter as typed on the command line: JSON, or as `Cell.setting` shows it; else it is text."""
    if text in SHOWN:
        return SHOWN[text]
    try:
        return json.loads(text)
    except json.JSONDecodeError:
        return text


def _as_typed(value: Any) -> str:
    """Return how a parameter is typed on the command line; see `parse_value`."""
    return value if isinstance(value, str) and parse_value(value) == value else json.dumps(value)


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
        suite = read_toml(path, Suite)
    except FileNotFoundError as error:
        raise UserError(f"There is no suite file {path}.") from error
    _check_matches(path, suite)
    return suite


def _check_matches(path: Path, suite: Suite) -> None:
    """Refuse what has no effect: it is a typing mistake."""
    strangers = [each.dataset for each in suite.overrides if each.dataset not in suite.datasets]
    if strangers:
        raise UserError(f"{path}: overrides.dataset {strangers[0]!r} is none of the suite's datasets.")
    cells = expand(suite.model_copy(update={"exclude": (), "include": ()}))
    for number, match in enumerate(suite.exclude):
        for name, patterns in match.model_dump(exclude_unset=True).items():
            for pattern in patterns:
                one = match.model_copy(update={name: (pattern,)})
                if not any(one.fits(cell) for cell in cells):
                    line = line_of(path.read_text(encoding="utf-8"), ("exclude", number))
                    raise UserError(
                        f"{path}: line {line}, exclude.{number} leaves out no cell with {name} {pattern!r}."
                    )


def expand(suite: Suite) -> list[Cell]:
    """Return the cells of a suite, grouped so that cells of one backbone follow each other.

    Raises
    ------
    UserError
        When a dataset, backbone or method isn't registered, or two cells would have the same record.
    """
    for name in dict.fromkeys([*suite.datasets, *(each.dataset for each in suite.include)]):
        if not name.startswith(OWN):
            registry.dataset_folder(name)
    for name in dict.fromkeys([runs.name for runs in (*suite.methods, *suite.include)]):
        registry.method(name)
    overrides = {each.dataset: each.model_dump(exclude={"dataset"}, exclude_none=True) for each in suite.overrides}
    cells = []
    for dataset in suite.datasets:
        here = suite.model_copy(update=overrides.get(dataset, {}))
        for trained, seed, runs in product(here.backbones, here.seeds, here.methods):
            cells += _cells(here, dataset, trained, seed, runs)
    cells = [cell for cell in cells if not any(match.fits(cell) for match in suite.exclude)]
    for extra in suite.include:
        here = suite.model_copy(update=overrides.get(extra.dataset, {}))
        for seed in extra.seeds or here.seeds:
            cells += _cells(here, extra.dataset, extra.backbone, seed, extra)
    for name in dict.fromkeys(cell.backbone for cell in cells):
        backbone(name)
    return _distinct(cells)


def _cells(suite: Suite, dataset: str, trained: str, seed: int, runs: MethodRuns) -> list[Cell]:
    budgets = suite.budgets if runs.budgets is None and not runs.params else runs.budgets or ()
    asked: list[tuple[str | None, dict[str, Any]]] = [(budget, {}) for budget in budgets]
    asked += [(None, params) for params in runs.params]
    return [
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


def _distinct(cells: list[Cell]) -> list[Cell]:
    """Return each cell once; what can't be the name of a record is refused."""
    found: dict[tuple[str, str, str, str, int], Cell] = {}
    for cell in cells:
        if len(cell.setting) > LONGEST_SETTING or not cell.setting.isprintable():
            raise UserError(
                f"The parameters of {cell.method} on {cell.dataset} take {len(cell.setting)} characters "
                f"({cell.setting[:40]!r}…): at most {LONGEST_SETTING} printable ones can name a record."
            )
        key = (cell.dataset, cell.backbone, cell.method, cell.setting, cell.seed)
        earlier = found.setdefault(key, cell)
        if earlier != cell:
            raise UserError(f"{cell.label} is in the suite twice, with parameters that are written alike.")
    return list(found.values())
