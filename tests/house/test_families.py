"""Families of methods: each is declared once, beside its methods, and charts can draw it."""

from __future__ import annotations

import re
from itertools import combinations
from pathlib import Path
from typing import get_args

import pytest

from recpress import registry
from recpress.core.cards import Mark
from recpress.core.errors import UserError
from recpress.leaderboard.site import charts

STATIC = Path(charts.__file__).parent / "static"
# Backgrounds of the light and of the dark page.
PAPERS = sorted(set(re.findall(r"--paper: (#[0-9a-f]{6})", (STATIC / "site.css").read_text(encoding="utf-8"))))


def luminance(colour: str) -> float:
    """Return the relative luminance of WCAG 2.1."""
    parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    red, green, blue = (c / 12.92 if c <= 0.03928 else ((c + 0.055) / 1.055) ** 2.4 for c in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    dark, light = sorted(map(luminance, (one, other)))
    return (light + 0.05) / (dark + 0.05)


def test_families_are_those_of_the_registered_methods() -> None:
    assert set(registry.families()) == {entry.family for entry in registry.methods().values()}


def test_families_look_and_stand_apart() -> None:
    for one, other in combinations(registry.families().values(), 2):
        assert one.order != other.order
        assert one.colour != other.colour
        assert one.mark != other.mark


@pytest.mark.parametrize("name", registry.families())
def test_colours_show_on_both_pages(name: str) -> None:
    assert len(PAPERS) == 2
    assert min(contrast(registry.family(name).colour, paper) for paper in PAPERS) >= 3


def test_contrast_is_that_of_wcag() -> None:
    assert contrast("#ffffff", "#000000") == pytest.approx(21)
    # The grey that WebAIM gives as the lightest with 4.5:1 on white.
    assert contrast("#767676", "#ffffff") == pytest.approx(4.54, abs=0.005)


def test_the_page_has_a_glyph_for_each_mark() -> None:
    block = re.search(r"RecPress\.GLYPHS = \{(.*?)\};", (STATIC / "dom.js").read_text(encoding="utf-8"), re.S)
    assert block is not None
    assert set(re.findall(r'"?([a-z-]+)"?: "', block[1])) == set(get_args(Mark))


def test_a_legend_has_titles_in_the_declared_order() -> None:
    assert charts.in_order(["zebra", "sharing", "external", "reference"]) == [
        "reference",
        "sharing",
        "external",
        "zebra",
    ]
    assert charts.look("low_rank")["title"] == "Low rank"
    assert charts.look("external")["title"] == "External"


def test_an_unknown_family_is_told_with_the_nearest() -> None:
    with pytest.raises(UserError, match="did you mean 'quantization'"):
        registry.family("quantisation")
