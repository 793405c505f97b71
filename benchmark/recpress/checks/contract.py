"""Checks of what a method's code does, made in the process that has imported it."""

from __future__ import annotations

import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from types import ModuleType
from typing import Any

import annotated_types
import numpy as np
import torch
from pydantic import ValidationError

from recpress import registry
from recpress.api import BudgetUnreachable, Method, Params, Shape, Task, make_generator, method_class
from recpress.backbones import checkpoint
from recpress.backbones.base import Backbone
from recpress.checks.summary import CheckResult, check_result
from recpress.codecs import KINDS, NETWORKS
from recpress.codecs.artefact import Artefact
from recpress.core.budget import Budget
from recpress.core.hashing import sha256_folder
from recpress.data.graph import Graph
from recpress.experiments.worker import Report
from recpress.isolation.side_effects import Seen, company, global_seed, observed, reseeded, some
from recpress.measure.sizes import file_bytes
from recpress.registry import NAMESPACE, MethodEntry
from recpress.serve.recommender import Recommender

K = 20
BUDGETS = tuple(Budget.parse(f"1/{2**power}") for power in range(1, 6))
# Far above the slowest registered method, which takes 0.1 s when its libraries are there.
LONGEST_IMPORT = 3.0
# Two states of the global generators that no method has reason to set.
SEEDS = (271_828, 314_159)


@dataclass(frozen=True)
class Checked:
    """An artefact, its hash when saved, and whether the backbone was as before when it was made."""

    artefact: Artefact
    sha256: str
    backbone_unchanged: bool


@dataclass(frozen=True)
class Contracted:
    """The subject of the checks."""

    entry: MethodEntry
    method: Method[Any]
    graph: Graph
    backbone: Backbone
    seed: int
    known: frozenset[str]
    # What was seen each time that `made` compressed, whatever came of it.
    seen: list[Seen] = field(default_factory=list)
    # Kinds of codecs and networks of all that was compressed: with default parameters, and at the budgets.
    used: set[str] = field(default_factory=set)

    @property
    def shape(self) -> Shape:
        """Sizes of the tables."""
        return Shape.of(self.graph, self.backbone)

    def compress(self, params: Params) -> Artefact:
        """Compress with these parameters."""
        task = Task(self.graph, self.backbone, params, self.seed, make_generator(self.seed), lambda share: None)
        made = self.method.compress(task)
        if not isinstance(made, Artefact):
            raise TypeError(f"it returned {type(made).__name__}")
        self.used.update(made.kinds())
        return made

    @cached_property
    def compressed(self) -> tuple[Checked, ...]:
        """What comes of compressing twice with default parameters, under either state of the global generators."""
        return tuple(self._made(seed) for seed in SEEDS)

    def _made(self, state: int) -> Checked:
        before = self.backbone.sha256()
        with global_seed(state), observed() as seen:
            self.seen.append(seen)
            artefact = self.compress(self.method.Params())
            seen.settings += reseeded(state)
        with tempfile.TemporaryDirectory(prefix="recpress-check-") as folder:
            Artefact.save(artefact, Path(folder))
            made = sha256_folder(Path(folder))
        return Checked(artefact, made, self.backbone.sha256() == before)

    @property
    def artefact(self) -> Artefact:
        """The artefact of default parameters."""
        return self.compressed[0].artefact


def _params_documented(subject: Contracted) -> str | None:
    fields = type(subject.method).Params.model_fields
    if required := [name for name, each in fields.items() if each.is_required()]:
        return f"{', '.join(required)} has no default"
    subject.method.Params()
    silent = [name for name, each in fields.items() if not each.description]
    return f"{', '.join(silent)} has no description" if silent else None


def _params_ranged(subject: Contracted) -> str | None:
    bounds = (annotated_types.Ge, annotated_types.Gt, annotated_types.Le, annotated_types.Lt, annotated_types.Interval)
    numbers = {int, float, int | None, float | None}
    unbounded = [
        name
        for name, each in type(subject.method).Params.model_fields.items()
        if each.annotation in numbers and not any(isinstance(note, bounds) for note in each.metadata)
    ]
    return f"{', '.join(unbounded)} may be any number" if unbounded else None


def _params_strict(subject: Contracted) -> str | None:
    try:
        type(subject.method).Params.model_validate({"no_such_parameter": 1})
    except ValidationError:
        return None
    return "no_such_parameter=1 is taken"


def _refuses_one_byte(subject: Contracted) -> str | None:
    try:
        params = subject.method.params_for(1, Shape(100_000, 50_000, 64))
    except BudgetUnreachable:
        return None
    return f"it chose {str(params) or 'parameters'}"


def _meets_budgets(subject: Contracted) -> str | None:
    for budget in BUDGETS:
        dense = subject.shape.dense_bytes
        try:
            params = subject.method.params_for(budget.bytes_of(dense), subject.shape)
        except BudgetUnreachable:
            continue
        if not isinstance(params, type(subject.method).Params):
            return f"at {budget} it returned {type(params).__name__} and no Params"
        with tempfile.TemporaryDirectory(prefix="recpress-check-") as folder:
            subject.compress(params).save(Path(folder))
            size = file_bytes(Path(folder))
        if excess := budget.excess(size, dense):
            return f"at {budget} the artefact has {size:,} bytes, {excess:.1%} more than asked for"
    return None


def _compresses(subject: Contracted) -> str | None:
    return None if subject.compressed else "it made nothing"


def _leaves_the_backbone(subject: Contracted) -> str | None:
    return None if all(made.backbone_unchanged for made in subject.compressed) else "compress writes to its tensors"


def _sees_train_alone(subject: Contracted) -> str | None:
    own = (subject.entry.folder, subject.entry.source.folder, Path.cwd())
    found = [str(file) for seen in subject.seen for file in seen.watch.outside(*own)]
    found += [f"the data set {name}" for seen in subject.seen for name in sorted(seen.watch.datasets)]
    return f"it opens {some(found)}" if found else None


def _writes_nothing(subject: Contracted) -> str | None:
    found = [str(file) for seen in subject.seen for file in seen.watch.changed(Path.cwd(), *_scratch())]
    return f"it writes {some(found)}" if found else None


def _works_alone(subject: Contracted) -> str | None:
    return next((said for seen in subject.seen if (said := company(seen))), None)


def _prints_nothing(subject: Contracted) -> str | None:
    printed = subject.seen[0].printed.strip()
    return f"it prints {printed.splitlines()[0][:60]!r}" if printed else None


def _leaves_settings(subject: Contracted) -> str | None:
    changed = [name for seen in subject.seen for name in seen.settings]
    return f"it changes {some(changed)}" if changed else None


def _repeats(subject: Contracted) -> str | None:
    one, two = subject.compressed
    return None if one.sha256 == two.sha256 else "two artefacts of one seed differ, made after other draws"


def _known_codecs(subject: Contracted) -> str | None:
    unknown = subject.artefact.kinds() - subject.known
    return f"it uses {some(unknown)}" if unknown else None


def _declares_its_codecs(subject: Contracted) -> str | None:
    declared = subject.entry.card.codecs
    if declared is None:
        return None
    if unknown := set(declared) - subject.known:
        return f"there is no {some(unknown)}"
    undeclared = subject.used - set(declared)
    return f"it uses {some(undeclared)}" if undeclared else None


def _right_shapes(subject: Contracted) -> str | None:
    made, shape = subject.artefact, subject.shape
    found = made.users.shape[0], made.items.shape[0]
    if found != (shape.n_users, shape.n_items):
        return f"{found[0]} and {found[1]} rows, and the data has {shape.n_users} users and {shape.n_items} items"
    decoded = tuple(made.items.decode().shape)
    return None if decoded == made.items.shape else f"the items decode to {decoded} and claim {made.items.shape}"


def _finite_values(subject: Contracted) -> str | None:
    sides = {"users": subject.artefact.users, "items": subject.artefact.items}
    bad = [side for side, codec in sides.items() if not bool(torch.isfinite(codec.decode()).all())]
    return f"there are others among the values of {' and '.join(bad)}" if bad else None


def _reloads_alike(subject: Contracted) -> str | None:
    made, seen = subject.artefact, subject.graph.user_items
    with tempfile.TemporaryDirectory(prefix="recpress-check-") as folder:
        made.save(Path(folder))
        again = Recommender(Artefact.load(Path(folder)), seen).recommend_all(K)
    differ = float(np.mean(Recommender(made, seen).recommend_all(K) != again))
    return f"{differ:.1%} of the places in the lists differ" if differ else None


# Compressing under watch comes first: what it changes for good, nothing has changed before.
CONTRACT: Mapping[str, Callable[[Contracted], str | None]] = {
    "params-documented": _params_documented,
    "params-ranged": _params_ranged,
    "params-strict": _params_strict,
    "compresses": _compresses,
    "sees-train-alone": _sees_train_alone,
    "writes-nothing": _writes_nothing,
    "works-alone": _works_alone,
    "prints-nothing": _prints_nothing,
    "leaves-the-process": _leaves_settings,
    "refuses-one-byte": _refuses_one_byte,
    "meets-budgets": _meets_budgets,
    "leaves-the-backbone": _leaves_the_backbone,
    "repeats": _repeats,
    "known-codecs": _known_codecs,
    "declares-its-codecs": _declares_its_codecs,
    "right-shapes": _right_shapes,
    "finite-values": _finite_values,
    "reloads-alike": _reloads_alike,
}
# What these look at; where compressing fails, they can't be made.
OF_THE_ARTEFACT = (
    "leaves-the-backbone",
    "repeats",
    "known-codecs",
    "declares-its-codecs",
    "right-shapes",
    "finite-values",
    "reloads-alike",
)


def contract(name: str, graph: Graph, checkpoint_folder: Path, seed: int, report: Report) -> list[CheckResult]:
    """Import a method and run every check of `CONTRACT`; what raises has failed, with what it raised as the message."""
    entry = registry.method(name)
    known = frozenset(KINDS) | frozenset(NETWORKS)
    report.note("imports")
    module, outcomes = _imported(entry)
    try:
        if module is None:
            return outcomes
        method = method_class(module)()
    except Exception as error:  # Whatever a method raises is a finding.
        return [*outcomes, _raising("imports", entry, error)]
    outcomes.append(check_result("imports", entry.folder, None))
    subject = Contracted(entry, method, graph, checkpoint.read(checkpoint_folder), seed, known)
    compressed = True
    causes: dict[str, str] = {}
    for title, checked in CONTRACT.items():
        if title in OF_THE_ARTEFACT and not compressed:
            outcomes.append(check_result(title, entry.folder, "compress failed", skipped=True))
            continue
        report.note(title)
        try:
            found = check_result(title, entry.folder, checked(subject))
        except Exception as error:  # As above.
            found = _raising(title, entry, error)
            first = causes.setdefault(f"{found.line} {found.message}", title)
            if first != title:  # One cause is one finding.
                found = check_result(title, entry.folder, f"it raises what {first} tells", skipped=True)
        outcomes.append(found)
        if title == "compresses":
            compressed = found.state == "passed"
    return outcomes


def _imported(entry: MethodEntry) -> tuple[ModuleType | None, list[CheckResult]]:
    """Import a method twice and judge the second time: what its libraries do when they are loaded isn't its doing."""
    try:
        with observed():
            entry.module()
    except Exception as error:  # Whatever it raises is a finding.
        return None, [_raising("imports", entry, error)]
    own = f"{entry.source.package}." + (f"{entry.family}.{entry.name}" if entry.source.package == NAMESPACE else "")
    for name in [each for each in sys.modules if each.startswith(own)]:
        del sys.modules[name]
    start = time.perf_counter()
    with observed() as seen:
        module = entry.module()
    seconds = time.perf_counter() - start
    slow = f"it takes {seconds:.1f} s" if seconds > LONGEST_IMPORT else None
    read = [f"reads {file}" for file in seen.watch.outside(entry.folder, entry.source.folder)]
    done = read + [f"writes {file}" for file in seen.watch.changed()]
    done += [f"prints {seen.printed[:60]!r}"] if seen.printed else []
    done += [f"changes {some(seen.settings)}"] if seen.settings else []
    said = company(seen) or (f"it {some(done)}" if done else None)
    return module, [
        check_result("imports-quickly", entry.folder, slow),
        check_result("imports-alone", entry.folder, said),
    ]


def _raising(check: str, entry: MethodEntry, error: Exception) -> CheckResult:
    """Return the result of a check in which the method raised, with the last line of its own code that did."""
    lines = [each.lineno for each in traceback.extract_tb(error.__traceback__) if Path(each.filename) == entry.code]
    if isinstance(error, SyntaxError) and error.filename == str(entry.code):
        lines.append(error.lineno)
    return check_result(
        check, entry.folder, _raised(error), line=lines[-1] if lines else None, fix="fix what is raised"
    )


def _raised(error: Exception) -> str:
    return f"{type(error).__name__}: {error}".replace("\n", " ").rstrip(". ")[:400]


def _scratch() -> list[Path]:
    return [Path(tempfile.gettempdir()), Path("/dev/shm")]
