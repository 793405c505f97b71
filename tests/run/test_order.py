"""In which order the cells of a plan are started."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import hypothesis.strategies as st
from hypothesis import given

from recpress.experiments.engine import staggered


def names(keys: str) -> list[Any]:
    return [SimpleNamespace(backbone_key=key, name=f"{key}{place}") for place, key in enumerate(keys)]


def test_the_next_backbone_is_trained_beside_this_one() -> None:
    assert [each.name for each in staggered(names("aaabbc"))] == ["a0", "b3", "a1", "a2", "c5", "b4"]
    assert staggered([]) == []


@given(st.lists(st.integers(1, 4), max_size=6))
def test_every_cell_is_started_once_and_those_of_a_backbone_in_their_order(sizes: list[int]) -> None:
    todo = names("".join(chr(97 + group) * size for group, size in enumerate(sizes)))
    found = staggered(todo)
    assert sorted(found, key=lambda each: each.name[0] + f"{int(each.name[1:]):03}") == todo
    for key in {each.backbone_key for each in todo}:
        assert [each for each in found if each.backbone_key == key] == [
            each for each in todo if each.backbone_key == key
        ]
