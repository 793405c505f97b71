"""Cards, manifests and tensors that somebody made on purpose: one sentence, nothing written, no crash."""

from __future__ import annotations

import json
import struct
from pathlib import Path

import pytest
import torch

from recpress.codecs import Dense
from recpress.codecs.artefact import MANIFEST, TENSORS, Artefact
from recpress.core.cards import MethodCard, read_card
from recpress.core.errors import UserError

CARD = (Path(__file__).parent / "faulty" / "trivial" / "card.toml").read_text()


@pytest.mark.parametrize(
    "text",
    [
        CARD + 'code = "../../../etc/passwd"\n',
        CARD.replace('"table"', '"../table"'),
        CARD.replace("title =", "title = !!python/object/apply:os.system ['true'] #"),
        CARD + "title = 1e400\n",
        CARD + '[[papers]]\ntitle = "x"\nyear = 99999999999999999999999\nurl = "https://x"\n',
        CARD + '[[papers]]\ntitle = "x"\nyear = 2020\nurl = "javascript:alert(1)"\n',
        "\0",
    ],
)
def test_a_card_is_refused_in_one_sentence(tmp_path, text) -> None:
    (tmp_path / "card.toml").write_text(text)
    with pytest.raises(UserError, match=r"card\.toml"):
        read_card(tmp_path / "card.toml", MethodCard)


@pytest.fixture
def artefact(tmp_path: Path) -> Path:
    folder = tmp_path / "artefact"
    Artefact(Dense.encode(torch.eye(3)), Dense.encode(torch.eye(3))).save(folder)
    return folder


@pytest.mark.parametrize(
    "change",
    [
        {"format": 10**400},
        {"users": {"kind": "../../evil"}},
        {"users": {"kind": "__import__('os')"}},
        {"users": None},
        {"users": {}},
        {"users": {"kind": ["dense"]}},
        {"users": "/etc/passwd"},
    ],
)
def test_a_manifest_is_refused_in_one_sentence(artefact, change) -> None:
    manifest = json.loads((artefact / MANIFEST).read_text()) | change
    (artefact / MANIFEST).write_text(json.dumps(manifest))
    with pytest.raises(UserError, match="artefact"):
        Artefact.load(artefact)


@pytest.mark.parametrize(
    "header",
    [
        {"users.values": {"dtype": "F32", "shape": [2**40, 2**20], "data_offsets": [0, 36]}},
        {"users.values": {"dtype": "F32", "shape": [3, 3], "data_offsets": [0, 2**60]}},
        {"users.values": {"dtype": "F32", "shape": [3, 3], "data_offsets": [36, 0]}},
        {"users.values": {"dtype": "PICKLE", "shape": [3, 3], "data_offsets": [0, 36]}},
        {"/etc/passwd": {"dtype": "F32", "shape": [3, 3], "data_offsets": [0, 36]}},
        [],
    ],
)
def test_tensors_with_a_lying_header_are_refused(artefact, header) -> None:
    text = json.dumps(header).encode()
    (artefact / TENSORS).write_bytes(struct.pack("<Q", len(text)) + text + bytes(72))
    with pytest.raises(UserError, match="artefact"):
        Artefact.load(artefact)
    (artefact / TENSORS).write_bytes(struct.pack("<Q", 2**63) + text)
    with pytest.raises(UserError, match="artefact"):
        Artefact.load(artefact)


def test_a_hostile_setting_of_a_cell_writes_nothing(checkout, tmp_path) -> None:
    """As typed on the command line: names that would lead elsewhere, objects for numbers."""
    words = ("--dataset", "synthetic-tiny", "--backbone", "mf", "--timing-seconds", "0", "--method", "trivial")
    for param, reason in {
        "../../../../evil=1": "trivial takes number",
        'number={"$ref": "../../x"}': "number: input should be",
        "number=1" + "0" * 400: "can name a record",
    }.items():
        said = checkout.recpress("run", *words, "--param", param, "--results", str(tmp_path / "results"), code=2)
        assert reason in said
        assert said.count("\n") == 1
    assert not list(tmp_path.iterdir())
