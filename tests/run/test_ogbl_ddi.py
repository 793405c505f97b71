"""ogbl-ddi from the original files to OGB's own verdict, through the command that a user types."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from recpress.backbones import checkpoint
from recpress.cli import cli
from recpress.evaluation import ogb


@pytest.mark.slow
@pytest.mark.data
# Bounds against regressions, below what was found: mf 0.212, lightgcn 0.198 (benchmark/docs/reference/datasets.md).
@pytest.mark.parametrize(("backbone", "least"), [("mf", 0.15), ("lightgcn", 0.15)])
def test_ogbs_evaluator_on_backbones_that_are_trained_here(
    backbone: str, least: float, original_data: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RECPRESS_DATA", str(original_data))
    done = CliRunner().invoke(
        cli, ["train", "--dataset", "ogbl-ddi", "--backbone", backbone, "--format", "json"], catch_exceptions=False
    )
    told = json.loads(done.stdout)
    assert (told["protocol"], told["trained_on"]) == ("paper", "train")
    assert told["figures"]["test"]["hits@20"] >= least
    assert 0 < told["figures"]["test"]["recall@20"] <= 1
    trained = checkpoint.read(Path(told["folder"]))
    assert np.array_equal(trained.users.numpy(), trained.items.numpy())  # one table: nodes are both
    # Hits@20 by its definition: the share of true pairs that score above the 20th best of the false ones.
    pairs, table = ogb.links("ogbl-ddi"), trained.items.numpy()
    for part in ("valid", "test"):
        true, false = (
            np.einsum("nd,nd->n", table[edges[:, 0]], table[edges[:, 1]])
            for edges in (pairs.positive[part], pairs.negative[part])
        )
        assert told["figures"][part]["hits@20"] == pytest.approx((true > np.sort(false)[-20]).mean(), abs=1e-9)
