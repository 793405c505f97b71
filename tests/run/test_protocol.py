"""Which interactions a final model may see, by protocol."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from recpress.core.errors import UserError
from recpress.data import load
from recpress.experiments.split_protocol import target


@pytest.mark.usefixtures("cache")
def test_no_published_split_no_paper_protocol() -> None:
    dataset = load("synthetic-tiny")
    standard = target(dataset, "standard")
    assert standard.graph.user_items.nnz == dataset.split.train.nnz + dataset.split.valid.nnz
    with pytest.raises(UserError, match="no published split"):
        target(dataset, "paper")


@pytest.mark.data
def test_the_papers_graph_is_the_published_train_file(original_data: Path, cache: Path) -> None:
    dataset = load("gowalla", original_data)
    paper = target(dataset, "paper")
    lines = (original_data / "gowalla" / "train.txt").read_text().splitlines()
    assert paper.graph.user_items.nnz == sum(len(set(line.split()[1:])) for line in lines)
    assert np.array_equal(paper.seen.items, paper.graph.user_items.items)
