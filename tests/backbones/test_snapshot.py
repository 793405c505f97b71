"""A training that is killed goes on to the same bits."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from recpress.backbones import checkpoint
from recpress.backbones.base import Session
from recpress.backbones.catalogue import backbone
from recpress.backbones.config import TrainingConfig
from recpress.core.errors import UserError
from recpress.data.graph import Graph

# A process that trains, keeps its state, and pauses after each epoch so that it can be killed in the middle.
SCRIPT = """
import sys, time
from pathlib import Path
import numpy as np
import torch
from recpress.backbones import checkpoint
from recpress.backbones.base import Session
from recpress.backbones.catalogue import backbone
from recpress.backbones.config import TrainingConfig
from recpress.data.graph import Graph
from recpress.data.interactions import UserItems

torch.set_num_threads(1)
folder, pause = Path(sys.argv[1]), float(sys.argv[2])
items = UserItems(np.load(folder / "indptr.npy"), np.load(folder / "items.npy"), int(sys.argv[3]))
config = TrainingConfig.model_validate_json((folder / "config.json").read_text())

def watch(epoch, loss, tables):
    print(epoch, flush=True)
    time.sleep(pause)

session = Session(state=folder / "state.safetensors", save_seconds=0.01)
checkpoint.write(folder, backbone("xsimgcl").fit(Graph(items), config, 3, watch, session))
"""
CONFIG = TrainingConfig(dim=8, layers=2, first_layer=1, epochs=12, batch_size=100, learning_rate=0.02, decay="cosine")


def start(folder: Path, pause: float, n_items: int) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", SCRIPT, str(folder), str(pause), str(n_items)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


@pytest.mark.usefixtures("one_thread")
def test_a_killed_training_ends_in_the_same_tables(small: Graph, tmp_path: Path) -> None:
    whole = backbone("xsimgcl").fit(small, CONFIG, 3)

    np.save(tmp_path / "indptr.npy", small.user_items.indptr)
    np.save(tmp_path / "items.npy", small.user_items.items)
    (tmp_path / "config.json").write_text(CONFIG.model_dump_json())
    process = start(tmp_path, 0.1, small.n_items)
    assert process.stdout is not None
    while process.stdout.readline().strip() != "4":
        assert process.poll() is None
    time.sleep(0.15)  # longer than the pause: somewhere in the epoch after
    process.send_signal(signal.SIGKILL)
    assert process.wait(60) == -signal.SIGKILL
    assert not (tmp_path / "backbone.json").exists()

    process = start(tmp_path, 0, small.n_items)
    epochs = process.communicate(timeout=120)[0].split()
    assert process.returncode == 0
    assert 4 <= int(epochs[0]) <= 6  # it did not begin anew
    assert epochs[-1] == "12"
    assert checkpoint.read(tmp_path).sha256() == whole.sha256()


def test_the_state_of_another_training_and_a_damaged_one_are_refused(small: Graph, tmp_path: Path) -> None:
    session = Session(state=tmp_path / "state", save_seconds=0)
    config = TrainingConfig(dim=4, epochs=1)
    backbone("mf").fit(small, config, 0, session=session)
    with pytest.raises(UserError, match="another training"):
        backbone("mf").fit(small, config, 1, session=session)
    (tmp_path / "state").write_bytes((tmp_path / "state").read_bytes()[:200])
    with pytest.raises(UserError, match="damaged"):
        backbone("mf").fit(small, config, 0, session=session)
