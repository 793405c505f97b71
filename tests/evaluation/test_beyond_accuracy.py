"""Coverage, concentration, popularity, novelty, diversity: golden vectors worked out by hand."""

from __future__ import annotations

from math import isnan, log2

import numpy as np
import pytest

from recpress import evaluation as evaluate

LISTS = np.array([[0, 1], [0, 2], [0, -1]], np.int32)
POPULARITY = np.array([8, 4, 2, 0])
EMPTY = np.full((2, 3), -1, np.int32)


def test_exposure_and_coverage():
    assert evaluate.exposure(LISTS, 4).tolist() == [3, 1, 1, 0]
    assert evaluate.coverage(LISTS, 4) == 3 / 4
    assert evaluate.coverage(EMPTY, 4) == 0.0


def test_gini():
    # Exposure 0, 1, 1, 3: mean absolute difference over all ordered pairs is 18/16, over 2 × mean 5/4.
    assert evaluate.gini(LISTS, 4) == pytest.approx((18 / 16) / (2 * 5 / 4))
    assert evaluate.gini(np.array([[0, 1], [2, 3]], np.int32), 4) == pytest.approx(0)
    assert evaluate.gini(np.array([[2], [2]], np.int32), 4) == pytest.approx(3 / 4)
    assert isnan(evaluate.gini(EMPTY, 4))


def test_popularity_and_novelty_are_means_of_means():
    assert evaluate.mean_popularity(LISTS, POPULARITY) == pytest.approx((6 + 5 + 8) / 3)
    bits = {0: -log2(8 / 16), 1: -log2(4 / 16), 2: -log2(2 / 16)}
    expected = ((bits[0] + bits[1]) / 2 + (bits[0] + bits[2]) / 2 + bits[0]) / 3
    assert evaluate.novelty(LISTS, POPULARITY, 16) == pytest.approx(expected)
    unknown = np.array([[3]], np.int32)
    assert evaluate.novelty(unknown, POPULARITY, 16) == pytest.approx(5)  # half a user of 16
    assert isnan(evaluate.mean_popularity(EMPTY, POPULARITY))


def test_diversity_is_mean_pairwise_cosine_distance():
    genres = np.array([[1, 0], [0, 1], [1, 1], [0, 0]], float)
    both = np.array([[0, 1, 2]], np.int32)
    pairs = [1.0, 1 - 1 / 2**0.5, 1 - 1 / 2**0.5]
    assert evaluate.intra_list_diversity(both, genres) == pytest.approx(sum(pairs) / 3)
    # Without attributes an item is in no pair, nor is an empty place; a list with no pair is left out.
    lists = np.array([[0, 3, 1], [0, -1, 3]], np.int32)
    assert evaluate.intra_list_diversity(lists, genres) == pytest.approx(1.0)
    assert isnan(evaluate.intra_list_diversity(lists[1:], genres))
