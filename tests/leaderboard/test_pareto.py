import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from recpress.leaderboard.pareto import front

FEW = st.sampled_from([0.0, 1.0, 2.0, 3.0, float("nan"), float("inf")])
POINTS = st.lists(st.tuples(FEW | st.floats(width=16), FEW | st.floats(width=16)), max_size=30)


def brute_force(cost: list[float], gain: list[float]) -> list[bool]:
    marks = []
    for c, g in zip(cost, gain, strict=True):
        known = not (np.isnan(c) or np.isnan(g))
        beaten = any(oc <= c and og >= g and (oc < c or og > g) for oc, og in zip(cost, gain, strict=True))
        marks.append(known and not beaten)
    return marks


@given(POINTS)
def test_the_front_is_what_nothing_beats(points: list[tuple[float, float]]) -> None:
    cost, gain = [p[0] for p in points], [p[1] for p in points]
    assert front(cost, gain).tolist() == brute_force(cost, gain)


def test_a_front_by_hand() -> None:
    # (1, .5) and its twin stay, (2, .4) costs more for less, (3, .9) gains, (3, .8) is beaten at equal cost.
    assert front([1, 1, 2, 3, 3], [0.5, 0.5, 0.4, 0.9, 0.8]).tolist() == [True, True, False, True, False]
