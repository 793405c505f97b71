"""What verbs on one run share: its options, and the run that they name."""

from __future__ import annotations

from collections.abc import Callable, Container
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click
from rich.console import Console

from recpress.cli.shared.types import BudgetType, ParamType, refuse_both
from recpress.core.errors import UserError

if TYPE_CHECKING:
    from recpress.core.budget import Budget
    from recpress.experiments.identity import PlannedRun

F = TypeVar("F", bound=Callable[..., object])

OPTIONS: dict[str, dict[str, Any]] = {
    "dataset": {"help": "Name of a data set."},
    "backbone": {"default": "lightgcn", "help": "Name of a backbone."},
    "method": {"help": "Name of a method."},
    "budget": {"type": BudgetType(), "help": "Fraction of the fp32 bytes, e.g. 1/8."},
    "param": {
        "multiple": True,
        "type": ParamType(),
        "help": "Set a parameter of the method, e.g. bits=4; may be repeated.",
    },
    "seed": {"type": click.IntRange(min=0), "default": 0, "help": "Seed of the training and of the method."},
    "data": {"type": click.Path(path_type=Path), "help": "Your own csv, tsv, parquet or .inter file."},
    "user-col": {"help": "For --data: column of the user ids."},
    "item-col": {"help": "For --data: column of the item ids."},
    "time-col": {"help": "For --data: column of times, if there is one: numbers since 1970, or ISO dates."},
}


def run_options(*, without: Container[str] = (), **defaults: str) -> Callable[[F], F]:
    """Give a command the options that name one run; it gets their values as the fields of `Asked`.

    Parameters
    ----------
    without : container of str
        Options that the command does not take.
    defaults : str
        Defaults, by the name of the option.
    """

    def decorate(function: F) -> F:
        for name in reversed([name for name in OPTIONS if name not in without]):
            given = OPTIONS[name] | ({"default": defaults[name]} if name in defaults else {})
            function = click.option(f"--{name}", show_default="default" in given, **given)(function)
        return function

    return decorate


@dataclass(frozen=True)
class Asked:
    """The values of `OPTIONS`. A data set by default gives way to a file of the user's own."""

    dataset: str | None
    backbone: str
    method: str | None
    budget: Budget | None = None
    param: tuple[tuple[str, Any], ...] = ()
    seed: int = 0
    data: Path | None = None
    user_col: str | None = None
    item_col: str | None = None
    time_col: str | None = None

    def planned(self) -> PlannedRun:
        """Return the run that they name, with its identity.

        Raises
        ------
        UserError
            When they name none.
        """
        from recpress.experiments.plan import make
        from recpress.experiments.suite import MethodRuns, Suite, expand

        dataset = self._dataset()
        if self.method is None:
            raise UserError("Say which method with --method; `recpress list methods` shows them.")
        refuse_both(self.budget, self.param)
        runs = MethodRuns(
            name=self.method,
            budgets=(self.budget,) if self.budget else None,
            params=(dict(self.param),) if self.param else (),
        )
        suite = Suite(
            title="one run",
            datasets=(dataset,),
            backbones=(self.backbone,),
            methods=(runs,),
            budgets=(),
            seeds=(self.seed,),
        )
        (planned,) = make(expand(suite))
        return planned

    def _dataset(self) -> str:
        if self.data is None:
            if self.dataset is None:
                raise UserError("Say which data: --dataset NAME (`recpress list datasets`), or --data FILE of yours.")
            return self.dataset
        if self.user_col is None or self.item_col is None:
            raise UserError("--data needs --user-col and --item-col: the names of its two id columns.")
        from recpress.data import from_file

        return from_file(self.data, self.user_col, self.item_col, self.time_col).name


def stage_printer(console: Console) -> Callable[[str, float], None]:
    """Return a way to show the stage of one run: a line whenever another begins."""
    shown: list[str] = []

    def stage(name: str, share: float) -> None:
        if name not in shown:
            shown.append(name)
            console.print(f"{name} …", highlight=False)

    return stage
