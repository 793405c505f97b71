"""What is asked for in Python, as the run that it names."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from recpress.core.budget import Budget
from recpress.core.errors import UserError
from recpress.data.dataset import Dataset
from recpress.experiments.identity import PlannedRun
from recpress.experiments.plan import make
from recpress.experiments.suite import MethodRuns, RunSpec, Suite, expand


def run_spec(
    dataset: Dataset | str,
    backbone: str,
    method: str,
    *,
    budget: str | float | None = None,
    params: Mapping[str, Any] | None = None,
    seed: int = 0,
) -> RunSpec:
    """Return one run to ask `run` for.

    Parameters
    ----------
    dataset : Dataset or str
        As `load_dataset` returns it, or a registered name.
    backbone, method : str
        Registered names; ``recpress list`` shows them.
    budget : str or float, optional
        Fraction of the backbone's fp32 bytes: ``"1/8"`` or 0.125.
    params : mapping, optional
        Parameters of the method, in place of a budget. Without both, the method runs with its defaults.
    seed : int
        Of the backbone's training and of the method.

    Raises
    ------
    UserError
        When a name is unknown, or both a budget and parameters are given.

    Examples
    --------
    >>> import recpress as rp
    >>> rp.run_spec("synthetic-tiny", "mf", "uniform", budget=0.125).label
    'synthetic-tiny mf uniform 1/8 seed 0'
    """
    if budget is not None and params:
        raise UserError("Give a budget or params, not both: a budget makes the method choose its parameters.")
    runs = MethodRuns(
        name=method,
        budgets=None if budget is None else (_fraction(budget),),
        params=(dict(params),) if params else (),
    )
    suite = Suite(
        title="one run",
        datasets=(name_of(dataset),),
        backbones=(backbone,),
        methods=(runs,),
        budgets=(),
        seeds=(seed,),
        timing_seconds=0.0,
    )
    (spec,) = expand(suite)
    return spec


def planned(
    dataset: Dataset | str,
    backbone: str,
    method: str = "none",
    *,
    budget: str | float | None = None,
    params: Mapping[str, Any] | None = None,
    seed: int = 0,
) -> PlannedRun:
    """Return one run with its identity; see `run_spec`."""
    (found,) = make([run_spec(dataset, backbone, method, budget=budget, params=params, seed=seed)])
    return found


def name_of(dataset: Dataset | str) -> str:
    """Return the name of a data set that is given by name or loaded."""
    return dataset if isinstance(dataset, str) else dataset.name


def _fraction(budget: str | float) -> str:
    """Return a budget as suites write it: 0.125 is 1/8."""
    try:
        return Budget.parse(str(budget)).text
    except ValueError as error:
        raise UserError(f"{error}.") from None
