"""Types of options that several verbs have."""

from __future__ import annotations

from typing import Any

import click

from recpress.core.budget import Budget
from recpress.core.errors import UserError
from recpress.experiments.suite import parse_value


class BudgetType(click.ParamType[Budget]):
    """A fraction of the fp32 bytes, checked where it is typed."""

    name = "fraction"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Budget:
        """Return the budget that is written."""
        try:
            return value if isinstance(value, Budget) else Budget.parse(value)
        except ValueError as error:
            self.fail(str(error), param, ctx)


class ParamType(click.ParamType[tuple[str, Any]]):
    """``name=value``, with the value read by `parse_value`."""

    name = "name=value"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[str, Any]:
        """Split at the first equals sign."""
        key, equals, text = str(value).partition("=")
        if not (key and equals):
            self.fail(f"{value!r} is not name=value, such as bits=4", param, ctx)
        return key, parse_value(text)


def refuse_both(budget: object, param: object) -> None:
    """Refuse a budget beside parameters.

    Raises
    ------
    UserError
        When both are given.
    """
    if budget and param:
        raise UserError("Give --budget or --param, not both: a budget makes the method choose its parameters.")
