"""Suites: named sets of runs as TOML, and the specs of those runs."""

from __future__ import annotations

import json
import shlex
from fnmatch import fnmatchcase
from functools import cache
from itertools import product
from pathlib import Path
from typing import Annotated, Any

from pydantic import BeforeValidator, Field, PlainSerializer

from recpress import registry
from recpress.backbones.catalogue import backbone
from recpress.core.budget import Budget
from recpress.core.cards import Card, read_toml
from recpress.core.errors import UserError, unknown
from recpress.core.lines import line_of
from recpress.measure.profile import TimingProfile

# Data sets made of a user's file are in the cache and not in the registry.
OWN = "own-"
# As text in a file or an option; parsed here, once.
WrittenBudget = Annotated[
    Budget,
    BeforeValidator(lambda value: value if isinstance(value, Budget) else Budget.parse(value)),
    PlainSerializer(str),
]
Seed = Annotated[int, Field(ge=0, lt=2**63)]
# What a variant shows otherwise than JSON writes it: typed as the board has it, it is the same run.
SHOWN = {"True": True, "False": False, "None": None}
# Of a record's file name there is room for this much.
LONGEST_VARIANT = 160


class MethodRuns(Card):
    """One method in a suite: at which budgets, and with which explicit parameters."""

    name: str
    budgets: tuple[WrittenBudget, ...] | None = Field(None, description="Default: the suite's own.")
    params: tuple[dict[str, Any], ...] = Field((), description="Runs with fixed parameters instead of a budget.")


class Override(Card):
    """Per-dataset overrides."""

    dataset: str
    backbones: tuple[str, ...] | None = None
    budgets: tuple[WrittenBudget, ...] | None = Field(None, description="For methods without budgets of their own.")
    seeds: tuple[Seed, ...] | None = None
    timing_seconds: float | None = Field(None, ge=0)


Patterns = Annotated[tuple[str, ...], BeforeValidator(lambda value: (value,) if isinstance(value, str) else value)]


class Match(Card):
    """Runs that have all of these; each is a pattern (``amazon-*``), or a list of which one is enough."""

    dataset: Patterns = ("*",)
    backbone: Patterns = ("*",)
    method: Patterns = ("*",)
    division: Patterns = Field(("*",), description="Of the method: closed, open or reference.")
    variant: Patterns = Field(("*",), description="A budget ('1/8'), or parameters ('bits=4').")
    seed: Patterns = ("*",)

    def fits(self, spec: RunSpec) -> bool:
        """Return whether a run matches."""
        return all(
            any(fnmatchcase(str(getattr(spec, name)), pattern) for pattern in getattr(self, name))
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
    budgets: tuple[WrittenBudget, ...] = (Budget.parse("1/4"), Budget.parse("1/8"))
    seeds: tuple[Seed, ...] = (0,)
    timing_seconds: float = Field(2.0, ge=0, description="Least time per latency scenario, where runs are timed.")
    overrides: tuple[Override, ...] = ()
    include: tuple[Extra, ...] = ()
    exclude: tuple[Match, ...] = ()


class RunSpec(Card):
    """One run that is asked for: what a user would type to get it."""

    dataset: str
    backbone: str
    method: str
    budget: WrittenBudget | None
    params: dict[str, Any]
    seed: int
    timing_seconds: float

    @property
    def variant(self) -> str:
        """The budget, or the explicit parameters, or "default"."""
        explicit = ",".join(f"{name}={value}" for name, value in sorted(self.params.items()))
        return ",".join(part for part in (str(self.budget or ""), explicit) if part) or "default"

    @property
    def timing(self) -> TimingProfile:
        """What is timed of it."""
        return TimingProfile(self.timing_seconds)

    @property
    def division(self) -> str:
        """The division of the method."""
        return _division(self.method)

    @property
    def label(self) -> str:
        """How the run is called in progress and logs."""
        return f"{self.dataset} {self.backbone} {self.method} {self.variant} seed {self.seed}"

    @property
    def command(self) -> str:
        """The command that makes this run alone."""
        words = ["recpress", "run", "--dataset", self.dataset, "--backbone", self.backbone, "--method", self.method]
        words += ["--budget", str(self.budget)] if self.budget else []
        for name, value in sorted(self.params.items()):
            words += ["--param", f"{name}={_as_typed(value)}"]
        words += ["--seed", str(self.seed)]
        return shlex.join([*words, *(["--timing-seconds", f"{self.timing_seconds:g}"] if self.timing_seconds else [])])


@cache
def _division(method: str) -> str:
    return registry.method(method).card.division


def spec_of_command(command: str) -> RunSpec:
    """Return the spec whose `RunSpec.command` this is.

    Raises
    ------
    ValueError
        When it is the command of no single run.
    """
    _, verb, *words = shlex.split(command)
    options = list(zip(words[::2], words[1::2], strict=False))
    one = {name: value for name, value in options if name != "--param"}
    if verb != "run" or not {"--dataset", "--backbone", "--method", "--seed"} <= one.keys():
        raise ValueError(f"{command!r} is no single run")
    params = [value.partition("=") for name, value in options if name == "--param"]
    return RunSpec(
        dataset=one["--dataset"],
        backbone=one["--backbone"],
        method=one["--method"],
        budget=one.get("--budget"),
        params={name: parse_value(value) for name, _, value in params},
        seed=int(one["--seed"]),
        timing_seconds=float(one.get("--timing-seconds", 0)),
    )


def parse_value(text: str) -> Any:
    """Return a parameter as typed on the command line: JSON, or as `RunSpec.variant` shows it; else it is text."""
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
    specs = expand(suite.model_copy(update={"exclude": (), "include": ()}))
    for number, match in enumerate(suite.exclude):
        for name, patterns in match.model_dump(exclude_unset=True).items():
            for pattern in patterns:
                one = match.model_copy(update={name: (pattern,)})
                if not any(one.fits(spec) for spec in specs):
                    line = line_of(path.read_text(encoding="utf-8"), ("exclude", number))
                    raise UserError(f"{path}: line {line}, exclude.{number} leaves out no run with {name} {pattern!r}.")


def expand(suite: Suite) -> list[RunSpec]:
    """Return the specs of a suite's runs, grouped so that those of one backbone follow each other.

    Raises
    ------
    UserError
        When a dataset, backbone or method isn't registered, or two runs would have the same record.
    """
    for name in dict.fromkeys([*suite.datasets, *(each.dataset for each in suite.include)]):
        if not name.startswith(OWN):
            registry.dataset_folder(name)
    for name in dict.fromkeys([runs.name for runs in (*suite.methods, *suite.include)]):
        registry.method(name)
    overrides = {
        each.dataset: {name: value for name, value in each if name != "dataset" and value is not None}
        for each in suite.overrides
    }
    specs = []
    for dataset in suite.datasets:
        here = suite.model_copy(update=overrides.get(dataset, {}))
        for trained, seed, runs in product(here.backbones, here.seeds, here.methods):
            specs += _specs(here, dataset, trained, seed, runs)
    specs = [spec for spec in specs if not any(match.fits(spec) for match in suite.exclude)]
    for extra in suite.include:
        here = suite.model_copy(update=overrides.get(extra.dataset, {}))
        for seed in extra.seeds or here.seeds:
            specs += _specs(here, extra.dataset, extra.backbone, seed, extra)
    for name in dict.fromkeys(spec.backbone for spec in specs):
        backbone(name)
    return _distinct(specs)


def _specs(suite: Suite, dataset: str, trained: str, seed: int, runs: MethodRuns) -> list[RunSpec]:
    budgets = suite.budgets if runs.budgets is None and not runs.params else runs.budgets or ()
    points: list[tuple[Budget | None, dict[str, Any]]] = [(budget, {}) for budget in budgets]
    points += [(None, params) for params in runs.params]
    return [
        RunSpec(
            dataset=dataset,
            backbone=trained,
            method=runs.name,
            budget=budget,
            params=params,
            seed=seed,
            timing_seconds=suite.timing_seconds,
        )
        for budget, params in points or [(None, {})]
    ]


def _distinct(specs: list[RunSpec]) -> list[RunSpec]:
    """Return each spec once; what can't be the name of a record is refused."""
    found: dict[tuple[str, str, str, str, int], RunSpec] = {}
    for spec in specs:
        if len(spec.variant) > LONGEST_VARIANT or not spec.variant.isprintable():
            raise UserError(
                f"The parameters of {spec.method} on {spec.dataset} take {len(spec.variant)} characters "
                f"({spec.variant[:40]!r}…): at most {LONGEST_VARIANT} printable ones can name a record."
            )
        key = (spec.dataset, spec.backbone, spec.method, spec.variant, spec.seed)
        earlier = found.setdefault(key, spec)
        if earlier != spec:
            raise UserError(f"{spec.label} is in the suite twice, with parameters that are written alike.")
    return list(found.values())
