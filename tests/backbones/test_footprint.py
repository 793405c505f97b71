"""A training that does not fit is refused before it starts."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from recpress.backbones import base
from recpress.backbones.catalogue import backbone
from recpress.backbones.config import TrainingConfig
from recpress.backbones.training import footprint
from recpress.backbones.training.footprint import require_memory, training_bytes
from recpress.core.errors import UserError
from recpress.data.graph import Graph


def test_the_refusal_names_what_is_needed_and_a_width_that_fits(small: Graph) -> None:
    config = TrainingConfig(dim=64, layers=2)
    own = backbone("lightgcn").model.footprint
    needed = training_bytes(own, small, config)
    require_memory("lightgcn", own, small, config, needed)
    with pytest.raises(UserError, match="GB are free: set dim = 32") as refusal:
        require_memory("lightgcn", own, small, config, needed - 1)
    width = int(re.findall(r"set dim = (\d+)", str(refusal.value))[0])
    require_memory("lightgcn", own, small, config.model_copy(update={"dim": width}), needed - 1)
    with pytest.raises(UserError, match="no dim fits"):
        require_memory("lightgcn", own, small, config, 10)


def test_needs_grow_with_the_table_and_the_interactions(small: Graph) -> None:
    ngcf, gat = (backbone(name).model.footprint for name in ("ngcf", "gat"))
    narrow, wide = (training_bytes(ngcf, small, TrainingConfig(dim=dim, layers=2)) for dim in (16, 32))
    assert narrow < wide < 2 * narrow  # the interactions don't grow with the width
    heads = [training_bytes(gat, small, TrainingConfig(layers=2, heads=count)) for count in (1, 2)]
    assert heads[0] < heads[1]


def test_fitting_asks_first(small: Graph, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(footprint, "BYTES_PER_INTERACTION", 10**12)
    with pytest.raises(UserError, match="needs about"):
        backbone("mf").fit(small, TrainingConfig(dim=4, epochs=1), 0, session=base.Session(tmp_path / "state"))
    assert not list(tmp_path.iterdir())
