"""From energy to emissions: the user sets the intensity of the grid."""

from __future__ import annotations

import os

from recpress.core.errors import UserError

JOULES_PER_KWH = 3.6e6
# World average, g CO2e per kWh, as CodeCarbon takes it where it knows no country (its
# data/private_infra/carbon_intensity_per_source.json, "world_average"). By year and definition published averages
# differ by a tenth: Ember's Global Electricity Review 2023 has 436 for 2022.
WORLD_GRID = 475.0
GRID_VARIABLE = "RECPRESS_GRID_INTENSITY"


def grid_intensity() -> float:
    """Return the grid intensity in g CO2e per kWh: ``RECPRESS_GRID_INTENSITY``, or the world average.

    Raises
    ------
    UserError
        When the variable is not a number of at least 0.
    """
    text = os.environ.get(GRID_VARIABLE, "")
    if not text:
        return WORLD_GRID
    try:
        grams = float(text)
    except ValueError:
        grams = -1.0
    if not 0 <= grams < float("inf"):
        raise UserError(f"{GRID_VARIABLE}={text!r} is not a number of g CO2e per kWh, such as 475.")
    return grams


def co2e_grams(joules: float, grid: float) -> float:
    """Return the emissions of an energy in g CO2e, at a grid intensity in g per kWh."""
    return joules / JOULES_PER_KWH * grid
