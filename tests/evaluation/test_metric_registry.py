"""Each metric is defined in one place, and the headline is one of them."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np

from recpress import headline, metrics
from recpress.data.interactions import UserItems
from recpress.evaluation import per_user
from recpress.leaderboard.columns import COLUMNS

PACKAGE = Path(metrics.__file__).parent
DOCS = PACKAGE.parent / "docs" / "reference" / "metrics.md"


def test_the_headline_is_a_metric_at_a_cut_off() -> None:
    for name, column, label in (
        (headline.HEADLINE, headline.COLUMN, metrics.LABEL),
        (headline.SECOND, headline.SECOND_COLUMN, metrics.SECOND_LABEL),
    ):
        metric, _, k = name.partition("@")
        assert metric in metrics.METRICS
        assert int(k) in metrics.CUTOFFS
        assert COLUMNS[column].label == label
    assert (headline.COLUMN, metrics.LABEL) == ("ndcg20", "NDCG@20")


def test_the_page_on_metrics_defines_those_that_are_registered() -> None:
    text = DOCS.read_text(encoding="utf-8").partition("## Ranking metrics")[2].partition("\n## ")[0]
    assert set(re.findall(r"^\| `(\w+)@k` \|", text, re.M)) == metrics.METRICS.keys()


def test_a_metric_that_is_registered_is_computed_at_each_cut_off(monkeypatch) -> None:
    monkeypatch.setitem(
        metrics.METRICS,
        "misses",
        metrics.Metric("misses", "Misses", "Places of {k} without a hit.", lambda hits, k: k - hits.count(k)),
    )
    test = UserItems.from_pairs(np.array([0, 0]), np.array([1, 7]), 1, 200)
    lists = np.arange(100, dtype=np.int32)[None]
    found = per_user(lists, np.array([0]), test)
    assert {name: value.tolist() for name, value in found.items() if name.startswith("misses")} == {
        "misses@5": [4],
        "misses@10": [8],
        "misses@20": [18],
        "misses@50": [48],
        "misses@100": [98],
    }


def test_no_other_module_spells_the_headline() -> None:
    """In code: prose of docstrings and comments may name it."""
    spelled = re.compile(r"""["'](ndcg@20|ndcg20|NDCG@20)["']""")
    files = [*PACKAGE.rglob("*.py"), *(PACKAGE / "leaderboard" / "site" / "static").glob("*.js")]
    # An example of a docstring is typed as a user types it.
    lines = [(file, line) for file in files for line in file.read_text(encoding="utf-8").splitlines()]
    assert len(files) > 300
    assert [each for each in lines if spelled.search(each[1]) and ">>>" not in each[1] and "``" not in each[1]] == []
